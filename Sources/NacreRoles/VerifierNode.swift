package import Logging
package import NIOCore
import NacreCore
package import NacreEngine
package import NacreProtocol
package import NacreTransport

/// The shell around `VerifierMachine`: the control link, a data link to every hired drafter, and the engine.
package actor VerifierNode: EventLoopActor {
    package nonisolated let eventLoop: any EventLoop
    private var machine: VerifierMachine
    private let tokenizer: any Tokenizer
    private let tokenizerHost: TokenizerHost
    private var pump: EnginePump
    private let log: Logger
    private var control: ControlClient?
    private var drafters: [String: PeerConnection] = [:]
    /// Verifiers that have dialled this one to have drafts scored.
    private var hosts: [LinkID: PeerConnection] = [:]
    private var hostLinks: [UInt64: LinkID] = [:]
    private var nextHost: LinkID = 0
    private var load: LoadMeter
    private var ticker: RepeatedTask?
    private var refusal: String?
    private var isStopped = false

    package init(
        _ configuration: VerifierMachine.Configuration, tokenizer: any Tokenizer, on eventLoop: any EventLoop,
        log: Logger, submit: @escaping EnginePump.Submit
    ) {
        self.eventLoop = eventLoop
        self.tokenizer = tokenizer
        tokenizerHost = TokenizerHost(tokenizer)
        pump = EnginePump(log: log, submit: submit)
        self.log = log
        machine = VerifierMachine(configuration)
        load = LoadMeter(now: .now)
    }

    /// Registers with the coordinator and serves until `stop` or until the coordinator refuses this node.
    /// - Throws: `NodeRefused`.
    package func run(coordinator: PeerAddress, hello: Hello) async throws {
        let control = ControlClient(
            to: coordinator, hello: hello, vocabulary: tokenizer.vocabularyChunks(), on: eventLoop
        ) { [weak self] event in self?.assumeIsolated { node in node.receive(event) } }
        self.control = control
        await control.start()
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .milliseconds(100)) {
            [weak self] _ in self?.assumeIsolated { node in node.tick() }
        }
        await withCheckedContinuation { pump.wait($0) }
        ticker?.cancel()
        if let refusal { throw NodeRefused(reason: refusal) }
    }

    /// Says goodbye to coordinator and drafters; `run` returns once the pass in flight is done.
    package func stop() { stop(saying: "the verifier stops") }

    /// The engine is gone: the same, with the reason, by which the coordinator knows that nothing is wrong with the
    /// jobs.
    package func engineLost(_ reason: String) {
        guard !isStopped else { return }
        log.error("the target is lost", metadata: ["reason": "\(reason)"])
        stop(saying: reason)
    }

    private func stop(saying detail: String) {
        guard !isStopped else { return }
        isStopped = true
        let goodbye = Goodbye(code: .shuttingDown, detail: detail)
        control?.assumeIsolated { $0.close(goodbye) }
        for peer in drafters.values { peer.close(after: goodbye) }
        for peer in hosts.values { peer.close(after: goodbye) }
        pump.finish()
    }

    private func start(_ pass: EnginePass) {
        let lost: @Sendable (String) -> Void = { [weak self, eventLoop] reason in
            eventLoop.execute { [weak self] in self?.assumeIsolated { node in node.lost(reason) } }
        }
        pump.start(pass, lost: lost) { [weak self, eventLoop] outcome in
            eventLoop.execute { [weak self] in self?.assumeIsolated { node in node.passed(outcome) } }
        }
    }

    /// The engine took the pass with it. The machine does not hear of it: what it would say of its jobs is what the
    /// goodbye says already.
    private func lost(_ reason: String) {
        engineLost(reason)
        pump.passEnded()
    }

    private func passed(_ outcome: PassOutcome) {
        pump.passEnded()
        load.count(outcome)
        step(.passed(outcome))
    }

    private func tick() {
        step(.tick)
        let current = load.read(jobs: machine.jobCount, at: .now)
        control?.assumeIsolated { $0.tick(current) }
    }

    private func step(_ input: VerifierMachine.Input) {
        var effects: [VerifierMachine.Effect] = []
        machine.step(input, at: .now, into: &effects)
        for effect in effects { perform(effect) }
    }

    private func perform(_ effect: VerifierMachine.Effect) {
        switch effect {
        case .evaluate(let pass):
            log.debug(
                "pass", metadata: ["nodes": "\(pass.nodes.count)", "rows": "\(pass.nodes.count { $0.score != nil })"])
            start(pass)
        case .wake(let instant): wake(at: instant)
        case .toCoordinator(let message): control?.assumeIsolated { $0.send(message) }
        case .toDrafter(let address, let message): drafters[address]?.send(message)
        case .dial(let address): dial(address)
        case .closeDrafter(let address, let goodbye):
            log.warning("giving up a drafter", metadata: ["drafter": "\(address)", "reason": "\(goodbye.detail)"])
            drafters.removeValue(forKey: address)?.close(after: goodbye)
        case .toHost(let link, let message): hosts[link]?.send(message)
        case .closeHost(let link, let goodbye):
            guard let peer = hosts.removeValue(forKey: link) else { return }
            hostLinks[peer.id] = nil
            log.warning("closing a verifier's link", metadata: ["reason": "\(goodbye.detail)"])
            peer.close(after: goodbye)
        case .closeCoordinator(let goodbye):
            log.error("the coordinator broke the protocol", metadata: ["reason": "\(goodbye.detail)"])
            control?.assumeIsolated { $0.close(goodbye) }
        }
    }

    /// A wake-up that has become pointless does no harm, so none is ever cancelled.
    private func wake(at instant: Instant) {
        eventLoop.scheduleTask(in: .microseconds(Int64(max(0, instant - .now)))) { [weak self] in
            self?.assumeIsolated { node in node.step(.tick) }
        }
    }

    // MARK: - The coordinator

    private func receive(_ event: ControlClient.Event) {
        switch event {
        case .registered: log.notice("registered with the coordinator")
        case .lost:
            log.warning("the coordinator is lost; its jobs are dropped")
            step(.coordinatorLost)
        case .unreachable(let reason):
            log.warning("cannot register with the coordinator yet", metadata: ["reason": "\(reason)"])
        case .refused(let reason):
            refusal = reason
            stop()
        case .message(.tokenize(let request)):
            // Ends by itself; an answer that comes after the end finds no link and is dropped.
            Task { [tokenizerHost, control] in
                let answer = await tokenizerHost.answer(request)
                await control?.send(.tokenized(answer))
            }
        case .message(let message): step(.control(message))
        }
    }

    // MARK: - Other verifiers

    /// Takes the events of verifiers that dial this one, on the event loop.
    package nonisolated func handle(_ peer: PeerConnection, _ event: PeerEvent) {
        assumeIsolated { node in node.receive(event, fromHost: peer) }
    }

    private func receive(_ event: PeerEvent, fromHost peer: PeerConnection) {
        switch event {
        case .opened:
            let link = nextHost
            nextHost = nextHost.next
            hostLinks[peer.id] = link
            hosts[link] = peer
            step(.hostOpened(link))
        case .message(let message):
            guard let link = hostLinks[peer.id] else { return }
            step(.host(link, message))
            // The machine has closed the link unless the greeting was a good one.
            if case .greeting = message, hosts[link] != nil { peer.raiseFrameLimit() }
        case .closed(let reason):
            guard let link = hostLinks.removeValue(forKey: peer.id) else { return }
            hosts[link] = nil
            log.info("a verifier's link closed", metadata: ["reason": "\(reason)"])
            step(.hostLost(link))
        }
    }

    // MARK: - Drafters

    private func dial(_ address: String) {
        guard let peer = try? PeerAddress(address) else {
            step(.dialFailed(address: address))
            return
        }
        drafters[address] = PeerDialer.dial(peer, on: eventLoop) { [weak self] peer, event in
            self?.assumeIsolated { node in node.receive(event, from: peer, at: address) }
        }
    }

    private func receive(_ event: PeerEvent, from peer: PeerConnection, at address: String) {
        guard drafters[address] === peer else { return }  // a link that was given up
        switch event {
        case .opened:
            peer.raiseFrameLimit()
            step(.dialed(address: address))
        case .message(let message): step(.data(address: address, message))
        case .closed(let reason):
            drafters[address] = nil
            log.warning("a drafter is lost", metadata: ["drafter": "\(address)", "reason": "\(reason)"])
            step(.drafterLost(address: address))
        }
    }
}

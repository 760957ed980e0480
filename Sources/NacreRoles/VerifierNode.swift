package import Logging
package import NIOCore
import NacreCore
package import NacreEngine
package import NacreProtocol
package import NacreTransport

/// The shell around `ShardedVerifier`: the control link, the engines of the shards, and from each shard a data link to
/// every drafter that it hired.
package actor VerifierNode: EventLoopActor {
    /// What a shard decides by, and its way to its engine.
    package struct Shard: Sendable {
        let configuration: VerifierMachine.Configuration
        let submit: EnginePump.Submit

        package init(_ configuration: VerifierMachine.Configuration, submit: @escaping EnginePump.Submit) {
            self.configuration = configuration
            self.submit = submit
        }
    }

    /// A drafter as one shard knows it.
    private struct DrafterAddress: Hashable {
        var shard: ShardIndex
        var address: String
    }

    package nonisolated let eventLoop: any EventLoop
    private var machine: ShardedVerifier
    private let tokenizer: any Tokenizer
    private let tokenizerHost: TokenizerHost
    /// By shard.
    private var pumps: [EnginePump]
    private let log: Logger
    private var control: ControlClient?
    private var drafters: [DrafterAddress: PeerConnection] = [:]
    /// Verifiers that have dialled this one to have drafts scored.
    private var hosts: [LinkID: PeerConnection] = [:]
    private var hostLinks: [UInt64: LinkID] = [:]
    private var nextHost: LinkID = 0
    private var load: LoadMeter
    private var ticker: RepeatedTask?
    private var refusal: String?
    private var isStopped = false

    package init(_ shards: [Shard], tokenizer: any Tokenizer, on eventLoop: any EventLoop, log: Logger) {
        self.eventLoop = eventLoop
        self.tokenizer = tokenizer
        tokenizerHost = TokenizerHost(tokenizer)
        pumps = shards.map { EnginePump(log: log, submit: $0.submit) }
        self.log = log
        machine = ShardedVerifier(shards.map(\.configuration))
        load = LoadMeter(engines: shards.count, now: .now)
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
        for shard in pumps.indices { await withCheckedContinuation { pumps[shard].wait($0) } }
        ticker?.cancel()
        if let refusal { throw NodeRefused(reason: refusal) }
    }

    /// Says goodbye to coordinator and drafters; `run` returns once the passes in flight are done.
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
        for shard in pumps.indices { pumps[shard].finish() }
    }

    private func start(_ pass: EnginePass, of shard: ShardIndex) {
        let lost: @Sendable (String) -> Void = { [weak self, eventLoop] reason in
            eventLoop.execute { [weak self] in self?.assumeIsolated { node in node.lost(reason, of: shard) } }
        }
        pumps[shard.rawValue].start(pass, lost: lost) { [weak self, eventLoop] outcome in
            eventLoop.execute { [weak self] in self?.assumeIsolated { node in node.passed(outcome, of: shard) } }
        }
    }

    /// The engine took the pass with it. The machine does not hear of it: what it would say of its jobs is what the
    /// goodbye says already.
    private func lost(_ reason: String, of shard: ShardIndex) {
        engineLost(reason)
        pumps[shard.rawValue].passEnded()
    }

    private func passed(_ outcome: PassOutcome, of shard: ShardIndex) {
        pumps[shard.rawValue].passEnded()
        load.count(outcome)
        step(.shard(shard, .passed(outcome)))
    }

    private func tick() {
        step(.tick)
        let now = Instant.now
        let current = load.read(
            jobs: machine.jobCount, clock: machine.clock, pairs: machine.reports(at: now), at: now)
        control?.assumeIsolated { $0.tick(current) }
    }

    private func step(_ input: ShardedVerifier.Input) {
        var effects: [ShardedVerifier.Effect] = []
        machine.step(input, at: .now, into: &effects)
        for next in effects { perform(next.effect, of: next.shard) }
    }

    private func perform(_ effect: VerifierMachine.Effect, of shard: ShardIndex) {
        switch effect {
        case .evaluate(let pass):
            log.debug(
                "pass",
                metadata: [
                    "shard": "\(shard)", "nodes": "\(pass.nodes.count)",
                    "rows": "\(pass.nodes.count { $0.score != nil })",
                ])
            start(pass, of: shard)
        case .wake(let instant): wake(shard, at: instant)
        case .toCoordinator(let message): control?.assumeIsolated { $0.send(message) }
        case .toDrafter(let address, let message):
            drafters[DrafterAddress(shard: shard, address: address)]?.send(message)
        case .dial(let address): dial(DrafterAddress(shard: shard, address: address))
        case .closeDrafter(let address, let goodbye):
            log.warning("giving up a drafter", metadata: ["drafter": "\(address)", "reason": "\(goodbye.detail)"])
            drafters.removeValue(forKey: DrafterAddress(shard: shard, address: address))?.close(after: goodbye)
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
    private func wake(_ shard: ShardIndex, at instant: Instant) {
        eventLoop.scheduleTask(in: .microseconds(Int64(max(0, instant - .now)))) { [weak self] in
            self?.assumeIsolated { node in node.step(.shard(shard, .tick)) }
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

    private func dial(_ drafter: DrafterAddress) {
        guard let peer = try? PeerAddress(drafter.address) else {
            step(.shard(drafter.shard, .dialFailed(address: drafter.address)))
            return
        }
        drafters[drafter] = PeerDialer.dial(peer, on: eventLoop) { [weak self] peer, event in
            self?.assumeIsolated { node in node.receive(event, from: peer, at: drafter) }
        }
    }

    private func receive(_ event: PeerEvent, from peer: PeerConnection, at drafter: DrafterAddress) {
        guard drafters[drafter] === peer else { return }  // a link that was given up
        let (shard, address) = (drafter.shard, drafter.address)
        switch event {
        case .opened:
            peer.raiseFrameLimit()
            step(.shard(shard, .dialed(address: address)))
        case .message(let message): step(.shard(shard, .data(address: address, message)))
        case .closed(let reason):
            drafters[drafter] = nil
            log.warning("a drafter is lost", metadata: ["drafter": "\(address)", "reason": "\(reason)"])
            step(.shard(shard, .drafterLost(address: address)))
        }
    }
}

package import Logging
package import NIOCore
import NacreCore
import NacreEngine
package import NacreProtocol
package import NacreTransport

/// The shell around `DrafterMachine`: the control link, the data links of verifiers, and the engine.
package actor DrafterNode: EventLoopActor {
    package nonisolated let eventLoop: any EventLoop
    private var machine: DrafterMachine
    private var pump: EnginePump
    private let log: Logger
    private var control: ControlClient?
    private var peers: [LinkID: PeerConnection] = [:]
    private var links: [UInt64: LinkID] = [:]
    private var nextLink: LinkID = 0
    /// Verdicts that have come in this turn of the event loop.
    private var verdicts: [DrafterMachine.Input] = []
    private var load: LoadMeter
    private var ticker: RepeatedTask?
    private var refusal: String?

    package init(
        _ configuration: DrafterMachine.Configuration, on eventLoop: any EventLoop, log: Logger,
        submit: @escaping EnginePump.Submit
    ) {
        self.eventLoop = eventLoop
        pump = EnginePump(log: log, submit: submit)
        self.log = log
        machine = DrafterMachine(configuration)
        load = LoadMeter(now: .now)
    }

    /// Registers with the coordinator and serves until `stop` or until the coordinator refuses this node.
    /// - Throws: `NodeRefused`.
    package func run(coordinator: PeerAddress, hello: Hello, vocabulary: [VocabularyChunk]) async throws {
        let control = ControlClient(to: coordinator, hello: hello, vocabulary: vocabulary, on: eventLoop) {
            [weak self] event in self?.assumeIsolated { node in node.receive(event) }
        }
        self.control = control
        await control.start()
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .milliseconds(100)) {
            [weak self] _ in self?.assumeIsolated { node in node.tick() }
        }
        await withCheckedContinuation { pump.wait($0) }
        ticker?.cancel()
        if let refusal { throw NodeRefused(reason: refusal) }
    }

    /// Says goodbye to coordinator and verifiers; `run` returns once the pass in flight is done.
    package func stop() {
        let goodbye = Goodbye(code: .shuttingDown, detail: "the drafter stops")
        control?.assumeIsolated { $0.close(goodbye) }
        for peer in peers.values { peer.close(after: goodbye) }
        pump.finish()
    }

    private func start(_ pass: EnginePass) {
        pump.start(pass) { [weak self, eventLoop] outcome in
            eventLoop.execute { [weak self] in self?.assumeIsolated { node in node.passed(outcome) } }
        }
    }

    private func passed(_ outcome: PassOutcome) {
        pump.passEnded()
        load.count(outcome)
        step(.passed(outcome))
    }

    private func tick() {
        let current = load.read(jobs: machine.streamCount, at: .now)
        control?.assumeIsolated { $0.tick(current) }
    }

    /// Hands the machine what has come, in its order.
    ///
    /// A verifier sends the verdicts of a pass together, and they wait for each other here: the drafts on them are then
    /// passes of all texts. One by one, the first would be drafted on alone while the others wait for that.
    private func step(_ input: DrafterMachine.Input) {
        if case .received(_, .verdict) = input {
            verdicts.append(input)
            guard verdicts.count == 1 else { return }
            return eventLoop.execute { [weak self] in self?.assumeIsolated { node in node.hearVerdicts() } }
        }
        perform(verdicts + [input])
    }

    private func hearVerdicts() {
        // Whatever else came meanwhile has taken them along.
        if !verdicts.isEmpty { perform(verdicts) }
    }

    private func perform(_ inputs: [DrafterMachine.Input]) {
        verdicts = []
        var effects: [DrafterMachine.Effect] = []
        machine.step(inputs, at: .now, into: &effects)
        for effect in effects {
            switch effect {
            case .evaluate(let pass): start(pass)
            case .send(let link, let message): peers[link]?.send(message)
            case .close(let link, let goodbye):
                guard let peer = peers.removeValue(forKey: link) else { continue }
                links[peer.id] = nil
                log.warning("closing a verifier's link", metadata: ["reason": "\(goodbye.detail)"])
                peer.close(after: goodbye)
            }
        }
    }

    private func receive(_ event: ControlClient.Event) {
        switch event {
        case .registered: log.notice("registered with the coordinator")
        case .lost: log.warning("the coordinator is lost")
        case .unreachable(let reason):
            log.warning("cannot register with the coordinator yet", metadata: ["reason": "\(reason)"])
        case .refused(let reason):
            refusal = reason
            stop()
        case .message: log.debug("a message from the coordinator that a drafter has no use for")
        }
    }

    /// Takes the events of all verifier links, on the event loop.
    package nonisolated func handle(_ peer: PeerConnection, _ event: PeerEvent) {
        assumeIsolated { node in node.receive(event, from: peer) }
    }

    private func receive(_ event: PeerEvent, from peer: PeerConnection) {
        switch event {
        case .opened:
            let link = nextLink
            nextLink = nextLink.next
            links[peer.id] = link
            peers[link] = peer
            step(.opened(link))
        case .message(let message):
            guard let link = links[peer.id] else { return }
            step(.received(link, message))
            // The machine has closed the link unless the greeting was a good one.
            if case .greeting = message, peers[link] != nil { peer.raiseFrameLimit() }
        case .closed(let reason):
            guard let link = links.removeValue(forKey: peer.id) else { return }
            peers[link] = nil
            log.info("a verifier's link closed", metadata: ["reason": "\(reason)"])
            step(.closed(link))
        }
    }
}

package import Logging
package import NIOCore
import NacreCore
package import NacreProtocol
package import NacreTransport

/// The shell around `CoordinatorMachine`: node connections, and wake-ups for whoever follows a job.
package actor CoordinatorNode: EventLoopActor {
    package nonisolated let eventLoop: any EventLoop
    private var machine: CoordinatorMachine
    private let log: Logger
    private var peers: [LinkID: PeerConnection] = [:]
    private var links: [UInt64: LinkID] = [:]
    private var nextLink: LinkID = 0
    private var followers: [JobID: [Int: AsyncStream<Void>.Continuation]] = [:]
    private var nextFollower = 0
    private var ticks = 0
    private var ticker: RepeatedTask?
    private let tunings: TuningKeeper?

    /// - Parameters:
    ///   - policy: the default draft-length policy and who chose it; `nil` for the built-in one.
    ///   - pairs: policies of pairs of models.
    ///   - alternates: whether a drafter and a verifier on the same cores take turns.
    ///   - tunings: where what `auto` finds is kept, which is read here; `nil` forgets it.
    package init(
        on eventLoop: any EventLoop, log: Logger, policy: PolicyBook.Entry? = nil,
        pairs: [(scope: PolicyBook.Scope, entry: PolicyBook.Entry)] = [], alternates: Bool = true,
        tunings: TuningStore? = nil
    ) {
        self.eventLoop = eventLoop
        self.log = log
        var configuration = CoordinatorMachine.Configuration(generation: Generation(rawValue: .random(in: 1 ... .max)))
        if let policy { configuration.policy = policy }
        configuration.alternates = alternates
        configuration.pairPolicies = pairs
        configuration.tunings = tunings?.read() ?? [:]
        self.tunings = tunings.map { TuningKeeper(on: eventLoop, store: $0, log: log) }
        machine = CoordinatorMachine(configuration)
    }

    /// Starts the clock. Ends with `stop`.
    package func start() {
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .milliseconds(100)) {
            [weak self] _ in self?.assumeIsolated { node in node.tick() }
        }
    }

    /// Says goodbye to all nodes; their jobs end with them. Returns when what was found is kept.
    package func stop() async {
        ticker?.cancel()
        for peer in peers.values { peer.close(after: Goodbye(code: .shuttingDown, detail: "the coordinator stops")) }
        for waiting in followers.values.flatMap(\.values) { waiting.finish() }
        await tunings?.finish()
    }

    // MARK: - Nodes

    /// Takes the events of all node connections, on the event loop.
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
            if machine.nodes[link] != nil { peer.raiseFrameLimit() }
        case .closed(let reason):
            guard let link = links.removeValue(forKey: peer.id) else { return }
            peers[link] = nil
            if machine.nodes[link] == nil { log.debug("connection closed", metadata: ["reason": "\(reason)"]) }
            step(.closed(link))
        }
    }

    private func tick() {
        ticks += 1
        step(.tick)
        // A follower that hears nothing for 10 s writes a sign of life, and so finds out that its client is gone.
        if ticks.isMultiple(of: 100) { for job in followers.keys { wake(job) } }
        if ticks.isMultiple(of: 50) { tunings?.assumeIsolated { keeper in _ = keeper.keep() } }
    }

    private func step(_ input: CoordinatorMachine.Input) {
        var effects: [CoordinatorMachine.Effect] = []
        machine.step(input, at: .now, into: &effects)
        for effect in effects {
            switch effect {
            case .send(let link, let message): peers[link]?.send(message)
            case .close(let link, let goodbye):
                guard let peer = peers.removeValue(forKey: link) else { continue }
                links[peer.id] = nil
                log.notice("closing a connection", metadata: ["reason": "\(goodbye.detail)"])
                peer.close(after: goodbye)
            case .changed(let job):
                wake(job)
                if let record = machine.jobs[job], case .over(let outcome) = record.state {
                    log.info(
                        "job over",
                        metadata: [
                            "job.id": "\(job)", "outcome": "\(outcome.name)", "tokens": "\(record.output.count)",
                        ])
                }
            case .nodeJoined(let node):
                log.notice(
                    "node joined", metadata: ["node": "\(node.hello.node)", "model": "\(node.hello.modelName)"])
            case .nodeLost(let node, let reason):
                log.warning("node lost", metadata: ["node": "\(node.hello.node)", "reason": "\(reason)"])
            case .learnt(let tuning): tunings?.assumeIsolated { keeper in keeper.add(tuning) }
            }
        }
    }

    // MARK: - Jobs

    /// Takes a job and returns its record. Refused (`nil`) when `Limits.jobsQueuedMax` jobs are open.
    func submit(_ specification: JobSpecification) -> JobRecord? {
        guard machine.openJobs < Limits.jobsQueuedMax else { return nil }
        let id = JobID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))
        step(.submit(id, specification))
        return machine.jobs[id]
    }

    func cancel(_ id: JobID) -> JobRecord? {
        step(.cancel(id))
        return machine.jobs[id]
    }

    func record(_ id: JobID) -> JobRecord? { machine.jobs[id] }
    var records: [JobRecord] { machine.order.compactMap { machine.jobs[$0] } }

    /// The nodes in the order they joined, each with the reason why it cannot be used, if any.
    var nodes: [(record: NodeRecord, problem: String?)] {
        machine.nodes.values.sorted { $0.link < $1.link }.map { ($0, machine.incompatibility(of: $0)) }
    }

    // MARK: - Policies

    var policies: [(scope: PolicyBook.Scope, entry: PolicyBook.Entry)] { machine.policies.all }

    func setPolicy(_ entry: PolicyBook.Entry?, for scope: PolicyBook.Scope) { step(.setPolicy(scope, entry)) }

    /// Targets and drafters of one vocabulary that are here.
    var pairs: [PolicyBook.Scope] {
        let nodes = machine.nodes.values
        let pairs = nodes.filter(\.isVerifier).flatMap { target in
            nodes.filter { !$0.isVerifier && $0.hello.vocabularyDigest == target.hello.vocabularyDigest }.map {
                PolicyBook.Scope.pair(target: target.hello.fileName, draft: $0.hello.fileName)
            }
        }
        return Set(pairs).sorted()
    }

    /// The page for Prometheus.
    var metrics: String {
        Metrics(machine.totals, nodes: Array(machine.nodes.values), openJobs: machine.openJobs).text
    }

    /// Whether a job submitted now would be decoded.
    var isReady: Bool {
        machine.nodes.values.contains {
            $0.isVerifier && machine.vocabularies[$0.hello.vocabularyDigest]?.isComplete == true
        }
    }

    // MARK: - Followers

    /// A stream that yields whenever the job's record has changed. Ends only with `unfollow` or `stop`.
    func follow(_ job: JobID) -> (follower: Int, changes: AsyncStream<Void>) {
        let (changes, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        nextFollower += 1
        followers[job, default: [:]][nextFollower] = continuation
        return (nextFollower, changes)
    }

    func unfollow(_ job: JobID, _ follower: Int) {
        followers[job]?.removeValue(forKey: follower)?.finish()
        if followers[job]?.isEmpty == true { followers[job] = nil }
    }

    private func wake(_ job: JobID) {
        guard let waiting = followers[job] else { return }
        for continuation in waiting.values { continuation.yield() }
    }
}

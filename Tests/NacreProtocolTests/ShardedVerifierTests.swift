import NacreCore
import NacreProtocol
import Testing

/// Which shard of a verifier a message goes to, and what the shards keep from each other.
@Suite struct ShardedVerifierTests {
    /// A verifier with shards of these slots, and what it last did.
    private struct Rig {
        var machine: ShardedVerifier
        private(set) var effects: [ShardedVerifier.Effect] = []

        init(slots: [Int]) {
            machine = ShardedVerifier(slots.map(Self.configuration(slots:)))
        }

        static func configuration(slots: Int) -> VerifierMachine.Configuration {
            VerifierMachine.Configuration(
                node: "v", incarnation: 1, vocabularyDigest: 7, modelDigest: 9, vocabularySize: 100, sequences: slots,
                contextMax: 256, nodesMax: 64, endTokens: [99], canRewind: true,
                cost: StepCostModel(nodesMax: 64, priorFixed: 1_000, perNode: 1))
        }

        /// The last stream that was opened.
        private(set) var opened: DraftOpen?

        mutating func step(_ input: ShardedVerifier.Input) {
            effects = []
            machine.step(input, at: 0, into: &effects)
            for case .toDrafter(_, .draftOpen(let open)) in effects.map(\.effect) { opened = open }
        }

        mutating func assign(_ job: UInt64, attempt: Attempt = 1, context: [TokenID] = [1, 2]) {
            step(.control(.assignJob(ShardedVerifierTests.assignment(job, attempt: attempt, context: context))))
        }

        /// Jobs of each shard.
        var jobs: [Int] { machine.indices.map { machine[$0].jobCount } }

        /// What each shard did last, in words.
        var lines: [String] {
            // What a job's end tells for its timeline comes before it, and is not the router's affair.
            effects.filter { if case .toCoordinator(.jobTrace) = $0.effect { false } else { true } }.map { effect in
                let what =
                    switch effect.effect {
                    case .toCoordinator(.jobRefused): "refuses"
                    case .toCoordinator(.jobEnded(let ended)): "ends \(ended.job.low).\(ended.attempt)"
                    case .toCoordinator: "tells the coordinator"
                    case .dial(let address): "dials \(address)"
                    case .toDrafter(_, .greeting): "greets"
                    case .toDrafter(_, .draftOpen(let open)): "opens \(open.stream) for \(open.job.low)"
                    case .toDrafter: "tells a drafter"
                    case .closeDrafter(let address, _): "gives up \(address)"
                    case .closeCoordinator: "closes the coordinator"
                    case .toHost(let link, .greeting): "greets back on \(link)"
                    case .toHost(let link, _): "answers on \(link)"
                    case .closeHost(let link, _): "closes \(link)"
                    case .evaluate: "evaluates"
                    case .wake: "sleeps"
                    }
                return "\(effect.shard) \(what)"
            }
        }

        mutating func greet(_ shard: ShardIndex) {
            let drafter = ShardedVerifierTests.drafter
            step(.shard(shard, .dialed(address: drafter)))
            step(.shard(shard, .data(address: drafter, ShardedVerifierTests.greeting(.drafter))))
        }
    }

    private static let drafter = "drafter:1"

    private static func assignment(
        _ job: UInt64, attempt: Attempt = 1, context: [TokenID] = [1, 2], drafter: String? = drafter,
        sharesCores: Bool = false
    ) -> AssignJob {
        AssignJob(
            job: JobID(high: 0, low: job), attempt: attempt, speculation: Speculation(.stream, gamma: 0),
            key: StreamKey(rawValue: job), sampling: .greedy, lengthMax: 100, promptLength: 2,
            contextTotal: context.count, contextOffset: 0, context: context,
            offers: drafter.map { [Offer(address: $0, incarnation: 2, sharesCores: sharesCores)] } ?? [])
    }

    private static func greeting(_ role: Role) -> Message {
        .greeting(
            Greeting(
                wireMin: 1, wireMax: 1, node: "d", role: role, incarnation: 2, vocabularyDigest: 7, modelDigest: 9))
    }

    @Test("a job goes where the smallest share of slots is taken")
    func spread() {
        var rig = Rig(slots: [2, 4])
        for job in 1...6 as ClosedRange<UInt64> { rig.assign(job) }
        #expect(rig.jobs == [2, 4])
        rig.assign(7)
        #expect(rig.lines == ["0 refuses"])
        var even = Rig(slots: [2, 2])
        even.assign(1)
        even.assign(2)
        #expect(even.jobs == [1, 1])
    }

    @Test("of shards equally taken, the one that has the text's beginning gets the job")
    func prefix() {
        let (one, other) = ([1, 2, 3, 4] as [TokenID], [5, 6, 7, 8] as [TokenID])
        var rig = Rig(slots: [4, 4])
        rig.assign(1, context: one)
        rig.assign(2, context: other)
        rig.assign(3, context: other + [9])
        #expect(rig.jobs == [1, 2])
        rig.assign(4, context: other + [9])
        #expect(rig.jobs == [2, 2], "load goes before beginnings")
    }

    @Test("what is said about a job reaches the shard that has it, a newer attempt the one that had the older")
    func routing() {
        var rig = Rig(slots: [2, 2])
        rig.assign(1)
        rig.assign(2)
        rig.step(.control(.cancelJob(CancelJob(job: JobID(high: 0, low: 2), attempt: 1))))
        #expect(rig.lines.contains("1 ends 2.1") && rig.lines.allSatisfy { $0.hasPrefix("1 ") })
        #expect(rig.jobs == [1, 0])
        rig.assign(1, attempt: 2)
        #expect(rig.jobs == [1, 0], "the older attempt left with the newer one's coming")
        let offer = Offer(address: "drafter:2", incarnation: 3)
        rig.assign(3)
        let wants = Self.assignment(4, drafter: nil)
        rig.step(.control(.assignJob(wants)))
        #expect(rig.jobs == [2, 1])
        rig.step(.control(.offers(Offers(job: wants.job, attempt: 1, offers: [offer]))))
        #expect(rig.lines == ["0 dials drafter:2"])
        rig.assign(5)
        #expect(rig.jobs == [2, 2])
        rig.greet(1)
        let change = JobPolicy(job: JobID(high: 0, low: 5), attempt: 1, policy: PolicySpecification(.svip))
        rig.step(.control(.jobPolicy(change)))
        #expect(rig.lines == ["1 tells a drafter"], "the policy of a job on another shard than the first")
        rig.step(.control(.cancelJob(CancelJob(job: JobID(high: 0, low: 77), attempt: 1))))
        #expect(rig.lines.isEmpty, "nobody has job 77")
    }

    @Test("shards compute at the same time, and each hears of its own passes")
    func passes() {
        var rig = Rig(slots: [1, 1])
        rig.assign(1)
        #expect(rig.lines.contains("0 evaluates"))
        rig.assign(2)
        #expect(rig.lines.contains("1 evaluates"), "the other shard's pass is none of its business")
        rig.step(.shard(1, .passed(.failed("broken"))))
        #expect(rig.lines.contains("1 ends 2.1") && rig.lines.allSatisfy { $0.hasPrefix("1 ") })
        #expect(rig.jobs == [1, 0])
    }

    @Test("a drafter on the cores of two busy shards gets its turn, and a pass takes its drafts")
    func turns() throws {
        var rig = Rig(slots: [1, 1])
        func choose(_ shard: ShardIndex, _ tokens: [TokenID]) {
            let scores = tokens.map { Score.choice(Choice(token: $0, margin: 1)) }
            rig.step(.shard(shard, .passed(.done(scores, started: 0, ended: 0))))
        }
        rig.step(.control(.assignJob(Self.assignment(1, sharesCores: true))))
        rig.step(.control(.assignJob(Self.assignment(2, drafter: nil))))
        rig.greet(0)
        // The passes of the two shards overlap: one of them is always in flight.
        choose(0, [50])
        #expect(!rig.lines.contains("0 evaluates"), "the stream may open once the other pass is over")
        choose(1, [60])
        #expect(rig.lines.contains("0 opens 0 for 1") && !rig.lines.contains { $0.contains("evaluates") })
        func hear(_ message: Message) { rig.step(.shard(0, .data(address: Self.drafter, message))) }
        hear(.draftReady(DraftReady(stream: 0, microsecondsPerToken: 1)))
        let open = try #require(rig.opened)
        hear(
            .draft(
                Draft(
                    stream: 0, epoch: open.epoch, heard: open.epoch, root: 3, firstNode: 0, tokens: [51], parents: [],
                    probabilities: [], proposals: [], end: .windowFull)))
        #expect(rig.lines.contains("0 evaluates") && rig.lines.contains("1 evaluates"))
        choose(0, [51, 52])
        #expect(!rig.lines.contains("0 tells a drafter") && !rig.lines.contains("0 evaluates"))
        choose(1, [61])
        #expect(rig.lines.contains("0 tells a drafter") && !rig.lines.contains { $0.contains("evaluates") })
        // The end of the only such job sets the other shard free.
        rig.step(.control(.cancelJob(CancelJob(job: JobID(high: 0, low: 1), attempt: 1))))
        #expect(rig.lines.contains("1 evaluates"))
    }

    @Test("each shard has a link of its own to a drafter, and loses it alone")
    func links() {
        var rig = Rig(slots: [1, 1])
        rig.assign(1)
        #expect(rig.lines.contains("0 dials \(Self.drafter)"))
        rig.assign(2)
        #expect(rig.lines.contains("1 dials \(Self.drafter)"))
        rig.greet(0)
        #expect(rig.lines == ["0 opens 0 for 1"])
        rig.greet(1)
        #expect(rig.lines == ["1 opens 0 for 2"], "streams are numbered per link")
        rig.step(
            .shard(
                0, .data(address: Self.drafter, .draftReady(DraftReady(stream: 5, microsecondsPerToken: 1)))))
        #expect(rig.lines.isEmpty, "no such stream of this shard")
        rig.step(.shard(0, .data(address: Self.drafter, .heartbeatAck(HeartbeatAck(number: 1)))))
        #expect(rig.lines == ["0 gives up \(Self.drafter)"])
        rig.step(
            .shard(
                1, .data(address: Self.drafter, .draftReady(DraftReady(stream: 0, microsecondsPerToken: 1)))))
        #expect(!rig.lines.contains { $0.contains("gives up") })
    }

    @Test("a fault of the coordinator that one shard finds ends the jobs of all, and so does its loss")
    func coordinator() {
        var rig = Rig(slots: [2, 2])
        for job in 1...4 as ClosedRange<UInt64> { rig.assign(job) }
        rig.assign(5, context: [100])
        #expect(rig.lines.first == "0 closes the coordinator")
        #expect(rig.jobs == [0, 0])
        for job in 1...4 as ClosedRange<UInt64> { rig.assign(job, attempt: 2) }
        #expect(rig.jobs == [2, 2])
        rig.step(.control(.heartbeatAck(HeartbeatAck(number: 1))))
        #expect(rig.lines.first == "0 closes the coordinator")
        #expect(rig.jobs == [0, 0])
        rig.assign(1, attempt: 3)
        rig.assign(2, attempt: 3)
        rig.step(.coordinatorLost)
        #expect(rig.jobs == [0, 0])
    }

    @Test("other verifiers' links are spread over the shards, and each stays with its shard")
    func hosts() {
        var rig = Rig(slots: [2, 2])
        for link in [1, 2, 3] as [LinkID] {
            rig.step(.hostOpened(link))
            rig.step(.host(link, Self.greeting(.verifier)))
            #expect(rig.lines == ["\(link == 2 ? 1 : 0) greets back on \(link)"])
        }
        rig.step(.host(2, .heartbeatAck(HeartbeatAck(number: 1))))
        #expect(rig.lines == ["1 closes 2"])
        rig.step(.host(2, Self.greeting(.verifier)))
        #expect(rig.lines.isEmpty, "the link is closed")
        rig.step(.hostLost(1))
        rig.step(.hostLost(3))
        rig.step(.hostOpened(4))
        rig.step(.hostOpened(5))
        rig.step(.host(5, Self.greeting(.verifier)))
        #expect(rig.lines == ["1 greets back on 5"], "lost and closed links count no more")
    }

    @Test("with one shard every effect is that of the machine alone")
    func single() {
        var rig = Rig(slots: [2])
        var alone = VerifierMachine(Rig.configuration(slots: 2))
        func both(_ input: ShardedVerifier.Input, _ own: VerifierMachine.Input) {
            rig.step(input)
            var effects: [VerifierMachine.Effect] = []
            alone.step(own, at: 0, into: &effects)
            #expect(rig.effects.map { "\($0.effect)" } == effects.map { "\($0)" })
            #expect(rig.jobs == [alone.jobCount])
        }
        for job in 1...3 as ClosedRange<UInt64> {
            let message = Message.assignJob(Self.assignment(job))
            both(.control(message), .control(message))
        }
        both(.shard(0, .dialed(address: Self.drafter)), .dialed(address: Self.drafter))
        let greeting = Self.greeting(.drafter)
        both(
            .shard(0, .data(address: Self.drafter, greeting)), .data(address: Self.drafter, greeting))
        #expect(rig.lines.count { $0.contains("opens") } == 2)
        both(.tick, .tick)
        both(.coordinatorLost, .coordinatorLost)
    }
}

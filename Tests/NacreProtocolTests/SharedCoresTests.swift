import NacreCore
import NacreProtocol
import Testing

/// A drafter on its verifier's cores: one of the two computes at a time.
@Suite struct SharedCoresTests {
    private static func assignment(_ speculation: Speculation, job: UInt64 = 1, shared: Bool = true) -> AssignJob {
        var assignment = VerifierRig.assignment(speculation, job: job)
        for index in assignment.offers.indices { assignment.offers[index].sharesCores = shared }
        return assignment
    }

    /// Notes the streams that these effects open.
    private static func note(_ effects: [VerifierMachine.Effect], _ rig: inout VerifierRig) {
        for open in effects.opens {
            rig.pens.append(
                VerifierRig.Pen(
                    address: VerifierRig.drafter, stream: open.stream, epoch: open.epoch,
                    root: Position(rawValue: open.contextTotal), heard: open.epoch))
        }
    }

    /// A job past its first token, which is 50: the drafter reads its text.
    private static func reading(_ speculation: Speculation) -> VerifierRig {
        var rig = VerifierRig()
        rig.step(.control(.assignJob(assignment(speculation))))
        #expect(rig.pass != nil, "the prompt is read at once")
        rig.greet()
        #expect(rig.pens.isEmpty, "no stream opens during a pass")
        let first = rig.choose([50])
        #expect(first.commits == [[50]] && first.opens.count == 1)
        #expect(rig.pass == nil, "no pass while the drafter reads")
        note(first, &rig)
        return rig
    }

    private static func wait(_ rig: inout VerifierRig, _ milliseconds: Int) -> [VerifierMachine.Effect] {
        var all: [VerifierMachine.Effect] = []
        for _ in 0..<milliseconds / 100 {
            rig.now = rig.now + Instant.milliseconds(100)
            all += rig.step(.tick)
        }
        return all
    }

    @Test("every method takes turns", arguments: [DecodingMethod.speculative, .pearl, .stream])
    func turns(method: DecodingMethod) {
        var rig = Self.reading(Speculation(method, gamma: 2))
        rig.ready(0)
        rig.draft([11])
        #expect(rig.pass == nil, "the drafter has more to draw")
        rig.draft([12], end: .windowFull)
        #expect(rig.pass?.nodes.map(\.token) == [50, 11, 12])
        let verdict = rig.choose([11, 12, 13])
        #expect(verdict.commits == [[11, 12, 13]] && verdict.verdicts.count == 1)
        #expect(rig.pass == nil, "the drafter's turn")
        rig.hear(verdict.verdicts[0].nextEpoch)
        rig.enter(verdict.verdicts[0].nextEpoch, root: 6)
        rig.draft([21, 22], end: .windowFull)
        #expect(rig.pass?.nodes.map(\.token) == [13, 21, 22])
    }

    @Test("while its pair rests no further text is read, and a drafter at rest is asked seldom and for one draft")
    func restingOpensNothing() {
        var rig = VerifierRig(costs: (1...64).map { Double($0) * 1_000 })
        var first = Self.assignment(Speculation(.speculative))
        first.lengthMax = 230
        rig.step(.control(.assignJob(first)))
        rig.greet()
        Self.note(rig.choose([50]), &rig)
        rig.ready(0)
        var verdicts: [Verdict] = []
        // None of the drafts stands.
        for round in 0..<120 {
            if rig.pass == nil { rig.draft([90], end: .windowFull) }
            rig.now = rig.now + 1_000 * (rig.pass?.nodes.count ?? 0)
            let rows = rig.pass?.nodes.count { $0.score != nil } ?? 0
            let effects = rig.choose(Array(repeating: TokenID(rawValue: UInt32(20 + round % 60)), count: rows))
            for verdict in effects.verdicts { rig.enter(verdict.nextEpoch, root: verdict.committed) }
            if round >= 40 { verdicts += effects.verdicts.filter { $0.tokens.count > 1 } }
        }
        #expect(!verdicts.isEmpty && verdicts.count <= 3 && verdicts.allSatisfy { $0.tokens.count >= 32 })
        #expect(verdicts.allSatisfy { $0.positionLimit - $0.committed == 1 })
        rig.step(.control(.assignJob(Self.assignment(Speculation(.speculative), job: 2))))
        var opened = 0
        for round in 0..<8 {
            if rig.pass == nil { rig.draft([90], end: .windowFull) }
            let rows = rig.pass?.nodes.count { $0.score != nil } ?? 0
            opened += rig.choose(Array(repeating: TokenID(rawValue: UInt32(30 + round)), count: rows)).opens.count
        }
        #expect(opened == 0 && rig.machine.jobCount == 2)
        // With the one that peeked gone, another takes its place.
        let cancel = CancelJob(job: JobID(high: 0, low: 1), attempt: 0)
        opened += rig.step(.control(.cancelJob(cancel))).opens.count
        for round in 0..<2 where rig.pass != nil {
            let rows = rig.pass?.nodes.count { $0.score != nil } ?? 0
            opened += rig.choose(Array(repeating: TokenID(rawValue: UInt32(40 + round)), count: rows)).opens.count
        }
        #expect(opened == 1)
    }

    @Test("a policy of no drafts has no text read")
    func offOpensNothing() throws {
        var rig = VerifierRig()
        let off = Speculation(.speculative, policy: try PolicySpecification(parsing: "fixed:gamma=0"))
        rig.step(.control(.assignJob(Self.assignment(off))))
        rig.greet()
        #expect(rig.choose([50]).opens.isEmpty && rig.pass != nil)
    }

    @Test("a drafter on cores of its own drafts on during passes")
    func apart() {
        var rig = VerifierRig()
        rig.step(.control(.assignJob(Self.assignment(Speculation(.stream, gamma: 2), shared: false))))
        rig.greet()
        #expect(rig.pass != nil && rig.pens.count == 1)
    }

    @Test("a drafter that hangs in its turn costs a second, and one that dies nothing")
    func lost() {
        var rig = Self.reading(Speculation(.stream, gamma: 2))
        rig.ready(0)
        #expect(Self.wait(&rig, 900).goodbyes.isEmpty && rig.pass == nil)
        #expect(Self.wait(&rig, 300).goodbyes == [.tooSlow])
        #expect(rig.choose([60]).commits == [[60]])
        #expect(rig.pass != nil)

        rig = Self.reading(Speculation(.stream, gamma: 2))
        rig.step(.drafterLost(address: VerifierRig.drafter))
        #expect(rig.pass != nil)
        #expect(rig.choose([60]).commits == [[60]])
    }

    @Test("one that hung is not hired again at once, not for another job either, but for longer and longer pauses")
    func shunned() {
        var rig = Self.reading(Speculation(.stream, gamma: 2))
        rig.ready(0)
        _ = Self.wait(&rig, 1_200)
        /// Ends the pass in flight, whoever is in it.
        func finish() -> [VerifierMachine.Effect] {
            rig.choose(Array(repeating: 60, count: rig.pass?.nodes.count { $0.score != nil } ?? 0))
        }
        _ = finish()
        let job = JobID(high: 0, low: 1)
        func offered(_ address: String = VerifierRig.drafter) -> [String] {
            let offer = Offer(address: address, incarnation: 2, sharesCores: true)
            return rig.step(.control(.offers(Offers(job: job, attempt: 0, offers: [offer])))).dials
        }
        #expect(offered().isEmpty)
        #expect(rig.step(.control(.assignJob(Self.assignment(Speculation(.stream), job: 2)))).dials.isEmpty)
        #expect(Self.wait(&rig, 500).hires == 2, "there may be another one")
        rig.now = rig.now + Instant.seconds(10)
        #expect(offered() == [VerifierRig.drafter])
        rig.greet()
        Self.note(finish(), &rig)
        rig.ready(rig.pens.count - 1)
        _ = Self.wait(&rig, 1_200)
        rig.now = rig.now + Instant.seconds(10)
        #expect(offered().isEmpty, "the second pause is longer")
        #expect(offered("drafter:2") == ["drafter:2"])
    }

    @Test("one that reads for too long is not waited for, and not given up either")
    func longReading() {
        var rig = Self.reading(Speculation(.stream, gamma: 2))
        #expect(Self.wait(&rig, 900).goodbyes.isEmpty && rig.pass == nil)
        #expect(Self.wait(&rig, 300).goodbyes.isEmpty)
        #expect(rig.choose([60]).commits == [[60]])
        // It joins in with the verdict after it is done.
        rig.ready(0)
        let verdict = rig.choose([61])
        #expect(verdict.commits == [[61]] && verdict.verdicts.count == 1)
        #expect(rig.pass == nil)
    }

    @Test("jobs with such a drafter fall into step, and others wait with them")
    func step() {
        var rig = Self.reading(Speculation(.stream, gamma: 1))
        rig.step(.control(.assignJob(Self.assignment(Speculation(.autoregressive), job: 2))))
        #expect(rig.pass == nil)
        rig.step(.control(.assignJob(Self.assignment(Speculation(.pearl, gamma: 1), job: 3))))
        rig.ready(0)
        rig.draft([11], end: .windowFull)
        // The prompts of the others go with the round.
        #expect(rig.pass?.nodes.map(\.token.rawValue).sorted() == [1, 1, 2, 2, 11, 50])
        let verdict = rig.choose([11, 12, 70, 80])
        #expect(rig.pass == nil)
        #expect(verdict.verdicts.count == 1 && verdict.opens.count == 1, "both drafters' turns begin together")
        Self.note(verdict, &rig)
        rig.enter(verdict.verdicts[0].nextEpoch, root: 5)
        rig.draft([21], end: .windowFull)
        #expect(rig.pass == nil, "the other stream is being read")
        rig.ready(1)
        rig.draft([81], end: .windowFull, by: 1)
        #expect(rig.pass?.nodes.count == 5)
    }

    @Test("another policy is told with the next verdict, not during a pass")
    func policy() throws {
        var rig = Self.reading(Speculation(.stream))
        rig.ready(0)
        rig.draft([11], end: .windowFull)
        #expect(rig.pass != nil)
        func told(_ effects: [VerifierMachine.Effect]) -> Int {
            effects.count { if case .toDrafter(_, .streamPolicy) = $0 { true } else { false } }
        }
        let change = JobPolicy(
            job: JobID(high: 0, low: 1), attempt: 0, policy: try PolicySpecification(parsing: "svip"))
        #expect(told(rig.step(.control(.jobPolicy(change)))) == 0)
        let verdict = rig.choose([11, 12])
        #expect(told(verdict) == 1 && verdict.verdicts.count == 1)
    }

    @Test("the job goes back to its method with a drafter on other cores")
    func method() {
        var rig = Self.reading(Speculation(.stream, gamma: 2))
        rig.step(.drafterLost(address: VerifierRig.drafter))
        let offer = Offer(address: "drafter:2", incarnation: 3)
        rig.step(.control(.offers(Offers(job: JobID(high: 0, low: 1), attempt: 0, offers: [offer]))))
        rig.pens = []
        rig.greet("drafter:2")
        #expect(rig.pens.count == 1, "during a pass")
        rig.ready(0)
        // The stream takes what is there.
        rig.choose([60])
        #expect(rig.pass != nil)
    }
}

/// Who is told that two nodes have the same cores.
@Suite struct CoreSharingOfferTests {
    private typealias Rig = CoordinatorRig

    @Test("nodes share cores where both together have more threads than cores")
    func shares() {
        func place(_ host: UInt64, _ cores: [Int], _ threads: Int) -> ComputePlace {
            ComputePlace(host: host, cores: cores, threads: threads)
        }
        #expect(place(1, [0, 1], 2).sharesCores(with: place(1, [0, 1], 2)))
        #expect(place(1, [0], 1).sharesCores(with: place(1, [0, 1], 2)))
        #expect(!place(1, [0], 1).sharesCores(with: place(1, [1], 1)))
        #expect(!place(1, [0, 1], 2).sharesCores(with: place(2, [0, 1], 2)), "another host")
        #expect(!place(0, [0, 1], 2).sharesCores(with: place(0, [0, 1], 2)), "nobody knows")
        #expect(!place(1, [0, 1], 1).sharesCores(with: place(1, [0, 1], 1)), "not pinned, and there is room")
    }

    @Test("an offer says so, unless the coordinator is told to let them overlap")
    func marked() {
        for alternates in [true, false] {
            var rig = Rig()
            var configuration = CoordinatorMachine.Configuration(generation: 1)
            configuration.alternates = alternates
            rig.machine = CoordinatorMachine(configuration)
            rig.join(1, .verifier, place: ComputePlace(host: 1, cores: [0, 1], threads: 2))
            rig.join(10, .drafter, place: ComputePlace(host: 1, cores: [1], threads: 1))
            rig.submit()
            #expect(rig.placed?.assignment.offers.map(\.sharesCores) == [alternates])
            #expect(rig.machine.jobs[Rig.job]?.sharesCores == alternates)
        }
    }

    @Test("jobs of a verifier have one drafter on its cores, and say so as long as they have it")
    func single() {
        var rig = Rig()
        let place = ComputePlace(host: 1, cores: [0, 1], threads: 2)
        rig.join(1, .verifier, sequences: 4, place: place)
        for link in [10, 11] { rig.join(LinkID(rawValue: link), .drafter, sequences: 2, place: place) }
        rig.submit(Speculation(.stream, drafters: 2))
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a10"])
        rig.submit(job: JobID(high: 0, low: 2))
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a10"])
        rig.submit(job: JobID(high: 0, low: 3))
        #expect(rig.placed?.assignment.offers == [], "it serves no third")
        #expect(rig.record?.sharesCores == true)
        rig.step(.closed(10))
        #expect(rig.offers == ["a11", "a11"], "the second in its place")
        rig.step(.closed(11))
        #expect(rig.record?.sharesCores == false)
        rig.join(12, .drafter, reportsVocabulary: false, place: ComputePlace(host: 2, cores: [0], threads: 1))
        #expect(rig.offers == ["a12"] && rig.record?.sharesCores == false)
    }

    @Test("one with cores of its own is preferred even if it serves more jobs")
    func busy() {
        var rig = Rig()
        rig.join(1, .verifier, sequences: 4, place: ComputePlace(host: 1, cores: [0], threads: 1))
        rig.join(10, .drafter, sequences: 2, place: ComputePlace(host: 1, cores: [0], threads: 1))
        rig.join(11, .drafter, sequences: 2, place: ComputePlace(host: 1, cores: [1], threads: 1))
        for job in [2, 3] as [UInt64] {
            rig.submit(job: JobID(high: 0, low: job))
            #expect(rig.placed?.assignment.offers.map(\.address) == ["a11"])
        }
    }

    @Test("a drafter with cores of its own is preferred, one on another verifier's comes last")
    func preferred() {
        var rig = Rig()
        rig.join(1, .verifier, place: ComputePlace(host: 1, cores: [0], threads: 1))
        rig.join(2, .verifier, model: 6, place: ComputePlace(host: 1, cores: [1], threads: 1))
        for (link, core) in [(10, 1), (11, 0), (12, 2)] {
            rig.join(
                LinkID(rawValue: link), .drafter, sequences: 2,
                place: ComputePlace(host: 1, cores: [core], threads: 1))
        }
        rig.submit(Speculation(.stream, drafters: 3))
        let model = rig.machine.jobs[Rig.job]?.modelDigest
        #expect(
            rig.placed?.assignment.offers.map(\.address)
                == (model == 6 ? ["a12", "a10", "a11"] : ["a12", "a11", "a10"]))
    }
}

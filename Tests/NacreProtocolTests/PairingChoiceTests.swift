import NacreCore
import NacreProtocol
import Testing

/// Which of several drafters a job gets where nodes have said what their passes take.
@Suite struct PairingChoiceTests {
    private typealias Rig = CoordinatorRig

    /// Core 0 of the host of all nodes that say nothing else.
    private static let home = ComputePlace(host: 1, cores: [0], threads: 1)

    /// A verifier of 100 ms a pass on link 1.
    private static func rig(place: ComputePlace = home, alternates: Bool = true) -> Rig {
        var rig = Rig(alternates: alternates)
        rig.join(1, .verifier, sequences: 8, place: place, passTimes: times([(1, 100), (8, 120)]))
        return rig
    }

    private static func times(_ table: [(nodes: Int, milliseconds: Int)]) -> [PassTime] {
        table.map { PassTime(shards: 1, nodes: $0.nodes, microseconds: UInt32($0.milliseconds * 1_000)) }
    }

    private static func drafter(
        _ rig: inout Rig, _ link: Int, draft: Int, fourDrafts: Int? = nil, place: ComputePlace? = nil,
        disturbance: String = ""
    ) {
        // On a core of its own.
        let place = place ?? ComputePlace(host: 1, cores: [link], threads: 1)
        rig.join(
            LinkID(rawValue: link), .drafter, reportsVocabulary: false, sequences: 8, model: UInt64(link),
            incarnation: Incarnation(rawValue: UInt64(link)), place: place,
            passTimes: times([(1, draft), (4, fourDrafts ?? draft)]), disturbance: disturbance)
    }

    private static func load(way: Int = 0, pairs: [PairReport] = []) -> Message {
        .heartbeat(
            Heartbeat(
                number: 1,
                load: Load(
                    jobs: 0, busy: 0, stepMicroseconds: 0, roundTripMicroseconds: UInt32(way * 1_000), pairs: pairs)))
    }

    @Test("the faster drafter, though it came later; the job says why")
    func faster() {
        var rig = Self.rig()
        Self.drafter(&rig, 10, draft: 60)
        Self.drafter(&rig, 11, draft: 5)
        rig.submit(Speculation(.stream))
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a11"])
        let why = rig.record?.pairing ?? ""
        #expect(why.hasPrefix("n11 of 2: 1.") && why.contains("a pass 100.0 ms, a draft 5.0 ms"), "\(why)")
    }

    @Test("a drafter that is far away comes behind a slower one that is near, and so does one before its way is known")
    func far() {
        for (ways, expected) in [([1, 300], "a11"), ([1, 2], "a10"), ([], "a11"), ([1], "a11")] as [([Int], String)] {
            var rig = Self.rig()
            Self.drafter(&rig, 10, draft: 5, place: ComputePlace(host: 2, cores: [0], threads: 1))
            Self.drafter(&rig, 11, draft: 15)
            for (link, way) in zip([1, 10] as [LinkID], ways) { rig.step(.received(link, Self.load(way: way))) }
            rig.submit(Speculation(.speculative))
            #expect(rig.placed?.assignment.offers.map(\.address) == [expected], "\(ways)")
            let why = rig.record?.pairing ?? ""
            #expect(why.hasPrefix("n\(expected.dropFirst()) of 2\(ways.count < 2 ? " (1 known)" : ""): 1."), "\(why)")
        }
    }

    @Test("a drafter whose passes grow with its jobs gets no second one while another is as fast")
    func loaded() {
        var rig = Self.rig()
        Self.drafter(&rig, 10, draft: 5, fourDrafts: 80)
        Self.drafter(&rig, 11, draft: 10, fourDrafts: 10)
        for (number, expected) in [(1, "a10"), (2, "a11"), (3, "a11")] as [(UInt64, String)] {
            rig.submit(Speculation(.speculative), job: JobID(high: 0, low: number))
            #expect(rig.placed?.assignment.offers.map(\.address) == [expected], "job \(number)")
        }
    }

    @Test("what differs by less than measurements waver is the same: the one with fewer jobs, and cores of its own")
    func equal() {
        let place = ComputePlace(host: 1, cores: [0, 1], threads: 2)
        var rig = Self.rig(place: place)
        Self.drafter(&rig, 10, draft: 10, place: place)
        Self.drafter(&rig, 11, draft: 10, place: ComputePlace(host: 1, cores: [2], threads: 1))
        Self.drafter(&rig, 12, draft: 10, place: ComputePlace(host: 1, cores: [3], threads: 1))
        for (number, expected) in [(1, "a11"), (2, "a12"), (3, "a11")] as [(UInt64, String)] {
            rig.submit(Speculation(.speculative), job: JobID(high: 0, low: number))
            #expect(rig.placed?.assignment.offers.map(\.address) == [expected], "job \(number)")
        }
    }

    @Test("overlap with a slower drafter on other cores, or turns with the faster one on the same: what decodes faster")
    func turns() {
        let place = ComputePlace(host: 1, cores: [0, 1], threads: 2)
        let other = ComputePlace(host: 1, cores: [2], threads: 1)
        for (draft, expected) in [(35, "a11"), (90, "a10")] {
            var rig = Self.rig(place: place)
            Self.drafter(&rig, 10, draft: 30, place: place)
            Self.drafter(&rig, 11, draft: draft, place: other)
            rig.submit(Speculation(.stream))
            #expect(rig.placed?.assignment.offers.map(\.address) == [expected], "a draft of \(draft) ms")
        }
    }

    @Test("acceptance that jobs of the two models had counts once enough was judged", arguments: [31, 32] as [UInt64])
    func acceptance(judged: UInt64) {
        var rig = Self.rig()
        Self.drafter(&rig, 10, draft: 10)
        Self.drafter(&rig, 11, draft: 12)
        var counts = PairCounts()
        (counts.judgedAt, counts.acceptedAt) = ([judged], [0])
        let bad = PairReport(
            draftModel: 10, method: .stream, policy: "goodput", tree: "chain", state: .resting, reason: "", ratio: 0,
            milliseconds: 0, jobs: 0, counts: counts)
        rig.step(.received(1, Self.load(pairs: [bad])))
        rig.submit(Speculation(.speculative))
        #expect(rig.placed?.assignment.offers.map(\.address) == [judged < 32 ? "a10" : "a11"])
    }

    @Test("whatever counts a node sends, the choice goes on", arguments: [32, 33, UInt64.max] as [UInt64])
    func counts(accepted: UInt64) {
        var rig = Self.rig()
        Self.drafter(&rig, 10, draft: 60)
        Self.drafter(&rig, 11, draft: 5)
        var counts = PairCounts()
        (counts.judgedAt, counts.acceptedAt) = ([32], [accepted])
        let report = PairReport(
            draftModel: 11, method: .stream, policy: "goodput", tree: "chain", state: .drafting, reason: "", ratio: 1,
            milliseconds: 0, jobs: 0, counts: counts)
        rig.step(.received(1, Self.load(pairs: [report, report])))
        rig.submit(Speculation(.stream))
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a11"])
        #expect(rig.record?.pairing?.hasSuffix("acceptance 0.98") == true)
    }

    @Test("where nobody takes turns a drafter on the verifier's cores is the last, however fast")
    func overlap() {
        let place = ComputePlace(host: 1, cores: [0, 1], threads: 2)
        for (alternates, expected) in [(true, "a10"), (false, "a11")] {
            var rig = Self.rig(place: place, alternates: alternates)
            Self.drafter(&rig, 10, draft: 5, place: place)
            Self.drafter(&rig, 11, draft: 90, place: ComputePlace(host: 1, cores: [2], threads: 1))
            rig.submit(Speculation(.stream))
            #expect(rig.placed?.assignment.offers.map(\.address) == [expected])
        }
    }

    @Test("jobs of another verifier, which share no pass of the drafter, count as passes of their own")
    func strangers() {
        for (verifiers, expected) in [(1, ["a10", "a10"]), (2, ["a10", "a11"])] {
            var rig = Self.rig()
            if verifiers > 1 {
                rig.join(
                    2, .verifier, sequences: 8, place: ComputePlace(host: 1, cores: [20], threads: 1),
                    passTimes: Self.times([(1, 100), (8, 120)]))
            }
            Self.drafter(&rig, 10, draft: 20)
            Self.drafter(&rig, 11, draft: 24)
            var chosen: [String] = []
            for number in 1...2 as ClosedRange<UInt64> {
                rig.submit(Speculation(.speculative), job: JobID(high: 0, low: number))
                #expect(rig.placed?.link == (verifiers > 1 && number == 2 ? 2 : 1))
                chosen += rig.placed?.assignment.offers.map(\.address) ?? []
            }
            #expect(chosen == expected)
        }
    }

    /// Drafters of such drafts, in milliseconds, on links 10, 11 ...: which of them comes first, and why. 0: one that
    /// has not said what its passes take.
    private static func choice(_ drafts: [Int], verifier: Rig? = nil) -> (address: String?, why: String?) {
        var rig = verifier ?? Self.rig()
        for (place, draft) in drafts.enumerated() {
            if draft == 0 { rig.joinDrafter(10 + place) } else { Self.drafter(&rig, 10 + place, draft: draft) }
        }
        rig.submit(Speculation(.speculative))
        return (rig.placed?.assignment.offers.first?.address, rig.record?.pairing)
    }

    @Test("drafters that have not said what they take change nothing about the order of the others")
    func order() {
        for (drafts, expected) in [
            ([60, 5, 0], "a11"), ([60, 0, 5], "a12"), ([0, 60, 5], "a12"), ([0, 0, 60, 5], "a13"),
        ] as [([Int], String)] {
            let (address, why) = Self.choice(drafts)
            #expect(address == expected && why?.contains("(2 known): 1.") == true, "\(drafts): \(why ?? "nil")")
        }
    }

    @Test("one that has not said comes behind those that promise more than plain decoding, before those that do not")
    func unknown() {
        // In turns with drafts of 400 ms a job is slower than alone.
        for (drafts, expected) in [
            ([400, 0], "a11"), ([0, 400], "a10"), ([400, 0, 30], "a12"), ([400, 300], "a11"), ([0, 0], "a10"),
        ] as [([Int], String)] {
            let (address, why) = Self.choice(drafts)
            let isKnown = drafts.enumerated().contains { $1 > 0 && "a\(10 + $0)" == expected }
            #expect(address == expected && (why != nil) == isKnown, "\(drafts): \(why ?? "nil")")
        }
    }

    @Test("times that were measured beside other work are not known, and without those of the verifier none are")
    func disturbed() {
        var rig = Self.rig()
        Self.drafter(&rig, 10, draft: 5, disturbance: "half of the passes took longer")
        Self.drafter(&rig, 11, draft: 30)
        rig.submit(Speculation(.stream))
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a11"])
        var mute = Rig()
        mute.join(1, .verifier, sequences: 8, place: Self.home)
        let (address, why) = Self.choice([60, 5], verifier: mute)
        #expect(address == "a10" && why == nil)
    }

    @Test("nodes of the same times are thought through once, however many there are")
    func once() {
        var rig = Self.rig()
        for link in 10..<16 { Self.drafter(&rig, link, draft: link < 14 ? 10 : 20) }
        rig.submit(Speculation(.stream))
        #expect(rig.machine.pairings.count == 2)
        rig.submit(Speculation(.stream), job: JobID(high: 0, low: 2))
        // What the one with a job now has beside it is new.
        #expect(rig.machine.pairings.count == 3)
    }
}

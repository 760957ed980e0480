import NacreCore
import NacreProtocol
import Testing

/// Which of several drafters a job gets where nodes have said what their passes take.
@Suite struct PairingChoiceTests {
    private typealias Rig = CoordinatorRig

    /// A verifier of 100 ms a pass on link 1.
    private static func rig(place: ComputePlace = .unknown) -> Rig {
        var rig = Rig()
        rig.join(1, .verifier, sequences: 8, place: place, passTimes: times([(1, 100), (8, 120)]))
        return rig
    }

    private static func times(_ table: [(nodes: Int, milliseconds: Int)]) -> [PassTime] {
        table.map { PassTime(shards: 1, nodes: $0.nodes, microseconds: UInt32($0.milliseconds * 1_000)) }
    }

    private static func drafter(
        _ rig: inout Rig, _ link: Int, draft: Int, fourDrafts: Int? = nil, place: ComputePlace = .unknown,
        disturbance: String = ""
    ) {
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

    @Test("a drafter that is far away comes behind a slower one that is near")
    func far() {
        var rig = Self.rig()
        Self.drafter(&rig, 10, draft: 5)
        Self.drafter(&rig, 11, draft: 15)
        rig.step(.received(10, Self.load(way: 300)))
        rig.submit(Speculation(.speculative))
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a11"])
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

    @Test("where one has not said what it takes, or measured it beside other work, the first come is served")
    func unknown() {
        for disturbance in ["", "half of the passes took longer"] {
            var rig = Self.rig()
            Self.drafter(&rig, 10, draft: 60, disturbance: disturbance)
            Self.drafter(&rig, 11, draft: 5)
            if disturbance.isEmpty { rig.joinDrafter(12) }
            rig.submit(Speculation(.stream))
            #expect(rig.placed?.assignment.offers.map(\.address) == ["a10"] && rig.record?.pairing == nil)
        }
    }
}

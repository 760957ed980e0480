import NacreCore
import Testing

/// Where a drafter is put, by ENGINE.md 4's figures for two cores: a 1.1B Q8_0 target, a 100M drafter.
@Suite struct PlacementChoiceTests {
    private static func table(_ times: [Int: Double]) -> StepCostModel {
        StepCostModel(times.sorted { $0.key < $1.key }.map { PassCost(nodes: $0.key, microseconds: 1_000 * $0.value) })
    }

    private static func question(
        alpha: Double, draft: [Int: Double] = [1: 5_000, 2: 2_700], host: PlacementQuestion.DrafterHost? = nil
    ) -> PlacementQuestion {
        PlacementQuestion(
            cores: 2,
            target: [1: table([1: 77.9, 4: 120, 8: 160]), 2: table([1: 41.5, 4: 69.5, 8: 92.4])],
            draft: draft, alpha: alpha, drafterHost: host)
    }

    private static func rate(
        _ question: PlacementQuestion, where matches: (Placement) -> Bool
    ) throws -> PlacementQuestion.Prediction {
        try #require(question.options.first { matches($0.placement) })
    }

    @Test("on two cores the two models take turns, with both cores each, rather than overlap with one each")
    func turns() throws {
        let question = Self.question(alpha: 0.8)
        #expect(question.choice?.placement == .together(cores: 2))
        let apart = try Self.rate(question) { if case .apart = $0 { true } else { false } }
        let together = try #require(question.choice)
        #expect(apart.placement == .apart(verifierCores: 1, drafterCores: 1, isRemote: false))
        // The example's round of 7 drafts: 172 ms overlapped, 110 ms in turns.
        #expect(together.tokensPerSecond / apart.tokensPerSecond > 1.3)
        #expect(question.reason.contains("faster than the next best: no drafter"))
    }

    @Test("a drafter that agrees too rarely is not started, by a margin")
    func plain() {
        for alpha in [0, 0.2, 0.3] {
            let question = Self.question(alpha: alpha)
            #expect(question.choice?.placement == .plain(cores: 2), "\(alpha)")
            #expect(question.reason.contains("drafter"), "\(question.reason)")
        }
    }

    @Test("a second host overlaps, with every core of the first for the target")
    func hosts() throws {
        let host = PlacementQuestion.DrafterHost(cores: 2, roundTripMicroseconds: 300)
        let question = Self.question(alpha: 0.8, host: host)
        #expect(
            question.choice?.placement
                == .apart(verifierCores: 2, drafterCores: 2, isRemote: true))
        let together = try Self.rate(question) { $0 == .together(cores: 2) }
        #expect(try #require(question.choice).tokensPerSecond > together.tokensPerSecond)
    }

    @Test("a host that is far away is no help")
    func farHost() {
        let host = PlacementQuestion.DrafterHost(cores: 2, roundTripMicroseconds: 400_000)
        #expect(Self.question(alpha: 0.8, host: host).choice?.placement == .together(cores: 2))
    }

    @Test("drafting that takes long overlaps where there are cores for it, and scaling has an end")
    func manyCores() {
        // The target is done with four threads: two more are worth nothing to it.
        let four = Self.table([1: 40, 4: 44, 8: 50])
        let question = PlacementQuestion(
            cores: 8, target: [4: four, 7: four, 8: four], draft: [1: 9_000, 4: 8_000, 8: 8_000], alpha: 0.8)
        guard case .apart(4, _, false) = question.choice?.placement else {
            Issue.record("\(String(describing: question.choice))")
            return
        }
    }

    @Test("one core: in turns or not at all, never both at once")
    func oneCore() {
        let question = PlacementQuestion(
            cores: 1, target: [1: Self.table([1: 77.9, 4: 120, 8: 160])], draft: [1: 5_000], alpha: 0.8)
        #expect(question.choice?.placement == .together(cores: 1))
        #expect(question.options.count == 2)
    }

    @Test("every placement stays within the cores there are")
    func budget() {
        for cores in 1...9 {
            let counts = PlacementQuestion.threadCounts(cores: cores)
            #expect(counts.last == cores)
            let question = PlacementQuestion(
                cores: cores,
                target: Dictionary(uniqueKeysWithValues: counts.map { ($0, Self.table([1: 40, 8: 50])) }),
                draft: Dictionary(uniqueKeysWithValues: counts.map { ($0, 4_000) }), alpha: 0.7)
            for option in question.options {
                if case .apart(let verifier, let drafter, false) = option.placement {
                    #expect(verifier + drafter <= cores)
                }
            }
        }
    }
}

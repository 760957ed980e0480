import NacreCore
import Testing

private func conditions(fixed: Double, perNode: Double, draft: Double) -> RoundConditions {
    RoundConditions(
        .turns, cost: StepCostModel(nodesMax: 64, priorFixed: fixed, perNode: perNode), draftMicroseconds: draft,
        roundTripMicroseconds: 0, acceptance: PositionalAcceptance(priorAlpha: 0.6), most: 16)
}

@Suite("goodput learns what lies behind the drafts that it makes")
struct GoodputTests {
    @Test("goodput looks one draft further every eighth round, unless that costs much or nothing pays")
    func looks() {
        func lengths(_ conditions: RoundConditions) -> [Int] {
            var goodput = DraftLengthPolicy(.goodput, key: StreamKey(rawValue: 1))
            return (0..<17).map { _ in goodput.draftLength(conditions) }
        }
        // α 0.6: 1.6 tokens in 120 ms, 1.96 in 150, 2.176 in 180, so two drafts would lose 2 % ...
        let flat = conditions(fixed: 80_000, perNode: 10_000, draft: 20_000)
        #expect(lengths(flat) == (1...17).map { $0 % 8 == 0 ? 2 : 1 })
        // ... and 1.6 in 158 ms, 1.96 in 216, where they would lose more than a tenth.
        #expect(
            lengths(conditions(fixed: 100_000, perNode: 1, draft: 58_000))
                == Array(repeating: 1, count: 17))
        var one = flat
        one.most = 1
        #expect(lengths(one) == Array(repeating: 1, count: 17))
    }

    @Test("A new text is expected to be like the others by position, and its own drafts are worth more soon")
    func acceptanceLikeOthers() {
        var others = PositionalAcceptance()
        // Of two drafts the first fails half the time, the second never.
        for _ in 0..<200 {
            others.record(accepted: 0, rejected: true)
            others.record(accepted: 2, rejected: false)
        }
        var text = PositionalAcceptance(like: others)
        #expect(abs(text.alpha - others.alpha) < 1e-12)
        for position in [0, 1, 9] { #expect(abs(text[position] - others[position]) < 1e-12) }
        #expect(text[1] > 0.9 && text[0] < 0.6 && text[9] == text.alpha)
        for _ in 0..<40 { text.record(accepted: 1, rejected: true) }
        #expect(text[1] < 0.3 && text[0] > 0.8)
    }
}

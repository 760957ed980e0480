import NacreCore
import Testing

/// One position, p = (½, ½), q = (.9, .1), drafts drawn from q and judged by rejection: the exact law of what is
/// committed, by enumeration of the draws (ALGORITHMS 0.5).
@Suite("Which growth is legal for drawn drafts")
struct TreeLegalityTests {
    private static let p = [0.5, 0.5]
    private static let q = [0.9, 0.1]

    /// The law when `draws` i.i.d. tokens are proposed with the probability that `estimate` gives to token and place.
    private func law(_ plan: TreePlan, draws: Int, estimate: (_ token: Int, _ place: Int) -> Double) -> [Double] {
        var law = [0.0, 0.0]
        for outcome in 0..<1 << draws {
            let drawn = (0..<draws).map { outcome >> $0 & 1 }
            let mass = drawn.reduce(1) { $0 * Self.q[$1] }
            var growth = TreeGrowth(root: 0, plan: plan)
            for expansion in growth.next() {
                // A token drawn twice is one node; its first place counts.
                let distinct = drawn.enumerated().filter { place, token in drawn.firstIndex(of: token) == place }
                growth.supply(
                    distinct.map {
                        .init(
                            token: TokenID(rawValue: UInt32($0.element)),
                            probability: estimate($0.element, $0.offset))
                    }, for: expansion)
            }
            guard let kept = growth.tree.nodes.first.map({ Int($0.token.rawValue) }) else {
                for token in 0...1 { law[token] += mass * Self.p[token] }
                continue
            }
            let passes = min(1, Self.p[kept] / Self.q[kept])
            law[kept] += mass * passes
            // [p − q]₊ lies on token 1 alone.
            law[1] += mass * (1 - passes)
        }
        return law
    }

    private func bestFirst(pathMin: Double) -> TreePlan { .bestFirst(.init(nodesMax: 1, width: 2, pathMin: pathMin)) }

    private func isLawful(_ law: [Double]) -> Bool { zip(law, Self.p).allSatisfy { abs($0 - $1) < 1e-12 } }

    @Test("Dropping a draw because it is improbable yields (.55, .45)")
    func dropped() {
        let law = law(bestFirst(pathMin: 0.5), draws: 1) { token, _ in Self.q[token] }
        #expect(abs(law[0] - 0.55) < 1e-12 && abs(law[1] - 0.45) < 1e-12)
    }

    @Test("Keeping the more probable of two draws is not lawful")
    func luckier() {
        #expect(!isLawful(law(bestFirst(pathMin: 0), draws: 2) { token, _ in Self.q[token] }))
    }

    @Test("Choosing by place, whatever was drawn, and a fixed shape keep the law")
    func legal() throws {
        let places = SiblingAcceptance().estimates
        for (draws, pathMin) in [(1, 0.0), (1, 0.5), (1, 0.9), (2, 0.0), (2, 0.5)] {
            #expect(isLawful(law(bestFirst(pathMin: pathMin), draws: draws) { _, place in places[place] }))
        }
        #expect(isLawful(law(.fixed(try .chain(1)), draws: 1) { token, _ in Self.q[token] }))
        #expect(isLawful(law(.fixed(try .chain(1)), draws: 2) { token, _ in Self.q[token] }))
    }
}

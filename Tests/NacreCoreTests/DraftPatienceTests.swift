import NacreCore
import Testing

/// When a pass starts: now, or with drafts that are on their way.
@Suite struct DraftPatienceTests {
    /// Flat up to four nodes, steep behind them.
    private var cost: StepCostModel {
        var cost = StepCostModel(nodesMax: 16, priorFixed: 0, perNode: 1)
        for (nodes, time) in [(1, 1_000.0), (4, 1_400), (8, 2_600), (16, 5_000)] {
            cost.record(nodes: nodes, microseconds: time)
        }
        return cost
    }

    private func wait(available: Int, alpha: Double, firstIn: Double, each: Double) -> DraftPatience.Wait {
        DraftPatience.wait(
            available: available, alpha: alpha, cost: cost, nodesMax: 17, firstIn: firstIn, each: each)
    }

    @Test("quick drafts are waited for up to the cheapest size")
    func quick() {
        #expect(wait(available: 0, alpha: 0.8, firstIn: 10, each: 5) == .init(drafts: 3, microseconds: 20))
        #expect(wait(available: 2, alpha: 0.8, firstIn: 10, each: 5) == .init(drafts: 1, microseconds: 10))
        #expect(wait(available: 3, alpha: 0.8, firstIn: 10, each: 5).drafts == 0)
    }

    @Test("useless or slow drafts are not waited for")
    func notWorth() {
        #expect(wait(available: 0, alpha: 0.02, firstIn: 10, each: 5).drafts == 0)
        #expect(wait(available: 0, alpha: 0.9, firstIn: 1_000 * DraftPatience.shareMax + 1, each: 5).drafts == 0)
    }

    @Test("the wait maximises expected tokens per second within its bound", arguments: 0..<200)
    func optimum(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        func uniform() -> Double { Double(random.next() >> 11) / 9_007_199_254_740_992 }
        let (available, alpha) = (Int(uniform() * 5), 0.02 + 0.96 * uniform())
        let (firstIn, each) = (uniform() * 700, 1 + uniform() * 200)
        let chosen = wait(available: available, alpha: alpha, firstIn: firstIn, each: each)
        func rate(_ drafts: Int, _ pause: Double) -> Double {
            let tokens = (0...drafts).reduce(0.0) { sum, depth in
                sum + (0..<depth).reduce(1.0) { product, _ in product * alpha }
            }
            return tokens / (cost.microseconds(nodes: 1 + drafts) + pause)
        }
        var best = 0.0
        for drafts in 0...16 {
            let more = drafts - available
            let pause = more <= 0 ? 0 : firstIn + Double(more - 1) * each
            if pause <= 1_000 * DraftPatience.shareMax { best = max(best, rate(drafts, pause)) }
        }
        // What is waited for may be verified as a whole or in part; the best part has the promised rate.
        let reachable = (0...(available + chosen.drafts)).map { rate($0, chosen.microseconds) }.max() ?? 0
        #expect(abs(reachable - best) < 1e-12, "seed \(seed)")
    }
}

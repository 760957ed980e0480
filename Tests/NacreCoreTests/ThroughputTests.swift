import NacreCore
import Testing

@Suite("Closed forms of throughput")
struct ThroughputTests {
    @Test(
        "A round of speculative decoding commits (1 − α^(γ+1)) / (1 − α) tokens",
        arguments: [(0.8, 4, 3.3616), (0.6, 5, 2.38336), (0, 3, 1), (1, 3, 4)])
    func tokensPerRound(alpha: Double, gamma: Int, tokens: Double) {
        #expect(abs(ThroughputModel.tokensPerRound(alpha: alpha, gamma: gamma) - tokens) < 1e-12)
    }

    @Test(
        "A step of PEARL commits what Monte Carlo of its state machine found",
        arguments: [(0.5, 3, 1.2727), (0.8, 5, 2.2832), (0.9, 8, 3.8756)])
    func pearlTokensPerStep(alpha: Double, gamma: Int, tokens: Double) {
        #expect(abs(ThroughputModel.pearlTokensPerStep(alpha: alpha, gamma: gamma) - tokens) < 5e-5)
    }

    @Test(
        "The optimal draft length solves v − ln v = K",
        arguments: [(0.7, 0.1, 1, 4.025), (0.8, 0.2, 1, 3.904), (0.9, 0.05, 1.3, 14.832)])
    func optimalGamma(alpha: Double, perDraft: Double, perRound: Double, gamma: Double) {
        let found = ThroughputModel.optimalGamma(alpha: alpha, perDraft: perDraft, perRound: perRound)
        #expect(abs(found - gamma) < 6e-4)
        // The best whole number lies next to it.
        func rate(_ gamma: Int) -> Double {
            ThroughputModel.tokensPerRound(alpha: alpha, gamma: gamma) / (perRound + perDraft * Double(gamma))
        }
        let best = (0...60).max { rate($0) < rate($1) } ?? 0
        #expect(abs(Double(best) - found) < 1)
    }

    /// α, t_q, A and B of t_p(n) = A + B·n, d (seconds), then tokens/s: SD(4), PEARL(4), STREAM(8),
    /// STREAM(8, h .7, b 4), free, and the pass size of the last.
    struct Golden: Sendable, CustomTestStringConvertible {
        var alpha, draft, fixed, perNode, delay: Double
        var speculative, pearl, stream, branching, free: Double
        var freeNodes: Int?
        var testDescription: String { "α \(alpha), t_q \(draft), t_p \(fixed) + \(perNode)n, d \(delay)" }
    }

    static let goldens = [
        Golden(
            alpha: 0.8, draft: 0.02, fixed: 0.1, perNode: 0, delay: 0, speculative: 18.6756, pearl: 21.2313,
            stream: 22.8320, branching: 29.4439, free: 50, freeNodes: nil),
        Golden(
            alpha: 0.8, draft: 0.02, fixed: 0.09, perNode: 0.01, delay: 0, speculative: 15.2800, pearl: 16.3318,
            stream: 18.8556, branching: 22.3136, free: 24.6964, freeNodes: 7),
        Golden(
            alpha: 0.8, draft: 0.02, fixed: 0.09, perNode: 0.01, delay: 0.005, speculative: 14.6157,
            pearl: 15.1652, stream: 18.4866, branching: 22.1406, free: 24.6964, freeNodes: 7),
        Golden(
            alpha: 0.9, draft: 0.01, fixed: 0.09, perNode: 0.01, delay: 0.002, speculative: 22.2560,
            pearl: 20.6320, stream: 27.1266, branching: 30.1231, free: 34.3095, freeNodes: 11),
        Golden(
            alpha: 0.6, draft: 0.03, fixed: 0.09, perNode: 0.01, delay: 0.001, speculative: 8.8000,
            pearl: 11.2111, stream: 13.0646, branching: 15.2869, free: 16.7385, freeNodes: 4),
    ]

    @Test("The schedules reach the golden tokens per second", arguments: goldens)
    func table(golden: Golden) {
        let model = ThroughputModel(
            alpha: golden.alpha,
            cost: StepCostModel(nodesMax: 256, priorFixed: golden.fixed * 1e6, perNode: golden.perNode * 1e6),
            draftMicroseconds: golden.draft * 1e6, delayMicroseconds: golden.delay * 1e6)
        func near(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) < 6e-5 }
        #expect(near(model.autoregressive, 10))
        #expect(near(model.speculative(gamma: 4), golden.speculative))
        #expect(near(model.pearl(gamma: 4), golden.pearl))
        #expect(near(model.stream(batchCap: 8), golden.stream))
        #expect(near(model.stream(batchCap: 8, branchHit: 0.7, branchTokens: 4), golden.branching))
        #expect(near(model.free.tokensPerSecond, golden.free))
        if let nodes = golden.freeNodes { #expect(model.free.nodes == nodes) }
    }

    /// The mean over one run of drafts: with k = 1 a verification per draft, of which the last of the run counts.
    @Test("DSI is plain decoding where nothing is accepted, and never slower than it or than speculative decoding")
    func dsi() {
        func model(_ alpha: Double) -> ThroughputModel {
            ThroughputModel(
                alpha: alpha, cost: StepCostModel(nodesMax: 64, priorFixed: 100_000, perNode: 0),
                draftMicroseconds: 20_000, delayMicroseconds: 0)
        }
        #expect(abs(model(0).dsi(lookahead: 5) - 10) < 1e-12)
        // 1 / 0.2 tokens in 0.1 + 0.02 (1 / 0.2 − 0.2) s.
        #expect(abs(model(0.8).dsi(lookahead: 1) - 5 / 0.196) < 1e-9)
        for alpha in [0.2, 0.5, 0.8, 0.95] {
            let best = (1...16).map { model(alpha).speculative(gamma: $0) }.max() ?? 0
            #expect(model(alpha).dsi(lookahead: 1) > max(best, model(alpha).autoregressive))
        }
    }

    @Test("Without delay and with a constant pass time, streaming equals PEARL at γ = t_p / t_q")
    func streamEqualsPearl() {
        let model = ThroughputModel(
            alpha: 0.8, cost: StepCostModel(nodesMax: 64, priorFixed: 100_000, perNode: 0),
            draftMicroseconds: 20_000, delayMicroseconds: 0)
        #expect(abs(model.stream(batchCap: 64) - model.pearl(gamma: 5)) < 1e-9)
    }
}

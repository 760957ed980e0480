import RealModule

/// Expected tokens per second of the decoding schedules, each draft being accepted with probability α independently
/// of the others (ALGORITHMS 1.2, 2.2, 10.4). For planning and for checking the simulator.
package struct ThroughputModel: Sendable, Hashable {
    /// α, the acceptance rate, in [0, 1).
    package var alpha: Double
    /// t_p(n), one target pass over n nodes.
    package var cost: StepCostModel
    /// t_q, one draft token.
    package var draftMicroseconds: Double
    /// d, one way between drafter and verifier.
    package var delayMicroseconds: Double

    package init(alpha: Double, cost: StepCostModel, draftMicroseconds: Double, delayMicroseconds: Double) {
        precondition(alpha >= 0 && alpha < 1, "alpha \(alpha)")
        self.alpha = alpha
        self.cost = cost
        self.draftMicroseconds = draftMicroseconds
        self.delayMicroseconds = delayMicroseconds
    }

    /// Plain autoregressive decoding, the denominator of every speed-up.
    package var autoregressive: Double { perSecond(tokens: 1, microseconds: cost.microseconds(nodes: 1)) }

    /// Vanilla speculative decoding: γ drafts, then one pass, then the next round.
    package func speculative(gamma: Int) -> Double {
        let time = Double(gamma) * draftMicroseconds + cost.microseconds(nodes: gamma + 1) + 2 * delayMicroseconds
        return perSecond(tokens: Self.tokensPerRound(alpha: alpha, gamma: gamma), microseconds: time)
    }

    /// PEARL: drafting a window of γ and verifying the one before at the same time, in lock step.
    package func pearl(gamma: Int) -> Double {
        let step = max(Double(gamma) * draftMicroseconds, cost.microseconds(nodes: gamma)) + 2 * delayMicroseconds
        return perSecond(tokens: Self.pearlTokensPerStep(alpha: alpha, gamma: gamma), microseconds: step)
    }

    /// The streaming pipeline: the verifier starts its next pass at once, with whatever drafts have arrived.
    ///
    /// - Parameters:
    ///   - batchCap: n_cap, most nodes of the job in one pass.
    ///   - branchHit: h, the probability that a prepared branch matches a correction.
    ///   - branchTokens: b, the drafts of such a branch, already at the verifier.
    package func stream(batchCap: Int, branchHit: Double = 0, branchTokens: Int = 0) -> Double {
        var time = 0.0
        if branchHit < 1 { time += (1 - branchHit) * runMicroseconds(batchCap: batchCap, credit: 0) }
        if branchHit > 0 { time += branchHit * runMicroseconds(batchCap: batchCap, credit: branchTokens) }
        return perSecond(tokens: 1 / (1 - alpha), microseconds: time)
    }

    /// DSI: after every `lookahead` drafts a verification starts on a target server of its own, without waiting for
    /// those before it. For enough servers, ⌈t_p / (k·t_q)⌉, and none of the way between.
    ///
    /// - Source: Timor et al. 2024 (2405.14105), with the mean taken as in its simulator: (1/(1 − α)) / (t_p(1) +
    ///   k·t_q·(1/(1 − αᵏ) − (1 − α))).
    package func dsi(lookahead k: Int) -> Double {
        let drafting = Double(k) * draftMicroseconds * (1 / (1 - Double.pow(alpha, k)) - (1 - alpha))
        return perSecond(tokens: 1 / (1 - alpha), microseconds: cost.microseconds(nodes: 1) + drafting)
    }

    /// Drafts that cost nothing: the upper bound for one verifier, and the pass size that reaches it.
    package var free: (nodes: Int, tokensPerSecond: Double) {
        let nodes = DraftWindow.batchCap(alpha: alpha, cost: cost)
        let tokens = Self.tokensPerRound(alpha: alpha, gamma: nodes - 1)
        return (nodes, perSecond(tokens: tokens, microseconds: cost.microseconds(nodes: nodes)))
    }

    /// Tokens of one round of vanilla speculative decoding, the target's own included: (1 − α^(γ+1)) / (1 − α).
    ///
    /// - Source: Leviathan et al. 2023, equation (1). At α = 1 the limit is γ + 1.
    package static func tokensPerRound(alpha: Double, gamma: Int) -> Double {
        alpha == 1 ? Double(gamma + 1) : (1 - Double.pow(alpha, gamma + 1)) / (1 - alpha)
    }

    /// Tokens of one step of PEARL. A cycle, from one rejection to the next, commits 1/(1 − α) tokens, the correction
    /// included, and takes 1 + α/(1 − α^γ) steps.
    package static func pearlTokensPerStep(alpha: Double, gamma: Int) -> Double {
        1 / (1 - alpha) / (1 + alpha / (1 - Double.pow(alpha, gamma)))
    }

    /// The draft length, not rounded, that maximises `speculative` when t_p(n) = A + B·n.
    ///
    /// With L = −ln α the optimum is (v − K)/L − 1 for the root v > 1 of v − ln v = K = 1 + L(w/u − 1).
    ///
    /// - Parameters:
    ///   - perDraft: u = t_q + B, what one more draft costs.
    ///   - perRound: w = A + B + 2d, what a round costs without drafts.
    package static func optimalGamma(alpha: Double, perDraft u: Double, perRound w: Double) -> Double {
        let l = -Double.log(alpha)
        let k = 1 + l * (w / u - 1)
        // The fixed point iteration contracts, as d(ln v)/dv = 1/v < 1.
        var v = k + 1
        for _ in 0..<200 { v = k + Double.log(v) }
        return (v - k) / l - 1
    }

    // MARK: - Workings

    /// E[T | credit], the time from one correction to the next at the verifier.
    ///
    /// Pass k starts at s, when m positions of the run are decided; it happens if all m matched, with probability
    /// αᵐ, and holds one known token and the drafts that have arrived.
    private func runMicroseconds(batchCap: Int, credit: Int) -> Double {
        var s = 0.0
        var m = 0
        var expected = 0.0
        var reach = 1.0
        // Beyond this the rest of the sum is below the last digit of a Double.
        while reach > 1e-18 {
            let fresh = max(0, ((s - 2 * delayMicroseconds) / draftMicroseconds).rounded(.down))
            // A draft time of 0 makes the supply infinite, or NaN at the very start: the cap then decides.
            let available = fresh < Double(m + batchCap) ? credit + Int(fresh) : m + batchCap
            let nodes = max(1, min(batchCap, available - m + 1))
            let time = cost.microseconds(nodes: nodes)
            expected += time * reach
            s += time
            m += nodes
            reach *= Double.pow(alpha, nodes)
        }
        return expected
    }

    private func perSecond(tokens: Double, microseconds: Double) -> Double { tokens / microseconds * 1e6 }
}

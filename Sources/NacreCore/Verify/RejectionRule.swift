/// Speculative sampling as first published: a drafted token passes by a random test, a failed one is replaced by a
/// draw from the residual.
///
/// It accepts with probability 1 − TV(p, q), more than the coupled rule, but needs q on the wire, and forbids every
/// scheduling decision that looks at a token's value (ALGORITHMS 0.5). The messages carry token ids only, so jobs run
/// under `CoupledRule`; this rule is the yardstick that the law tests hold both to.
///
/// - Source: Leviathan, Kalman, Matias, "Fast inference from transformers via speculative decoding", ICML 2023,
///   algorithm 1.
package enum RejectionRule {
    /// Whether `token`, drawn from `q`, stands in for a draw from `p`, given an independent uniform `u` in [0, 1).
    ///
    /// Strict, unlike the paper's r > p/q rejection: a token with p = 0 never passes, one with p ≥ q > 0 always does
    /// (ALGORITHMS 0.4).
    package static func accepts(_ token: TokenID, p: Distribution, q: Distribution, u: Double) -> Bool {
        u * q[token] < p[token]
    }

    /// The law of the correction token after a failed test: norm([p − q]₊), or p where the two agree to the last
    /// bit and the residual vanishes. Both distributions are over the same vocabulary.
    package static func residual(p: Distribution, q: Distribution) -> Distribution {
        let weights = zip(p.probabilities, q.probabilities).map { max($0 - $1, 0) }
        return Distribution(weights: weights) ?? p
    }
}

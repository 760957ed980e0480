/// Moves a stop threshold so that the accepted share of a round's drafts stays near a target:
///
///     ρ ← β₁ρ + (1 − β₁)r
///     t′ = t + ε if ρ < target;  t if the round hit its limit;  else t − ε
///     t ← β₂t + (1 − β₂)t′
///
/// with r the share of this round. It moves by at most (1 − β₂)ε a round.
///
/// - Source: Zhang et al. 2023 (Draft & Verify, 2309.08168), section 3.3: β₁ = 0.5, β₂ = 0.9, ε = 0.01, target 0.9.
///   AdaEDL adapts its λ in the same form; that its constants are these was not verified.
struct ThresholdAdaptation: Sendable, Hashable {
    static let parameters = [
        PolicyParameter("target", 0.9, 0...1, "share of drafts that should be accepted"),
        PolicyParameter("epsilon", 0.01, 0...0.5, "step of the threshold"),
        PolicyParameter("beta1", 0.5, 0...1, "memory of the accepted share"),
        PolicyParameter("beta2", 0.9, 0...1, "memory of the threshold"),
    ]

    private(set) var threshold: Double
    private var share: Double
    private let target, epsilon, beta1, beta2: Double

    init(threshold: Double, _ parameters: PolicyParameters) {
        self.threshold = threshold
        target = parameters["target"]
        epsilon = parameters["epsilon"]
        beta1 = parameters["beta1"]
        beta2 = parameters["beta2"]
        // Nothing was seen yet: at the target nothing moves.
        share = target
    }

    mutating func observe(_ outcome: RoundOutcome) {
        guard outcome.drafted > 0 else { return }
        share = beta1 * share + (1 - beta1) * Double(outcome.accepted) / Double(outcome.drafted)
        let next = share < target ? threshold + epsilon : outcome.hitLimit ? threshold : threshold - epsilon
        threshold = min(max(beta2 * threshold + (1 - beta2) * next, 0), 1)
    }
}

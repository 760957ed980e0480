/// Stops before a token whose acceptance is bounded low by the drafter's entropy: 1 − √(g·H(q)) < λ.
///
/// The bound is Pinsker's, 1 − TV(p, q) ≥ 1 − √(KL/2), with the divergence taken as proportional to H. H is that of the
/// token about to be drawn, so no token decides about itself. λ follows the accepted share (`ThresholdAdaptation`).
///
/// - Source: Agrawal et al. 2024 (AdaEDL, 2410.18351): g = 0.2. λ starts at 0.25 and not at 0.4, since it moves by a
///   thousandth a round: on the tuning half of the prompts 0.4 stops where drafts still pay (docs/policies.md).
package struct AdaEDL: DraftPolicy {
    package static let manual = PolicyManual(
        .adaedl, "stop where the drafter's entropy bounds acceptance too low",
        [
            PolicyParameter("lambda", 0.25, 0...1, "least bound on acceptance, at first"),
            PolicyParameter("g", 0.2, 0.001...10, "divergence per nat of entropy, in the bound"),
        ] + ThresholdAdaptation.parameters, decidesPerToken: true, draftsMax: 20)

    private let g: Double
    private var adaptation: ThresholdAdaptation

    package init(_ parameters: PolicyParameters, key: StreamKey) {
        g = parameters["g"]
        adaptation = ThresholdAdaptation(threshold: parameters["lambda"], parameters)
    }

    /// λ as it stands.
    package var lambda: Double { adaptation.threshold }

    package func mayDraw(_ next: TokenStatistics, at place: DraftPlace) -> Bool {
        !(1 - (g * next.entropy).squareRoot() < lambda)
    }

    package mutating func observe(_ outcome: RoundOutcome) { adaptation.observe(outcome) }
}

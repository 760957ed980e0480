/// Stops at a token that the drafter itself finds improbable: q(x) < θ.
///
/// Two published meanings. `keep=1`: x is kept and is the last (Hugging Face, θ = 0.4; Draft & Verify, there with θ
/// moved by `ThresholdAdaptation`: `adapt=1`; here θ starts from 0.3, chosen on the tuning prompts, docs/policies.md).
/// `keep=0`: x is dropped (llama.cpp's p_min). Dropping looks at the very token it decides on: right for drafts that
/// are functions of the text or coupled, wrong for drawn ones.
///
/// - Source: Hugging Face's assistant_confidence_threshold; llama.cpp's draft-p-min; Zhang et al. 2023 (2309.08168).
package struct ConfidenceThreshold: DraftPolicy {
    package static let manual = PolicyManual(
        .threshold, "stop at a draft of low probability",
        [
            PolicyParameter("theta", 0.3, 0...1, "probability below which drafting stops", llama: "draft-p-min"),
            PolicyParameter("keep", 1, 0...1, isWhole: true, "1: that draft is kept; 0: it is dropped"),
            PolicyParameter("adapt", 0, 0...1, isWhole: true, "1: theta follows the accepted share"),
        ] + ThresholdAdaptation.parameters, decidesPerToken: true, draftsMax: 20)

    private let keeps: Bool
    private let adapts: Bool
    private var adaptation: ThresholdAdaptation

    package init(_ parameters: PolicyParameters, key: StreamKey) {
        keeps = parameters.whole("keep") == 1
        adapts = parameters.whole("adapt") == 1
        adaptation = ThresholdAdaptation(threshold: parameters["theta"], parameters)
    }

    package var isNonAnticipating: Bool { keeps }

    package func drew(_ next: TokenStatistics, probability: Double, at place: DraftPlace) -> DraftStep {
        guard probability < adaptation.threshold else { return .goOn }
        return keeps ? .keepThenStop : .dropThenStop
    }

    package mutating func observe(_ outcome: RoundOutcome) {
        if adapts { adaptation.observe(outcome) }
    }
}

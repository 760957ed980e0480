/// Stops behind a token that was drawn under high entropy: keeps x, then stops if √(c·H(q)) > h.
///
/// - Source: Zhang et al. 2024 (SVIP, 2411.18462) and its code: c = 0.15, at most 40 drafts, here no more than a round
///   has. Its h = 0.3, H > 0.6 nats, is of large drafters, which are surer; here it is 0.6, H > 2.4 nats, chosen on the
///   tuning half of the prompts (docs/policies.md).
package struct SVIP: DraftPolicy {
    package static let manual = PolicyManual(
        .svip, "stop behind a draft that was drawn under high entropy",
        [
            PolicyParameter("h", 0.6, 0...10, "threshold"),
            PolicyParameter("c", 0.15, 0.001...10, "factor of the entropy"),
        ], decidesPerToken: true)

    private let h, c: Double

    package init(_ parameters: PolicyParameters, key: StreamKey) {
        h = parameters["h"]
        c = parameters["c"]
    }

    package func drew(_ next: TokenStatistics, probability: Double, at place: DraftPlace) -> DraftStep {
        (c * next.entropy).squareRoot() > h ? .keepThenStop : .goOn
    }
}

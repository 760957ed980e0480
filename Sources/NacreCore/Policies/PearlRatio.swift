/// γ = t_p / t_q, measured: a window takes as long to draft as to verify, and neither side waits.
///
/// t_p depends on γ, so this is the smallest γ with γ·t_q ≥ t_p(γ). Before t_q is known: `start`.
///
/// - Source: Liu et al. 2024 (PEARL, 2408.11850), section 4.3, there with t_p taken as constant.
package struct PearlRatio: DraftPolicy {
    package static let manual = PolicyManual(
        .ratio, "as many drafts as the drafter makes during a pass",
        [
            PolicyParameter(
                "start", 4, 1...Double(PolicyManual.draftsMax), isWhole: true, "drafts until both have been measured")
        ])

    private let start: Int

    package init(_ parameters: PolicyParameters, key: StreamKey) { start = parameters.whole("start") }

    package func draftLength(_ conditions: RoundConditions) -> Int {
        guard conditions.draftMicroseconds > 0 else { return start }
        let most = max(1, conditions.most)
        return (1...most).first { gamma in
            let pass = conditions.cost.microseconds(nodes: conditions.others + gamma)
            return Double(gamma) * conditions.draftMicroseconds >= pass
        } ?? most
    }
}

/// The draft length with the most expected tokens per second: the optimum of the cost model, from what was measured.
///
/// It weighs t_p(n) as a table, t_q, the round trip, acceptance by position and the nodes of other jobs, and drafts
/// nothing where plain decoding is faster. The default. What is not drafted is not judged, so while it drafts nothing
/// it drafts one token now and then, in pauses that grow from 8 rounds to 64.
///
/// - Source: ALGORITHMS 10.5; Liu et al. 2024 (TurboSpec, 2406.14066) closes the loop on goodput in the same way.
package struct Goodput: DraftPolicy {
    package static let manual = PolicyManual(.goodput, "the most tokens per second by what was measured", [])

    private static let pauses = 8...64

    private var pause = pauses.lowerBound
    private var plainRounds = 0

    package init(_ parameters: PolicyParameters, key: StreamKey) {}

    package mutating func draftLength(_ conditions: RoundConditions) -> Int {
        let best = conditions.best.drafts
        plainRounds = best == 0 ? plainRounds + 1 : 0
        if best > 0 { pause = Self.pauses.lowerBound }
        guard plainRounds > pause else { return best }
        plainRounds = 0
        pause = min(2 * pause, Self.pauses.upperBound)
        return 1
    }
}

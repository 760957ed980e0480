/// The draft length with the most expected tokens per second: the optimum of the cost model, from what was measured.
///
/// It weighs t_p(n) as a table, t_q, the round trip, acceptance by position and the nodes of other jobs, and drafts
/// nothing where plain decoding is faster. The default. What is not drafted is not judged: while it drafts nothing it
/// drafts one token now and then, in pauses that grow from 8 rounds to 64; while it drafts, every eighth round is one
/// draft longer where the model expects that to cost little. Else rounds of one draft would never learn that what lies
/// behind a draft that stands is likelier to stand than it was.
///
/// - Source: ALGORITHMS 10.5; Liu et al. 2024 (TurboSpec, 2406.14066) closes the loop on goodput in the same way.
package struct Goodput: DraftPolicy {
    package static let manual = PolicyManual(.goodput, "the most tokens per second by what was measured", [])

    private static let pauses = 8...64

    /// Rounds from one longer one to the next, and the share of the best rate that it must be expected to have: at most
    /// an eighth of a tenth is lost.
    private static let (lookEvery, lookShare) = (8, 0.9)

    private var pause = pauses.lowerBound
    private var plainRounds = 0
    private var draftingRounds = 0

    package init(_ parameters: PolicyParameters, key: StreamKey) {}

    package mutating func draftLength(_ conditions: RoundConditions) -> Int {
        let (best, rate) = conditions.best
        plainRounds = best == 0 ? plainRounds + 1 : 0
        draftingRounds = best == 0 ? 0 : draftingRounds + 1
        if best > 0 { pause = Self.pauses.lowerBound }
        if draftingRounds > 0, draftingRounds.isMultiple(of: Self.lookEvery), best < conditions.most,
            conditions.tokensPerMicrosecond(drafts: best + 1) >= Self.lookShare * rate
        {
            return best + 1
        }
        guard plainRounds > pause else { return best }
        plainRounds = 0
        pause = min(2 * pause, Self.pauses.upperBound)
        return 1
    }
}

/// The draft length with the most expected tokens per second: the optimum of the cost model, from what was measured.
///
/// It weighs t_p(n) as a table, t_q, the round trip, acceptance by position and the nodes of other jobs, and drafts
/// nothing where plain decoding is faster. The default.
///
/// - Source: ALGORITHMS 10.5; Liu et al. 2024 (TurboSpec, 2406.14066) closes the loop on goodput in the same way.
package struct Goodput: DraftPolicy {
    package static let manual = PolicyManual(.goodput, "the most tokens per second by what was measured", [])

    package init(_ parameters: PolicyParameters, key: StreamKey) {}

    package func draftLength(_ conditions: RoundConditions) -> Int { conditions.best.drafts }
}

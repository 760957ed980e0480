/// The free-running pipeline (ALGORITHMS 10.2, 10.3): the drafter never stops at a round, the verifier not for it.
/// A pass takes what is here, at least the last committed token, and as many drafts as are worth their cost; late
/// drafts are still compared with what was committed without them.
package struct StreamSchedule: Sendable, Equatable {
    /// Most drafts of one job in one pass.
    package let nodesMax: Int

    package init(nodesMax: Int) { self.nodesMax = nodesMax }

    package func turn(_ view: DraftView) -> Turn {
        .upTo(view.remaining > 1 ? nodesMax : 0)
    }
}

/// Whether a pass should start now, or a moment later with drafts that are already on their way.
///
/// "The verifier never waits" is the right rule when drafts take long to come. Right after a rejection it is not: a
/// pass that starts at once holds one token, and costs nearly as much as one that holds three. So the start of a
/// pass is itself chosen for tokens per second, like its size (ALGORITHMS 10.5, with the wait in the denominator).
package enum DraftPatience {
    /// The longest wait, as a share of a pass of one node: even if every expectation is wrong, little is lost.
    package static let shareMax = 0.5

    /// What to wait for.
    package struct Wait: Sendable, Hashable {
        /// Drafts to wait for; 0 starts at once.
        package var drafts: Int
        /// When the last of them is expected, in microseconds from now.
        package var microseconds: Double

        package init(drafts: Int, microseconds: Double) {
            self.drafts = drafts
            self.microseconds = microseconds
        }
    }

    /// The number k of further drafts that maximises (Σ αⁱ for i ≤ u + k) / (t_p(1 + u + k) + w_k), with u drafts
    /// here and w_k the time until the k-th more has come.
    ///
    /// - Parameters:
    ///   - available: u, the drafts that are here; those beyond the best pass size are as good as none.
    ///   - firstIn: time until the next draft is expected, in microseconds.
    ///   - each: time from one draft to the next, in microseconds.
    package static func wait(
        available: Int, alpha: Double, cost: StepCostModel, nodesMax: Int, firstIn: Double, each: Double
    ) -> Wait {
        let limit = shareMax * cost.microseconds(nodes: 1)
        var tokens = 1.0
        var reach = 1.0
        var best = (rate: 0.0, wait: Wait(drafts: 0, microseconds: 0))
        for drafts in 0..<max(1, nodesMax) {
            if drafts > 0 {
                reach *= alpha
                tokens += reach
            }
            let more = drafts - available
            let wait = more <= 0 ? 0 : firstIn + Double(more - 1) * each
            if wait > limit { break }
            let rate = tokens / (cost.microseconds(nodes: 1 + drafts) + wait)
            if rate > best.rate { best = (rate, Wait(drafts: max(0, more), microseconds: wait)) }
        }
        return best.wait
    }
}

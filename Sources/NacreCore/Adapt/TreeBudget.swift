/// How large a draft tree pays, before it is drawn: what a verifier tells its drafters.
///
/// `DraftWindow.batchCap` for trees. A chain is a tree with one child per node, and gives the same number.
package struct TreeBudget: Sendable, Hashable {
    /// Drafts of the best tree, the root not counted.
    package let drafts: Int
    /// Expected tokens of a pass over it, the target's own included.
    package let tokens: Double
    /// λ, expected tokens per microsecond.
    package let rate: Double
    /// The path probability from which a further draft would pay: `rate` times the time of one more node, averaged over
    /// as many more as the first that are not free. 0 where nodes cost nothing.
    package let pathMin: Double

    /// The n that maximises G(n) / t_p(n), where G(n) are the expected tokens of the best tree of n nodes, root
    /// included, whose j-th child is accepted with probability `acceptance[j]`. Ties go to fewer.
    ///
    /// G grows by the next largest product of acceptances along a path; the path products come from a frontier that
    /// holds, for every node taken, its next sibling and its first child.
    ///
    /// - Parameter acceptance: a_j, not rising; `SiblingAcceptance.estimates`.
    /// - Source: Sequoia, Chen et al. 2024, section 4.1: tree size by value / time; for a_j that do not depend on the
    ///   depth, best-first growth attains their dynamic programme (ALGORITHMS 6.3).
    package init(acceptance: [Double], cost: StepCostModel, nodesMax: Int) {
        let limit = max(1, min(nodesMax, cost.nodesMax))
        // Nodes that may be taken next: the product down to the parent, and the number among the siblings.
        var frontier = [(reach: 1.0, child: 0)]
        var tokens = 1.0
        var best = (drafts: 0, tokens: 1.0, rate: 1 / cost.microseconds(nodes: 1))
        for nodes in 2..<max(2, limit + 1) {
            func product(_ index: Int) -> Double { frontier[index].reach * acceptance[frontier[index].child] }
            guard !acceptance.isEmpty, let next = frontier.indices.max(by: { product($0) < product($1) }) else { break }
            let (reach, child) = frontier.remove(at: next)
            let path = reach * acceptance[child]
            guard path > 0 else { break }
            if child + 1 < acceptance.count { frontier.append((reach, child + 1)) }
            frontier.append((path, 0))
            tokens += path
            let rate = tokens / cost.microseconds(nodes: nodes)
            if rate > best.rate { best = (nodes - 1, tokens, rate) }
        }
        (drafts, self.tokens, rate) = best
        pathMin = best.rate * cost.marginal(beyond: best.drafts + 1)
    }
}

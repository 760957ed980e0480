/// How many nodes one pass should hold and how many drafts should be in flight (ALGORITHMS 10.5).
package enum DraftWindow {
    /// The bounds of a window: one draft keeps the measurement of α̂ alive, more than 256 only fill memory.
    package static let range = 1...256

    /// n_cap*, the nodes of one job per pass that yield the most tokens per second when drafts cost nothing:
    /// the n that maximises (1 − αⁿ) / ((1 − α)·t_p(n)), searched because t_p is no straight line. Ties to fewer.
    package static func batchCap(alpha: Double, cost: StepCostModel) -> Int {
        var best = (nodes: 1, rate: 0.0)
        // Σ αⁱ for i < n: the closed form divides by zero at α = 1.
        var tokens = 0.0
        var reach = 1.0
        for nodes in 1...min(cost.nodesMax, range.upperBound) {
            tokens += reach
            reach *= alpha
            let rate = tokens / cost.microseconds(nodes: nodes)
            if rate > best.rate { best = (nodes, rate) }
        }
        return best.nodes
    }

    /// W* = n_cap + ⌈(t_p(n_cap) + 2d) / t_q⌉, clamped to `range`: while one pass runs and its verdict travels, the
    /// drafter fills the next. Smaller starves the verifier; larger only wastes the drafter's work.
    ///
    /// - Parameters:
    ///   - roundTripMicroseconds: 2d, to the drafter and back.
    ///   - draftMicroseconds: t_q, the drafter's time per token.
    package static func size(
        alpha: Double, cost: StepCostModel, roundTripMicroseconds: Double, draftMicroseconds: Double
    ) -> Int {
        let cap = batchCap(alpha: alpha, cost: cost)
        let ahead = ((cost.microseconds(nodes: cap) + roundTripMicroseconds) / draftMicroseconds).rounded(.up)
        // Also when t_q is 0 or was never measured: the quotient is then infinite or NaN.
        guard ahead < Double(range.upperBound) else { return range.upperBound }
        return min(max(cap + Int(max(ahead, 0)), range.lowerBound), range.upperBound)
    }
}

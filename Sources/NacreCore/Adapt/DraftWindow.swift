import RealModule

/// How many nodes one pass should hold and how many drafts should be in flight (ALGORITHMS 10.5).
package struct DraftWindow: Sendable {
    /// The bounds of a window: one draft keeps the measurement of α̂ alive, more than 256 only fill memory.
    package static let range = 1...256

    /// n_cap*, the nodes of one job per pass that yield the most tokens per second when drafts cost nothing: the n that
    /// maximises (m + (1 − αⁿ) / (1 − α)) / t_p(m + n), searched because t_p is no straight line. Ties to fewer.
    ///
    /// - Parameter others: m, nodes of other jobs in the pass, a token for each.
    package static func batchCap(alpha: Double, cost: StepCostModel, others: Int = 0) -> Int {
        var best = (nodes: 1, rate: 0.0)
        // Σ αⁱ for i < n: the closed form divides by zero at α = 1.
        var tokens = Double(others)
        var reach = 1.0
        for nodes in 1...max(1, min(cost.nodesMax - others, range.upperBound)) {
            tokens += reach
            reach *= alpha
            let rate = tokens / cost.microseconds(nodes: others + nodes)
            if rate > best.rate { best = (nodes, rate) }
        }
        return best.nodes
    }

    /// Rounds from one probe to the next while drafts do not pay.
    package static let restRounds = 8

    /// Drafts of one probe: enough to learn from where they are good, few where they are not.
    package static let probe = 4

    private let alpha: Double
    /// t_p(n_cap), in microseconds.
    private let passMicroseconds: Double
    private let cap: Int

    /// - Parameter others: nodes of other jobs that share the pass.
    package init(alpha: Double, cost: StepCostModel, others: Int = 0) {
        let cap = DraftWindow.batchCap(alpha: alpha, cost: cost, others: others)
        self.init(cap: cap, alpha: alpha, cost: cost, others: others)
    }

    /// The window for passes of at most `cap` nodes of the job, whoever chose that.
    package init(cap: Int, alpha: Double, cost: StepCostModel, others: Int = 0) {
        self.alpha = alpha
        self.cap = cap
        passMicroseconds = cost.microseconds(nodes: others + cap)
    }

    /// Whether a pass with drafts yields more tokens per second than one without.
    package var pays: Bool { cap > 1 }

    /// W* = n_cap + ⌈(t_p(n_cap) + 2d) / t_q⌉, the second part at most `reach` and what passes can take, clamped to
    /// `range`: while one pass runs and its verdict travels, the drafter fills the next. Smaller starves the verifier;
    /// larger only wastes the drafter's work. Where drafts do not pay: `probe`.
    ///
    /// What passes can take goes beyond ALGORITHMS 10.5, which lets a fast drafter draft for as long as a pass takes:
    /// n_cap positions for the next pass and for each that begins before the verdict of this one is heard of, and a
    /// few more for a pass that finds its drafts likelier than most. What is beyond can be drafted when it is needed,
    /// and a drafter that computes for nothing takes memory bandwidth from a verifier on the same machine.
    ///
    /// - Parameters:
    ///   - roundTripMicroseconds: 2d, to the drafter and back.
    ///   - draftMicroseconds: t_q, the drafter's time per token.
    package func size(roundTripMicroseconds: Double, draftMicroseconds: Double) -> Int {
        guard pays else { return DraftWindow.probe }
        let reach = DraftWindow.reach(alpha: alpha)
        let ahead = ((passMicroseconds + roundTripMicroseconds) / draftMicroseconds).rounded(.up)
        // When t_q is 0 or was never measured the quotient is infinite or NaN.
        let useful = min(ahead < Double(reach) ? Int(max(ahead, 0)) : reach, taken(roundTripMicroseconds))
        return min(max(cap + useful, DraftWindow.range.lowerBound), DraftWindow.range.upperBound)
    }

    /// Positions behind those of the pass in flight that passes can take before more can have come.
    private func taken(_ roundTripMicroseconds: Double) -> Int {
        let passes = (roundTripMicroseconds / passMicroseconds).rounded(.up)
        guard passes < Double(DraftWindow.range.upperBound) else { return DraftWindow.range.upperBound }
        return cap * (1 + Int(max(passes, 0))) + DraftWindow.spare
    }

    /// Drafts that a pass may take beyond what the mean acceptance makes worth a place.
    private static let spare = 2

    /// The depth that a chain survives to with a probability of 1 %, ln 0.01 / ln α: what is drafted beyond it is
    /// thrown away unseen, and a useless drafter's messages would cost the verifier more than its drafts.
    static func reach(alpha: Double) -> Int {
        guard alpha > 0 else { return 0 }
        guard alpha < 1 else { return range.upperBound }
        return Int(min((Double.log(0.01) / Double.log(alpha)).rounded(.up), Double(range.upperBound)))
    }
}

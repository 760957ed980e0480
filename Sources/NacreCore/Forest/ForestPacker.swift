/// Chooses how much of each job's draft chain one pass verifies.
///
/// A draft at depth i (1-based) is worth α̂ⁱ tokens: it counts only if all before it were accepted. The packer adds
/// drafts of all jobs in order of falling worth and stops where (jobs + Σ worth) / t_p(nodes), the expected tokens
/// per second, is largest. For every total the best choice is a prefix of this order, so the result is the optimum,
/// for any cost table (ALGORITHMS 10.5).
///
///     ForestPacker.pack([.init(mandatory: 1, available: 7, alpha: 0.8)], cost: cost, nodesMax: 64)   // [4], say
package enum ForestPacker {
    /// What one job brings to a pass.
    package struct Candidate: Sendable, Hashable {
        /// Nodes that are evaluated in any case: the last committed token and whatever is not cached before it.
        package var mandatory: Int
        /// Drafts at hand, in one chain.
        package var available: Int
        /// α̂ of the job, in 0 ... 1.
        package var alpha: Double

        package init(mandatory: Int, available: Int, alpha: Double) {
            self.mandatory = mandatory
            self.available = available
            self.alpha = alpha
        }
    }

    /// The number of drafts to include for each job, in the order of `jobs`. Ties go to fewer nodes, shallower
    /// drafts and earlier jobs.
    ///
    /// The sum of all nodes stays within `nodesMax` as long as the mandatory ones do; if these alone exceed it no
    /// draft is included, and it is for the caller to defer jobs. Takes O(jobs · nodesMax): a heap gains nothing at
    /// the sizes of one pass.
    package static func pack(_ jobs: [Candidate], cost: StepCostModel, nodesMax: Int) -> [Int] {
        var nodes = jobs.reduce(0) { $0 + $1.mandatory }
        var included = Array(repeating: 0, count: jobs.count)
        guard nodes > 0 else { return included }
        var tokens = Double(jobs.count)
        var best = (included: included, rate: tokens / cost.microseconds(nodes: nodes))
        // The worth of each job's next draft.
        var worth = jobs.map(\.alpha)
        while nodes < nodesMax {
            var next: Int?
            for job in jobs.indices where included[job] < jobs[job].available {
                guard let leader = next else {
                    next = job
                    continue
                }
                if (worth[job], -included[job]) > (worth[leader], -included[leader]) { next = job }
            }
            guard let job = next else { break }
            tokens += worth[job]
            included[job] += 1
            worth[job] *= jobs[job].alpha
            nodes += 1
            let rate = tokens / cost.microseconds(nodes: nodes)
            if rate > best.rate { best = (included, rate) }
        }
        return best.included
    }
}

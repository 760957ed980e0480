import RealModule

/// Into how many shards a verifier's threads are divided, each with passes of its own: from what passes were measured
/// to take.
///
/// One wide pass reads the weights once for all jobs; several narrow ones at the same time wait less for each other. A
/// shard's pass of k jobs that decode plainly gives k tokens in t_n(k), where t_n was measured with all n shards
/// computing at once (they share the memory's bandwidth), so j jobs on n shards, q or q + 1 on each, get Σ k / t_n(k).
/// A lone job leaves all shards but one idle, so it always prefers the widest pass.
///
/// A machine that had other work to do during the measurement makes any division look better than it is. So a table
/// that shows it (`disturbance`), or that cannot be compared with such a one, decides for one shard: the only choice
/// that is never much worse than another.
///
/// How many jobs there will be is not known at start. Loads of 1, 2, 4, ... jobs up to all slots count alike, and what
/// counts of each is the ratio to one wide pass: the geometric mean of the ratios decides.
package enum ShardRule {
    /// One way to divide the threads.
    package struct Division: Sendable {
        package var shards: Int
        /// The time of a pass while all shards compute.
        package let cost: StepCostModel
        /// Why the measurement is not that of a machine that did nothing else; `nil` if it may be.
        package let disturbance: String?

        /// - Parameter costs: what was measured while all shards computed.
        package init(shards: Int, costs: [PassCost]) {
            self.shards = shards
            cost = StepCostModel(costs)
            disturbance = costs.disturbance
        }

        /// Tokens per second of so many jobs together, spread evenly.
        package func tokensPerSecond(jobs: Int) -> Double {
            let (each, left) = jobs.quotientAndRemainder(dividingBy: shards)
            func rate(_ jobs: Int) -> Double { jobs == 0 ? 0 : 1e6 * Double(jobs) / cost.microseconds(nodes: jobs) }
            return Double(left) * rate(each + 1) + Double(shards - left) * rate(each)
        }
    }

    /// By how much a division must be faster than fewer shards, on the mean: less may be the noise of a measurement.
    private static let gainMin = 1.03

    /// How many shards to make of those measured.
    ///
    /// - Parameters:
    ///   - divisions: that of one shard among them.
    ///   - slots: jobs at once, over all shards; a shard without a slot would be of no use.
    package static func shards(of divisions: [Division], slots: Int) -> Int {
        guard let wide = divisions.first(where: { $0.shards == 1 }), disturbance(of: divisions) == nil else { return 1 }
        var best = (shards: 1, gain: 1.0)
        for division in divisions where division.shards > 1 && division.shards <= slots {
            let gain = gain(of: division, over: wide, slots: slots)
            if gain > best.gain * gainMin { best = (division.shards, gain) }
        }
        return best.shards
    }

    /// Why the table does not decide, for people; `nil` if it does.
    package static func disturbance(of divisions: [Division]) -> String? {
        for division in divisions {
            guard let reason = division.disturbance else { continue }
            return "\(reason), with \(division.shards) shard\(division.shards == 1 ? "" : "s")"
        }
        return nil
    }

    /// The geometric mean, over loads of 1, 2, 4, ... `slots` jobs, of the ratio of tokens per second.
    package static func gain(of division: Division, over wide: Division, slots: Int) -> Double {
        var loads = Array(sequence(first: 1) { 2 * $0 }.prefix { $0 < slots })
        loads.append(slots)
        let product = loads.reduce(1.0) {
            $0 * division.tokensPerSecond(jobs: $1) / wide.tokensPerSecond(jobs: $1)
        }
        return Double.root(product, loads.count)
    }
}

/// t_p(n), the time of one engine pass over n nodes, as a measured table.
///
/// Never a straight line: kernels switch at certain widths, so the first extra node may cost 40 % and the next five
/// nothing. Some sizes are even slower than larger ones (on a CPU with interleaved 4-bit weights, two nodes can take
/// 1.8 and four 1.3 times as long as one), so a pass is filled up to the cheapest size that holds it, see `padded`.
/// Sizes not yet measured lie on the segment between their measured neighbours; outside them, see `rebuild`.
package struct StepCostModel: Sendable, Hashable {
    /// The share of a new measurement in the running mean.
    private static let share = 0.125
    /// A measurement counts as at most this many times the estimate: a descheduled thread is not a slow kernel.
    private static let outlier = 4.0
    /// A pass that undercuts the estimate by so much was not lucky, the estimate was disturbed: it counts for half.
    private static let undercut = 0.8
    /// By how much a larger pass must be cheaper before a smaller one is filled up to it: less is noise, and a size
    /// that is no longer run is no longer measured.
    private static let saving = 1.1

    /// Microseconds at n nodes, at index n − 1, interpolated.
    private var table: [Double]
    /// The size to fill a pass of n nodes up to, at index n − 1.
    private var sizes: [Int]
    /// The least of `table` from n nodes up, at index n − 1.
    private var least: [Double]
    /// The running mean at n nodes, at index n − 1; 0 where nothing was measured.
    private var measured: [Double]
    /// What the table held before the first measurement.
    private let prior: [Double]
    private var anyMeasured = false

    /// A model that expects `microseconds(n) = fixed + perNode · n` until it has measured.
    package init(nodesMax: Int, priorFixed fixed: Double, perNode: Double) {
        precondition(nodesMax >= 1 && fixed >= 0 && perNode >= 0 && fixed + perNode > 0, "\(nodesMax) nodes at most")
        prior = (1...nodesMax).map { fixed + perNode * Double($0) }
        measured = Array(repeating: 0, count: nodesMax)
        table = prior
        sizes = Array(1...nodesMax)
        least = prior
    }

    /// The largest size in the table.
    package var nodesMax: Int { table.count }

    /// The sizes that were measured, and their times in microseconds.
    package var passes: [(nodes: Int, microseconds: Double)] {
        measured.indices.filter { measured[$0] > 0 }.map { ($0 + 1, measured[$0]) }
    }

    /// Takes in the duration of a pass over `nodes` nodes. Sizes outside 1 ... `nodesMax` and durations that are
    /// not positive are ignored.
    package mutating func record(nodes: Int, microseconds: Double) {
        guard measured.indices.contains(nodes - 1), microseconds > 0, microseconds.isFinite else { return }
        let mean = measured[nodes - 1]
        // The very first measurement replaces the prior, however wrong that was.
        let clipped = anyMeasured ? min(microseconds, Self.outlier * table[nodes - 1]) : microseconds
        anyMeasured = true
        let share = clipped < Self.undercut * mean ? 0.5 : Self.share
        measured[nodes - 1] = mean == 0 ? clipped : mean + share * (clipped - mean)
        rebuild()
    }

    /// The size from `nodes` up at which a pass is cheapest, that is, with how many nodes it should be run. `nodes`
    /// itself where that saves little, and beyond `nodesMax`.
    package func padded(nodes: Int) -> Int {
        precondition(nodes >= 1, "a pass of \(nodes) nodes")
        return nodes <= sizes.count ? sizes[nodes - 1] : nodes
    }

    /// The expected time of a pass that holds `nodes` nodes and is run with `padded(nodes:)`, in microseconds, or up to
    /// a tenth less where a larger pass seems that much cheaper; never falls as `nodes` grows. Beyond `nodesMax` the slope of the last two sizes goes on.
    package func microseconds(nodes: Int) -> Double {
        precondition(nodes >= 1, "a pass of \(nodes) nodes")
        if nodes <= table.count { return least[nodes - 1] }
        let last = table[table.count - 1]
        let slope = table.count > 1 ? max(0, last - table[table.count - 2]) : last
        return last + slope * Double(nodes - table.count)
    }

    /// B, the time per node of the smallest addition to a pass of `nodes` that costs anything, spread over its nodes,
    /// in microseconds; 0 where nodes cost nothing.
    package func marginal(beyond nodes: Int) -> Double {
        let now = microseconds(nodes: nodes)
        for more in 1...nodesMax {
            let rise = microseconds(nodes: nodes + more) - now
            if rise > 0 { return rise / Double(more) }
        }
        return 0
    }

    private mutating func rebuild() {
        let known = measured.indices.filter { measured[$0] > 0 }
        guard let first = known.first, let last = known.last else { return }
        // Below the measured sizes, and beyond a single one, the prior gives the shape and the measurement the scale.
        for n in table.indices { table[n] = prior[n] * measured[first] / prior[first] }
        for (left, right) in zip(known, known.dropFirst()) {
            for n in left...right {
                let along = Double(n - left) / Double(right - left)
                table[n] = measured[left] + along * (measured[right] - measured[left])
            }
        }
        if last > first {
            // The slope over all measured sizes: that of the last two may be a plateau, which would promise free
            // nodes for ever.
            let slope = max(0, (measured[last] - measured[first]) / Double(last - first))
            for n in last..<table.count { table[n] = measured[last] + slope * Double(n - last) }
        }
        var cheapest = table.count
        for n in table.indices.reversed() {
            if table[n] <= table[cheapest - 1] { cheapest = n + 1 }
            least[n] = table[cheapest - 1]
            sizes[n] = table[n] > Self.saving * least[n] ? cheapest : n + 1
        }
    }
}

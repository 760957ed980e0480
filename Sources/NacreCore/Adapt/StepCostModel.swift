/// t_p(n), the time of one engine pass over n nodes, as a measured table.
///
/// Never a straight line: kernels switch at certain widths, so the first extra node may cost 40 % and the next five
/// nothing. Sizes not yet measured lie on the segment between their measured neighbours; outside them, see
/// `rebuild`.
package struct StepCostModel: Sendable, Hashable {
    /// The share of a new measurement in the running mean.
    private static let share = 0.125
    /// A measurement counts as at most this many times the estimate: a descheduled thread is not a slow kernel.
    private static let outlier = 4.0

    /// Microseconds at n nodes, at index n − 1, as returned: interpolated and non-decreasing.
    private var table: [Double]
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
    }

    /// The largest size in the table.
    package var nodesMax: Int { table.count }

    /// Takes in the duration of a pass over `nodes` nodes. Sizes outside 1 ... `nodesMax` and durations that are
    /// not positive are ignored.
    package mutating func record(nodes: Int, microseconds: Double) {
        guard measured.indices.contains(nodes - 1), microseconds > 0, microseconds.isFinite else { return }
        let mean = measured[nodes - 1]
        // The very first measurement replaces the prior, however wrong that was.
        let clipped = anyMeasured ? min(microseconds, Self.outlier * table[nodes - 1]) : microseconds
        anyMeasured = true
        measured[nodes - 1] = mean == 0 ? clipped : mean + Self.share * (clipped - mean)
        rebuild()
    }

    /// The expected time of a pass over `nodes` nodes, in microseconds; never falls as `nodes` grows. Beyond
    /// `nodesMax` the slope of the last two sizes goes on.
    package func microseconds(nodes: Int) -> Double {
        precondition(nodes >= 1, "a pass of \(nodes) nodes")
        if nodes <= table.count { return table[nodes - 1] }
        let last = table[table.count - 1]
        let slope = table.count > 1 ? last - table[table.count - 2] : last
        return last + slope * Double(nodes - table.count)
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
        for n in 1..<max(1, table.count) { table[n] = max(table[n], table[n - 1]) }
    }
}

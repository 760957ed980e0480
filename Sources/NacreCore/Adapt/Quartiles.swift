/// Median and quartiles of some measurements.
package struct Quartiles: Sendable, Hashable, Codable {
    package let median: Double
    package let low: Double
    package let high: Double
    /// How many measurements there were.
    package let count: Int

    /// Between two measurements the line from one to the other is taken (Hyndman and Fan 1996, definition 7); `nil` if
    /// there are none. Numbers that are not finite are left out.
    package init?(_ values: some Sequence<Double>) {
        let sorted = values.filter(\.isFinite).sorted()
        guard !sorted.isEmpty else { return nil }
        median = Self.quantile(0.5, of: sorted)
        low = Self.quantile(0.25, of: sorted)
        high = Self.quantile(0.75, of: sorted)
        count = sorted.count
    }

    /// The value below which the share `p` of `sorted`, which is not empty, lies.
    package static func quantile(_ p: Double, of sorted: [Double]) -> Double {
        let place = p * Double(sorted.count - 1)
        let below = Int(place)
        guard below + 1 < sorted.count else { return sorted[sorted.count - 1] }
        return sorted[below] + (place - Double(below)) * (sorted[below + 1] - sorted[below])
    }
}

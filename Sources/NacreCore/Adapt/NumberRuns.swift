extension Collection<Int> {
    /// `0-3,7`: runs of neighbours with a dash, rising, as cores and layers are written.
    package var runs: String {
        RangeSet(map { $0..<$0 + 1 }).ranges
            .map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
            .joined(separator: ",")
    }
}

/// Where a node computes, so that nobody lets two nodes compute on the same cores at once.
package struct ComputePlace: Sendable, Equatable {
    /// Which machine, as an opaque number that its nodes agree on; 0 if the node does not say.
    package var host: UInt64
    /// Cores that its threads may be on, ascending.
    package var cores: [Int]
    /// Threads that compute at once.
    package var threads: Int

    package static let unknown = ComputePlace(host: 0, cores: [], threads: 0)

    package init(host: UInt64, cores: [Int], threads: Int) {
        self.host = host
        self.cores = cores
        self.threads = threads
    }

    /// Whether both are known to be on one machine.
    package func isOnHost(of other: ComputePlace) -> Bool { host != 0 && host == other.host }

    /// Whether there are fewer cores than threads once both compute.
    package func sharesCores(with other: ComputePlace) -> Bool {
        // Each fits its own cores, so by Hall's theorem both fit if they fit the union.
        isOnHost(of: other) && threads + other.threads > Set(cores).union(other.cores).count
    }
}

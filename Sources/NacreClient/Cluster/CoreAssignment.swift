package import NacreNode

/// Which process of a local cluster computes on which cores. Processes that share a core run several times slower than
/// apart, so no core is given twice unless there are fewer cores than processes.
package struct CoreAssignment: Sendable, Hashable {
    /// One process's share.
    package struct Share: Sendable, Hashable {
        package let cores: CPUList
        /// Threads that compute: one per core.
        package var threads: Int { cores.cores.count }
    }
    package let verifiers: [Share]
    package let drafters: [Share]
    /// Whether processes had to share cores.
    package let isShared: Bool

    // Beyond this many threads, the waiting for each other inside a pass costs small models more than a thread adds.
    private static let verifierCoresMax = 8

    /// A drafter gets one core, because a small model's pass has too little work to divide; verifiers divide the rest.
    ///
    /// - Parameter coresMax: most cores of one verifier; `nil` for a limit that suits models of up to a few hundred
    ///   million parameters.
    package init(available: CPUList, verifiers: Int, drafters: Int, coresMax: Int? = nil) {
        let cores = available.cores
        isShared = cores.count < verifiers + drafters
        if isShared {
            func share(_ process: Int) -> Share { Self.share([cores[process % cores.count]]) }
            self.verifiers = (0..<verifiers).map { share($0) }
            self.drafters = (0..<drafters).map { share(verifiers + $0) }
            return
        }
        let drafterCores = cores.suffix(drafters)
        let rest = cores.dropLast(drafters)
        let (each, left) = verifiers == 0 ? (0, 0) : rest.count.quotientAndRemainder(dividingBy: verifiers)
        var next = rest.startIndex
        self.verifiers = (0..<verifiers).map { index in
            let count = each + (index < left ? 1 : 0)
            defer { next += count }
            return Self.share(Array(rest[next..<next + count].prefix(coresMax ?? Self.verifierCoresMax)))
        }
        self.drafters = drafterCores.map { Self.share([$0]) }
    }

    private static func share(_ cores: [Int]) -> Share {
        guard let list = CPUList(cores: cores) else { preconditionFailure("a share of no cores") }
        return Share(cores: list)
    }

    /// For people, for instance "verifier on cores 0-2, drafter on core 3".
    package var description: String {
        func name(_ role: String, _ index: Int, of count: Int) -> String { count > 1 ? "\(role) \(index + 1)" : role }
        func place(_ share: Share) -> String { "\(share.threads > 1 ? "cores" : "core") \(share.cores)" }
        let parts =
            verifiers.enumerated().map { "\(name("verifier", $0, of: verifiers.count)) on \(place($1))" }
            + drafters.enumerated().map { "\(name("drafter", $0, of: drafters.count)) on \(place($1))" }
        return parts.joined(separator: ", ") + (isShared ? " (fewer cores than processes: they will be slow)" : "")
    }
}

package import NacreNode

/// Where the drafters of a local cluster compute.
package enum ClusterPlacement: String, Sendable, CaseIterable, Codable {
    /// On cores of their own.
    case apart
    /// On a verifier's cores, with all of them, in turns.
    case together
    /// On a verifier's cores, at the same time as it: they have no model, and next to nothing to compute.
    case beside
    /// Nowhere: there are none.
    case plain

    /// What plain decoding has of the cores, where others are held against it.
    package var baseline: String {
        switch self {
        case .apart: "plain decoding has the verifier's cores alone, and the drafter's are idle meanwhile"
        case .together, .beside, .plain: "plain decoding has all of these cores"
        }
    }
}

/// Which process of a local cluster computes on which cores. Processes that share a core run several times slower than
/// apart, so no core is given twice unless there are fewer cores than processes, or a drafter and its verifier are to
/// take turns on all of them.
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
    package let placement: ClusterPlacement

    // Beyond this many threads, the waiting for each other inside a pass costs small models more than a thread adds.
    private static let verifierCoresMax = 8

    /// Where a drafter computes if nothing could be measured: on cores of its own if the verifier has no use for those,
    /// else in turns on all of them. Drafts in turns rest where they lose, while halves of the cores stay halves.
    package static func unmeasured(available: CPUList, coresMax: Int? = nil) -> ClusterPlacement {
        func cores(_ placement: ClusterPlacement) -> Int {
            let all = Self(
                available: available, verifiers: 1, drafters: 1, coresMax: coresMax, placement: placement)
            return all.verifiers[0].threads
        }
        return cores(.apart) < cores(.together) ? .together : .apart
    }

    /// Apart, a drafter gets one core unless it is to have more, because a small model's pass has too little work to
    /// divide; verifiers divide the rest. Together, verifiers divide all cores, and drafters have those of one each.
    ///
    /// - Parameters:
    ///   - coresMax: most cores of one verifier; `nil` for a limit that suits models of up to a few hundred million
    ///     parameters.
    ///   - drafterCores: of each drafter, apart; fewer if that leaves a verifier none.
    package init(
        available: CPUList, verifiers: Int, drafters: Int, coresMax: Int? = nil,
        placement: ClusterPlacement = .apart, drafterCores: Int = 1
    ) {
        self.placement = placement
        guard placement == .apart else {
            let all = Self(available: available, verifiers: verifiers, drafters: 0, coresMax: coresMax)
            self.verifiers = all.verifiers
            self.drafters = placement == .plain ? [] : (0..<drafters).map { all.verifiers[$0 % verifiers] }
            isShared = all.isShared
            return
        }
        let cores = available.cores
        isShared = cores.count < verifiers + drafters
        if isShared {
            func share(_ process: Int) -> Share { Self.share([cores[process % cores.count]]) }
            self.verifiers = (0..<verifiers).map { share($0) }
            self.drafters = (0..<drafters).map { share(verifiers + $0) }
            return
        }
        let each = drafters == 0 ? 0 : max(1, min(drafterCores, (cores.count - verifiers) / drafters))
        let drafting = cores.suffix(each * drafters)
        let rest = cores.dropLast(each * drafters)
        let (some, left) = verifiers == 0 ? (0, 0) : rest.count.quotientAndRemainder(dividingBy: verifiers)
        var next = rest.startIndex
        self.verifiers = (0..<verifiers).map { index in
            let count = some + (index < left ? 1 : 0)
            defer { next += count }
            return Self.share(Array(rest[next..<next + count].prefix(coresMax ?? Self.verifierCoresMax)))
        }
        self.drafters = (0..<drafters).map { index in
            Self.share(Array(drafting.dropFirst(index * each).prefix(each)))
        }
    }

    private static func share(_ cores: [Int]) -> Share {
        guard let list = CPUList(cores: cores) else { preconditionFailure("a share of no cores") }
        return Share(cores: list)
    }

    /// The placement, the cores, and what plain decoding has of them.
    package var sentence: String {
        let several = verifiers.count > 1 ? ", of which a job has one verifier's and its helpers'" : ""
        return "placement \(placement.rawValue): \(description); \(placement.baseline)\(several)"
    }

    /// For people, for instance "verifier on cores 0-2, drafter on core 3".
    package var description: String {
        func name(_ role: String, _ index: Int, of count: Int) -> String { count > 1 ? "\(role) \(index + 1)" : role }
        func place(_ share: Share) -> String { "\(share.threads > 1 ? "cores" : "core") \(share.cores)" }
        let parts =
            verifiers.enumerated().map { "\(name("verifier", $0, of: verifiers.count)) on \(place($1))" }
            + drafters.enumerated().map { "\(name("drafter", $0, of: drafters.count)) on \(place($1))" }
        let remark =
            isShared ? " (fewer cores than processes: they will be slow)" : placement == .together ? " (in turns)" : ""
        return parts.joined(separator: ", ") + remark
    }
}

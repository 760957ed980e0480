import NacreCore

// What drafters promise a job, by what its nodes have measured: passes, drafts, cores, ways, acceptance.
extension CoordinatorMachine {
    /// Drafts of the pair of models that were judged, from which on its acceptance is known.
    private static let judgedMin: UInt64 = 32

    /// What `drafter` promises `job` on `verifier` while it serves so many others; `nil` where one of the two has not
    /// said what its passes take, or has measured it beside other work.
    mutating func pairing(
        _ drafter: NodeRecord, with verifier: NodeRecord, for job: JobRecord, serving others: Int
    ) -> Pairing? {
        guard let target = verifier.hello.costs, let draft = drafter.hello.costs else { return nil }
        let isNear = drafter.hello.place.isOnHost(of: verifier.hello.place)
        let alternate = configuration.alternates && drafter.hello.place.sharesCores(with: verifier.hello.place)
        let method = job.specification.speculation.method
        let key = PairingTable.Key(
            verifier: verifier.link, drafter: drafter.link, jobs: others + 1,
            isInTurns: alternate || !(method == .pearl || method == .stream),
            alphaPercent: Int((acceptance(of: drafter, with: verifier) * 100).rounded()),
            wayMicroseconds: Int(isNear ? PlacementQuestion.localRoundTrip : way(drafter, verifier)))
        return pairings.find(key) {
            let model = ThroughputModel(
                alpha: Double(key.alphaPercent) / 100, cost: target,
                // One pass draws for all its jobs.
                draftMicroseconds: draft.microseconds(nodes: min(key.jobs, draft.nodesMax)),
                delayMicroseconds: Double(key.wayMicroseconds) / 2)
            return Pairing(model, isInTurns: key.isInTurns, sharesMemory: isNear)
        }
    }

    /// 2d between two hosts, in microseconds: at most by way of this one. To a tenth of a millisecond, below which
    /// answers waver.
    private func way(_ one: NodeRecord, _ other: NodeRecord) -> Double {
        let sum = Double(one.load.roundTripMicroseconds) + Double(other.load.roundTripMicroseconds)
        return (sum / 100).rounded() * 100
    }

    /// How often first drafts of the two models stood in jobs of this coordinator's verifiers; what any pair begins
    /// with before that is known.
    private func acceptance(of drafter: NodeRecord, with verifier: NodeRecord) -> Double {
        var (judged, accepted): (UInt64, UInt64) = (0, 0)
        for node in verifiers(of: verifier.hello.modelDigest) {
            for pair in node.load.pairs where pair.draftModel == drafter.hello.modelDigest && pair.method.keepsText {
                judged += pair.counts.judgedAt.first ?? 0
                accepted += pair.counts.acceptedAt.first ?? 0
            }
        }
        return judged < Self.judgedMin ? AcceptanceEstimator().alpha : Double(accepted) / Double(judged)
    }
}

/// Promises that were worked out: each takes some milliseconds to think through, and many jobs ask the same.
struct PairingTable: Sendable {
    /// All that a promise depends on; what nodes measured at their start does not change while their links live.
    struct Key: Sendable, Hashable {
        let verifier, drafter: LinkID
        /// That the drafter would serve.
        let jobs: Int
        let isInTurns: Bool
        let alphaPercent, wayMicroseconds: Int
    }

    private static let most = 1_024
    private var known: [Key: Pairing] = [:]

    mutating func find(_ key: Key, _ work: () -> Pairing) -> Pairing {
        if let found = known[key] { return found }
        if known.count >= Self.most { known = [:] }
        let pairing = work()
        known[key] = pairing
        return pairing
    }
}

extension Hello {
    /// t(n) of the engine as it runs; `nil` unless it was measured, on a calm machine.
    fileprivate var costs: StepCostModel? {
        let times = passTimes.filter { $0.shards == capacity.shards && $0.nodes > 0 && $0.microseconds > 0 }
        guard disturbance.isEmpty, times.contains(where: { $0.nodes == 1 }) else { return nil }
        return StepCostModel(times.map { PassCost(nodes: $0.nodes, microseconds: Double($0.microseconds)) })
    }
}

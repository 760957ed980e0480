import NacreCore

// What drafters promise a job, by what its nodes have measured: passes, drafts, cores, ways, acceptance.
extension CoordinatorMachine {
    /// Drafts of the pair of models that were judged, from which on its acceptance is known.
    private static let judgedMin = 32.0

    /// Jobs that a drafter serves: those of the verifier that asks, whose drafts are made in one pass, and those of
    /// others, for which it computes in turn.
    struct Serving: Sendable, Hashable {
        var here = 0
        var elsewhere = 0
        var all: Int { here + elsewhere }

        mutating func add(_ other: Serving) {
            here += other.here
            elsewhere += other.elsewhere
        }
    }

    /// What `drafter` promises `job` on `verifier` beside what it serves; `nil` where one of the two has not said what
    /// its passes take, has measured it beside other work, or how far apart they are is not known yet.
    mutating func pairing(
        _ drafter: NodeRecord, with verifier: NodeRecord, for job: JobRecord, beside serving: Serving
    ) -> Pairing? {
        guard let target = verifier.hello.calmTimes, let draft = drafter.hello.calmTimes,
            let way = way(drafter, verifier)
        else { return nil }
        let alternate = configuration.alternates && drafter.hello.place.sharesCores(with: verifier.hello.place)
        let method = job.specification.speculation.method
        let key = PairingTable.Key(
            target: target, draft: draft, serving: serving,
            isInTurns: alternate || !(method == .pearl || method == .stream),
            isNear: drafter.hello.place.isOnHost(of: verifier.hello.place),
            alphaPercent: Int((acceptance(of: drafter, with: verifier) * 100).rounded()), wayMicroseconds: way)
        return pairings.find(key) {
            let draft = StepCostModel(key.draft)
            func drafts(_ jobs: Int) -> Double { draft.microseconds(nodes: min(jobs, draft.nodesMax)) }
            let model = ThroughputModel(
                alpha: Double(key.alphaPercent) / 100, cost: StepCostModel(key.target),
                draftMicroseconds: drafts(serving.here + 1) + (serving.elsewhere > 0 ? drafts(serving.elsewhere) : 0),
                delayMicroseconds: Double(key.wayMicroseconds) / 2)
            return Pairing(model, isInTurns: key.isInTurns, sharesMemory: key.isNear)
        }
    }

    /// 2d, in microseconds: between two hosts at most by way of this one, to a tenth of a millisecond, below which
    /// answers waver; `nil` before both have been answered.
    private func way(_ one: NodeRecord, _ other: NodeRecord) -> Int? {
        let near = Int(PlacementQuestion.localRoundTrip)
        guard !one.hello.place.isOnHost(of: other.hello.place) else { return near }
        let ways = (Int(one.load.roundTripMicroseconds), Int(other.load.roundTripMicroseconds))
        guard ways.0 > 0, ways.1 > 0 else { return nil }
        return max(near, (ways.0 + ways.1 + 50) / 100 * 100)
    }

    /// How often first drafts of the two models stood in jobs of this coordinator's verifiers; what any pair begins
    /// with before that is known. Counts are what nodes say, so nothing is taken for granted of them.
    private func acceptance(of drafter: NodeRecord, with verifier: NodeRecord) -> Double {
        var (judged, accepted) = (0.0, 0.0)
        for node in verifiers(of: verifier.hello.modelDigest) {
            for pair in node.load.pairs where pair.draftModel == drafter.hello.modelDigest && pair.method.keepsText {
                judged += Double(pair.counts.judgedAt.first ?? 0)
                accepted += Double(pair.counts.acceptedAt.first ?? 0)
            }
        }
        guard judged >= Self.judgedMin else { return AcceptanceEstimator().alpha }
        let range = AcceptanceEstimator.range
        return min(max(accepted / judged, range.lowerBound), range.upperBound)
    }
}

/// Promises that were worked out: each takes some milliseconds to think through, and many jobs ask the same, also of
/// nodes that have the same times.
package struct PairingTable: Sendable {
    /// All that a promise depends on.
    struct Key: Sendable, Hashable {
        let target, draft: [PassTime]
        let serving: CoordinatorMachine.Serving
        let isInTurns, isNear: Bool
        let alphaPercent, wayMicroseconds: Int
    }

    private static let most = 4_096
    private var known: [Key: Pairing] = [:]
    /// Promises that are held.
    package var count: Int { known.count }

    mutating func find(_ key: Key, _ work: () -> Pairing) -> Pairing {
        if let found = known[key] { return found }
        if known.count >= Self.most { known = [:] }
        let pairing = work()
        known[key] = pairing
        return pairing
    }
}

extension Hello {
    /// The times of the engine's passes as it runs; `nil` unless they were measured, on a calm machine.
    fileprivate var calmTimes: [PassTime]? {
        let times = passTimes.filter { $0.shards == capacity.shards && $0.nodes > 0 && $0.microseconds > 0 }
        return disturbance.isEmpty && times.contains { $0.nodes == 1 } ? times : nil
    }
}

extension StepCostModel {
    /// t(n) of such times.
    fileprivate init(_ times: [PassTime]) {
        self.init(times.map { PassCost(nodes: $0.nodes, microseconds: Double($0.microseconds)) })
    }
}

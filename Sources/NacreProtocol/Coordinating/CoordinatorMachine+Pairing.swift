import NacreCore

// What drafters promise a job, by what its nodes have measured: passes, drafts, cores, ways, acceptance.
extension CoordinatorMachine {
    /// Drafts of the pair of models that were judged, from which on its acceptance is known.
    private static let judgedMin: UInt64 = 32

    /// What `drafter` promises `job` on `verifier` while it serves so many others; `nil` where one of the two has not
    /// said what its passes take, or has measured it beside other work.
    func pairing(
        _ drafter: NodeRecord, with verifier: NodeRecord, for job: JobRecord, serving others: Int
    ) -> Pairing? {
        guard let target = verifier.hello.costs, let draft = drafter.hello.costs else { return nil }
        let isNear = drafter.hello.place.isOnHost(of: verifier.hello.place)
        let model = ThroughputModel(
            alpha: acceptance(of: drafter, with: verifier), cost: target,
            // One pass draws for all its jobs.
            draftMicroseconds: draft.microseconds(nodes: min(others + 1, draft.nodesMax)),
            delayMicroseconds: (isNear ? PlacementQuestion.localRoundTrip : way(drafter, verifier)) / 2)
        let alternate = configuration.alternates && drafter.hello.place.sharesCores(with: verifier.hello.place)
        let method = job.specification.speculation.method
        return Pairing(
            model, isInTurns: alternate || !(method == .pearl || method == .stream), sharesMemory: isNear)
    }

    /// 2d between two hosts, in microseconds: at most by way of this one.
    private func way(_ one: NodeRecord, _ other: NodeRecord) -> Double {
        Double(one.load.roundTripMicroseconds) + Double(other.load.roundTripMicroseconds)
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

extension Hello {
    /// t(n) of the engine as it runs; `nil` unless it was measured, on a calm machine.
    fileprivate var costs: StepCostModel? {
        let times = passTimes.filter { $0.shards == capacity.shards && $0.nodes > 0 && $0.microseconds > 0 }
        guard disturbance.isEmpty, times.contains(where: { $0.nodes == 1 }) else { return nil }
        return StepCostModel(times.map { PassCost(nodes: $0.nodes, microseconds: Double($0.microseconds)) })
    }
}

/// Scores draft-length policies on a recorded trace, in tokens per second under a cost model, and says how far each is
/// from the best that anybody could have done who knew the trace.
package struct PolicyReplay: Sendable {
    package let positions: [TracePosition]
    package let cost: StepCostModel
    /// t_q.
    package let draftMicroseconds: Double
    /// 2d.
    package let roundTripMicroseconds: Double
    package let method: ClusterScenario.Method
    /// Most drafts of a round.
    package var draftsMax = 16

    /// - Parameter method: one that drafts.
    package init(
        _ positions: [TracePosition], method: ClusterScenario.Method = .speculative, cost: StepCostModel,
        draftMicroseconds: Double, roundTripMicroseconds: Double
    ) {
        self.positions = positions
        self.method = method
        self.cost = cost
        self.draftMicroseconds = draftMicroseconds
        self.roundTripMicroseconds = roundTripMicroseconds
    }

    /// What is known of the trace, with the costs that it has.
    package init(_ trace: DecisionTrace, method: ClusterScenario.Method = .speculative) {
        self.init(
            trace.known, method: method, cost: trace.header.cost, draftMicroseconds: trace.header.draftMicroseconds,
            roundTripMicroseconds: trace.header.roundTripMicroseconds)
    }

    /// What a policy made of one trace, or of several.
    package struct Score: Sendable, Hashable {
        package private(set) var tokens = 0
        package private(set) var microseconds = 0.0
        private var (passes, judged, accepted) = (0, 0, 0)

        package init() {}

        fileprivate init(_ result: ClusterResult) {
            tokens = result.tokens.reduce(0) { $0 + $1.count }
            microseconds = result.microseconds
            (passes, judged, accepted) = (result.passes, result.judged, result.accepted)
        }

        package var tokensPerSecond: Double { microseconds > 0 ? 1e6 * Double(tokens) / microseconds : 0 }
        /// Drafts judged per pass, and what share of them stood.
        package var draftsPerPass: Double { Double(judged) / Double(max(1, passes)) }
        package var acceptanceRate: Double { Double(accepted) / Double(max(1, judged)) }

        package static func += (left: inout Score, right: Score) {
            left.tokens += right.tokens
            left.microseconds += right.microseconds
            left.passes += right.passes
            left.judged += right.judged
            left.accepted += right.accepted
        }
    }

    /// The trace decoded with `policy`, and with a governor if asked for, as the first job of its pair.
    package func score(_ policy: PolicySpecification, isGoverned: Bool = false) -> Score {
        var pair = SimulatedPair()
        return score(policy, isGoverned: isGoverned, in: &pair)
    }

    /// The trace decoded as the next job of a pair.
    package func score(
        _ policy: PolicySpecification, isGoverned: Bool, in pair: inout SimulatedPair
    ) -> Score {
        guard !positions.isEmpty else { return Score() }
        var scenario = ClusterScenario(
            method, policy: policy, cost: cost,
            draftCost: StepCostModel(nodesMax: 1, priorFixed: 0, perNode: max(draftMicroseconds, 1e-3)),
            agreement: .recorded(positions))
        scenario.tokens = positions.count
        scenario.link.delay = roundTripMicroseconds / 2
        scenario.draftsMax = draftsMax
        scenario.isGoverned = isGoverned
        scenario.pair = pair
        let result = ClusterSimulation(scenario).run()
        pair = result.pair
        return Score(result)
    }

    /// Plain decoding of the trace, in tokens per second.
    package var plain: Double { 1e6 / cost.microseconds(nodes: 1) }

    /// Tokens per second of a clairvoyant who picks each round's draft length knowing where drafts agree.
    ///
    /// By dynamic programming from the end: T(i) = min over γ of t(γ) + T(i + min(run(i), γ) + 1), where run(i) counts
    /// the agreeing positions from i on and t(γ) is the time of a round. For `speculative` this is what could be
    /// reached; for methods that overlap, t(γ) is the pass alone and it is a bound, of drafts that are always there.
    package var clairvoyant: Double {
        let count = positions.count
        guard count > 0 else { return 0 }
        var run = Array(repeating: 0, count: count + 1)
        for place in positions.indices.reversed() where positions[place].agrees { run[place] = run[place + 1] + 1 }
        let times = (0...draftsMax).map(time(ofRound:))
        var rest = Array(repeating: 0.0, count: count + 1)
        for place in positions.indices.reversed() {
            rest[place] = (0...min(draftsMax, count - place - 1)).reduce(Double.infinity) { best, gamma in
                min(best, times[gamma] + rest[place + min(run[place], gamma) + 1])
            }
        }
        return 1e6 * Double(count) / rest[0]
    }

    private func time(ofRound gamma: Int) -> Double {
        let pass = cost.microseconds(nodes: gamma + 1)
        guard method == .speculative, gamma > 0 else { return pass }
        return Double(gamma) * draftMicroseconds + pass + roundTripMicroseconds
    }
}

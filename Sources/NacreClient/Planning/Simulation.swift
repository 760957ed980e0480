import NacreCore
package import NacreNode

/// A what-if question to the event simulator (`ClusterSimulation`), in the units that people use.
package struct Simulation: Sendable {
    /// Acceptance per draft, 0 to below 1; of no meaning where a trace says how drafts did.
    package var alpha = 0.8
    /// Where drafts agree, of a trace.
    private var recorded: [TracePosition]?
    /// Passes of the target, in milliseconds by their nodes. One alone is of passes of any size.
    package var target: [(nodes: Int, milliseconds: Double)]
    /// Passes of the drafter, in milliseconds by the jobs that they draw for. Where only that for one job is known, one
    /// for n is taken for n times as long: it can take no longer, as it could be n passes.
    package var draft: [(nodes: Int, milliseconds: Double)]
    /// One way, in milliseconds.
    package var delay = 0.0
    package var jitter = 0.0
    package var jobs = 1
    package var tokens = 2_000
    /// None: all.
    package var methods: [String] = []
    /// Most drafts of a job in one pass.
    package var draftsMax = 16
    package var verifiers = 1
    package var drafters = 1
    package var policy = "goodput"
    package var isGoverned = false
    package var seed: UInt64 = 1

    package init(target: [(nodes: Int, milliseconds: Double)], draft: [(nodes: Int, milliseconds: Double)]) {
        self.target = target
        self.draft = draft
    }

    /// The costs and the agreement of a trace, and its length. A drafter's passes for several jobs are taken to grow as
    /// the target's do: a trace is of one job.
    ///
    /// - Throws: `NacreError` `.badUsage` if nothing was drafted in it.
    package init(_ file: TraceFile) throws(NacreError) {
        let header = file.trace.header
        let target = header.passes.sorted { $0.nodes < $1.nodes }.map { (nodes: $0.nodes, $0.microseconds / 1_000) }
        self.init(target: target, draft: Self.scaled(target, to: header.draftMicroseconds / 1_000))
        let known = try file.known()
        recorded = known
        tokens = known.count
        delay = header.roundTripMicroseconds / 2_000
    }

    /// A drafter's table that grows with the jobs as a target's does with its nodes.
    package static func scaled(
        _ table: [(nodes: Int, milliseconds: Double)], to milliseconds: Double
    ) -> [(nodes: Int, milliseconds: Double)] {
        guard let first = table.first, first.milliseconds > 0 else { return [(1, max(milliseconds, 1e-3))] }
        return table.map { ($0.nodes, max(milliseconds, 1e-3) * $0.milliseconds / first.milliseconds) }
    }

    /// What the simulator says of one method.
    package struct Answer: Sendable, Encodable {
        package var method: String
        package var policy: String
        /// Of all jobs together.
        package var tokensPerSecond: Double
        /// To plain decoding of the same jobs on the same verifiers.
        package var ratio: Double
        package var acceptanceRate: Double?
        package var tokensPerPass: Double
        /// Shares of the time that verifiers and drafters computed.
        package var verifierBusy: Double
        package var drafterBusy: Double
    }

    /// Reads `1:90,4:96,8:130`, or `90` for passes that take the same whatever they hold.
    ///
    /// - Throws: `NacreError` `.badUsage` with an example.
    package static func table(
        _ text: String, _ option: String
    ) throws(NacreError) -> [(nodes: Int, milliseconds: Double)] {
        var table: [(nodes: Int, milliseconds: Double)] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: ":", omittingEmptySubsequences: false)
            let nodes = sides.count == 2 ? Int(sides[0]) : 1
            guard sides.count <= 2, let nodes, (1...4_096).contains(nodes), nodes > table.last?.nodes ?? 0,
                let time = sides.last.flatMap({ Double($0) }), time > 0, time.isFinite
            else {
                throw NacreError(
                    .badUsage, "\(option) \(text) is no table of passes",
                    remedy: "write milliseconds by rising numbers of nodes, as in 1:90,4:96,8:130, or one number")
            }
            table.append((nodes, time))
        }
        guard table.first?.nodes == 1 else {
            throw NacreError(
                .badUsage, "\(option) \(text) does not say what a pass of 1 takes",
                remedy: "plain decoding is made of them: begin with it, as in 1:90,4:96,8:130")
        }
        return table
    }

    /// The answers for the methods, plain decoding first.
    ///
    /// - Throws: `NacreError` `.badUsage` for a question that has no answer.
    package func run() throws(NacreError) -> [Answer] {
        guard [delay, jitter].allSatisfy({ $0 >= 0 && $0.isFinite }) else {
            throw NacreError(.badUsage, "a delay of \(delay) ms and a jitter of \(jitter) ms: give 0 or more")
        }
        let policy = try Planning.policy(self.policy)
        var named: [ClusterScenario.Method] = []
        for name in self.methods { named.append(try Planning.method(name)) }
        let others = named.isEmpty ? ClusterScenario.Method.allCases : named
        var answers: [Answer] = []
        // Plain decoding is what the others are compared with.
        for method in [.autoregressive] + others.filter({ $0 != .autoregressive }) {
            let scenario = scenario(method, policy)
            if let complaint = scenario.complaint { throw NacreError(.badUsage, complaint) }
            let result = ClusterSimulation(scenario).run()
            let plain = answers.first?.tokensPerSecond ?? result.tokensPerSecond
            let decoded = result.tokens.reduce(0) { $0 + $1.count }
            func share(_ time: Double, of nodes: Int) -> Double {
                nodes > 0 && result.microseconds > 0 ? time / result.microseconds / Double(nodes) : 0
            }
            answers.append(
                Answer(
                    method: method.rawValue, policy: method == .autoregressive ? "-" : policy.description,
                    tokensPerSecond: result.tokensPerSecond, ratio: result.tokensPerSecond / plain,
                    acceptanceRate: result.judged > 0 ? Double(result.accepted) / Double(result.judged) : nil,
                    tokensPerPass: Double(decoded) / Double(max(1, result.passes)),
                    verifierBusy: share(result.verifying, of: verifiers),
                    drafterBusy: share(result.drafting, of: drafters)))
        }
        return named.isEmpty || named.contains(.autoregressive) ? answers : Array(answers.dropFirst())
    }

    /// Drafts that cost nothing, for one job on one verifier: nothing can be faster (ALGORITHMS 10.4); `nil` where all
    /// drafts stand, and there is no bound.
    package var bound: (nodes: Int, tokensPerSecond: Double)? {
        let alpha = recorded.map { known in Double(known.count(where: \.agrees)) / Double(known.count) } ?? alpha
        guard alpha < 1 else { return nil }
        return ThroughputModel(
            alpha: alpha, cost: targetCost, draftMicroseconds: 0, delayMicroseconds: 0
        ).free
    }

    private func scenario(_ method: ClusterScenario.Method, _ policy: PolicySpecification) -> ClusterScenario {
        var scenario = ClusterScenario(
            method, policy: policy, cost: targetCost, draftCost: Self.cost(draft, fixed: 0, perNode: 1),
            agreement: recorded.map { .recorded($0) } ?? .bernoulli(alpha))
        scenario.draftsMax = draftsMax
        scenario.isGoverned = isGoverned
        scenario.jobs = jobs
        scenario.tokens = tokens
        scenario.verifiers = verifiers
        scenario.drafters = method == .autoregressive ? 0 : drafters
        scenario.link.delay = 1_000 * delay
        scenario.link.jitter = 1_000 * jitter
        scenario.seed = seed
        return scenario
    }

    /// What is assumed where the tables do not say, in sentences for people.
    package var assumptions: [String] {
        var words: [String] = []
        if target.count == 1 {
            words.append(
                "one number for the target: its passes take that long whatever they hold, so that what shares them is "
                    + "free; give more, as in --target 1:90,4:96,8:130")
        }
        if draft.count == 1, jobs > drafters {
            words.append(
                "one number for drafts: a pass for n jobs takes n times that, the longest it can; give more, as in "
                    + "--draft 1:6,8:14")
        }
        return words
    }

    private var targetCost: StepCostModel {
        target.count > 1 ? Self.cost(target, fixed: 0, perNode: 1) : Self.cost(target, fixed: 1, perNode: 0)
    }

    /// - Parameters:
    ///   - fixed: with `perNode` the shape of what is not known where only passes of one are.
    private static func cost(
        _ table: [(nodes: Int, milliseconds: Double)], fixed: Double, perNode: Double
    ) -> StepCostModel {
        var cost = StepCostModel(
            nodesMax: max(256, table.map(\.nodes).max() ?? 1), priorFixed: fixed, perNode: perNode)
        for pass in table { cost.record(nodes: pass.nodes, microseconds: 1_000 * pass.milliseconds) }
        return cost
    }
}

/// What the event simulator is asked: so many jobs on so many nodes, which cost so much, with links like these.
package struct ClusterScenario: Sendable {
    package enum Method: String, Sendable, Hashable, CaseIterable {
        case autoregressive, speculative, pearl, stream

        /// As policies see it.
        var pacing: RoundConditions.Pacing {
            switch self {
            case .autoregressive, .speculative: .turns
            case .pearl: .lockStep
            case .stream: .stream
            }
        }
    }

    /// The way between a drafter and a verifier, in each direction: first in, first out.
    package struct Link: Sendable, Hashable {
        /// d, in microseconds.
        package var delay: Double
        /// Added to each delay: uniform between 0 and this, in microseconds.
        package var jitter: Double
        /// 0 for a link that sends at once.
        package var bytesPerSecond: Double
        package var messageBytes: Double

        package init(delay: Double = 0, jitter: Double = 0, bytesPerSecond: Double = 0, messageBytes: Double = 64) {
            self.delay = delay
            self.jitter = jitter
            self.bytesPerSecond = bytesPerSecond
            self.messageBytes = messageBytes
        }
    }

    /// Bounds that keep a question answerable.
    package static let nodesMax = 1_000
    package static let jobsMax = 10_000
    package static let tokensMax = 10_000_000

    package var method: Method
    package var policy: PolicySpecification
    /// Whether a governor stops drafts that do not pay, for each job.
    package var isGoverned = false
    /// What jobs of the pair before these have left.
    package var pair = SimulatedPair()
    package var jobs = 1
    /// Tokens to decode of each job.
    package var tokens = 1_000
    package var verifiers = 1
    package var drafters = 1
    /// t_p(n).
    package var cost: StepCostModel
    /// t_q(n): a drafter's pass that draws a token for each of n jobs.
    package var draftCost: StepCostModel
    package var link = Link()
    package var agreement: Agreement
    /// Most drafts of a job in one pass.
    package var draftsMax = 16
    /// W, positions ahead of the committed text that may be drafted in the stream; `nil` as the policy has it.
    package var window: Int?
    /// Whether a drafter that hears of a rejection drops the pass it is in, as 10.4 assumes; else it ends it first.
    /// Passes for several jobs are ended in any case.
    package var abortsDrafts = false
    /// What the text, its drafts and the policies' chance depend on.
    package var seed: UInt64 = 1
    /// What jitter depends on.
    package var delaySeed: UInt64 = 1

    package init(
        _ method: Method, policy: PolicySpecification = .goodput, cost: StepCostModel, draftCost: StepCostModel,
        agreement: Agreement
    ) {
        self.method = method
        self.policy = policy
        self.cost = cost
        self.draftCost = draftCost
        self.agreement = agreement
    }

    /// What is wrong with the question, in words; `nil` if it can be answered.
    package var complaint: String? {
        if let complaint = agreement.complaint { return complaint }
        if !(1...Self.jobsMax).contains(jobs) { return "\(jobs) jobs: give 1 to \(Self.jobsMax)" }
        if !(1...Self.nodesMax).contains(verifiers) { return "\(verifiers) verifiers: give 1 to \(Self.nodesMax)" }
        if !(0...Self.nodesMax).contains(drafters) { return "\(drafters) drafters: give 0 to \(Self.nodesMax)" }
        if tokens < 1 || jobs * min(tokens, Self.tokensMax) >= Self.tokensMax {
            return "\(jobs) jobs of \(tokens) tokens: give 1 token or more, below \(Self.tokensMax) in all"
        }
        let times = [link.delay, link.jitter, link.bytesPerSecond, link.messageBytes]
        guard times.allSatisfy({ $0 >= 0 && $0.isFinite }) else { return "a link's figures must be 0 or more: \(link)" }
        if !(0...PolicyManual.draftsMax).contains(draftsMax) {
            return "\(draftsMax) drafts in a pass: give 0 to \(PolicyManual.draftsMax)"
        }
        return nil
    }
}

/// What came of it.
package struct ClusterResult: Sendable {
    /// When the last job had its last token, in microseconds.
    package var microseconds = 0.0
    /// Of each job.
    package var tokens: [[UInt32]] = []
    package var passes = 0
    /// Nodes of all passes.
    package var nodes = 0
    /// Drafts drawn, judged in their turn, and accepted.
    package var drafted = 0
    package var judged = 0
    package var accepted = 0
    /// Of all verifiers and of all drafters, in microseconds.
    package var verifying = 0.0
    package var drafting = 0.0
    /// What jobs of the pair behind these would begin with.
    package var pair = SimulatedPair()

    /// Of all jobs together.
    package var tokensPerSecond: Double {
        microseconds > 0 ? 1e6 * Double(tokens.reduce(0) { $0 + $1.count }) / microseconds : 0
    }
}

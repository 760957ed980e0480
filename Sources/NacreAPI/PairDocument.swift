/// What a verifier does with the drafts of one draft model under one method and policy.
package struct PairDocument: Codable, Sendable, Equatable {
    package var verifier: String
    package var targetModel: String
    /// Absent where there is no drafter.
    package var draftModel: String?
    package var method: String
    package var policy: String
    package var tree: String
    /// drafting, shortened, resting, probing, checking, no drafter, plain (the method drafts nothing) or fixed (the
    /// length is the job's own).
    package var state: String
    /// Why, for people.
    package var reason: String
    /// Tokens per time with drafts over those without, as measured; absent where that is not known.
    package var ratio: Double?
    /// How long it has drafted or rested, with probes of the other.
    package var sinceSeconds: Double
    /// Jobs that decode so now.
    package var jobs: Int
    /// Of all of them, over the last heartbeat.
    package var tokensPerSecond: Double
    /// Sums since the verifier started; rates are the differences of two documents.
    package var tokens: Int
    package var rounds: Int
    /// Drafts that had a place in a pass.
    package var verified: Int
    /// Drafts that arrived.
    package var drafted: Int
    /// Time that drafters computed, and the part of it while a pass ran.
    package var draftMicroseconds: Int
    package var overlapMicroseconds: Int
    /// Drafts judged, and those accepted, by their place behind the last verdict's end.
    package var judgedAt: [Int]
    package var acceptedAt: [Int]

    package init(
        verifier: String, targetModel: String, draftModel: String?, method: String, policy: String, tree: String,
        state: String, reason: String, ratio: Double?, sinceSeconds: Double, jobs: Int, tokensPerSecond: Double,
        tokens: Int, rounds: Int, verified: Int, drafted: Int, draftMicroseconds: Int, overlapMicroseconds: Int,
        judgedAt: [Int], acceptedAt: [Int]
    ) {
        self.verifier = verifier
        self.targetModel = targetModel
        self.draftModel = draftModel
        self.method = method
        self.policy = policy
        self.tree = tree
        self.state = state
        self.reason = reason
        self.ratio = ratio
        self.sinceSeconds = sinceSeconds
        self.jobs = jobs
        self.tokensPerSecond = tokensPerSecond
        self.tokens = tokens
        self.rounds = rounds
        self.verified = verified
        self.drafted = drafted
        self.draftMicroseconds = draftMicroseconds
        self.overlapMicroseconds = overlapMicroseconds
        self.judgedAt = judgedAt
        self.acceptedAt = acceptedAt
    }
}

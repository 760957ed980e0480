// What a verifier says of its jobs' drafts with each heartbeat.

/// What is done about the drafts of a pair of models.
package enum DraftingState: UInt32, Sendable, CaseIterable {
    case drafting = 1
    /// Drafting, less than the policy would.
    case shortened = 2
    case resting = 3
    /// Drafting for a few rounds, to see whether it pays again.
    case probing = 4
    /// Plain for a few rounds, to see what that would bring.
    case checking = 5
    /// There is no drafter.
    case noDrafter = 6
    /// The method drafts nothing.
    case plain = 7
    /// The draft length is fixed by the jobs, and kept.
    case fixed = 8

    package var name: String {
        switch self {
        case .drafting: "drafting"
        case .shortened: "shortened"
        case .resting: "resting"
        case .probing: "probing"
        case .checking: "checking"
        case .noDrafter: "no drafter"
        case .plain: "plain"
        case .fixed: "fixed"
        }
    }
}

/// Sums over all jobs of a pair since its verifier started; rates are the differences of two reports.
package struct PairCounts: Sendable, Equatable {
    package var tokens: UInt64 = 0
    /// Verdicts.
    package var rounds: UInt64 = 0
    /// Drafts that had a place in a pass.
    package var verified: UInt64 = 0
    /// Drafts that arrived.
    package var drafted: UInt64 = 0
    /// Time that drafters computed, as they say, and the part of it while a pass ran, in microseconds.
    package var draftMicroseconds: UInt64 = 0
    package var overlapMicroseconds: UInt64 = 0
    /// As `JobStatistics`'.
    package var judgedAt: [UInt64] = []
    package var acceptedAt: [UInt64] = []

    package init() {}

    package mutating func add(_ other: PairCounts) {
        tokens += other.tokens
        rounds += other.rounds
        verified += other.verified
        drafted += other.drafted
        draftMicroseconds += other.draftMicroseconds
        overlapMicroseconds += other.overlapMicroseconds
        judgedAt = Self.sum(judgedAt, other.judgedAt)
        acceptedAt = Self.sum(acceptedAt, other.acceptedAt)
    }

    private static func sum(_ one: [UInt64], _ other: [UInt64]) -> [UInt64] {
        (0..<max(one.count, other.count)).map { place in
            (place < one.count ? one[place] : 0) + (place < other.count ? other[place] : 0)
        }
    }
}

/// A pair of models as it decodes on one verifier.
package struct PairReport: Sendable, Equatable {
    /// Digest of the draft model; 0 where there is no drafter, or one that does not say.
    package var draftModel: UInt64
    package var method: DecodingMethod
    /// As people write it.
    package var policy: String
    package var tree: String
    package var state: DraftingState
    /// Why, for people.
    package var reason: String
    /// Tokens per time with drafts over those without, as measured; 0 unknown.
    package var ratio: Float
    /// How long it has drafted or rested, with probes of the other.
    package var milliseconds: UInt32
    package var jobs: Int
    package var tokensPerSecond: Float
    package var counts: PairCounts

    package init(
        draftModel: UInt64, method: DecodingMethod, policy: String, tree: String, state: DraftingState,
        reason: String, ratio: Float, milliseconds: UInt32, jobs: Int, tokensPerSecond: Float = 0,
        counts: PairCounts = PairCounts()
    ) {
        self.draftModel = draftModel
        self.method = method
        self.policy = policy
        self.tree = tree
        self.state = state
        self.reason = reason
        self.ratio = ratio
        self.milliseconds = milliseconds
        self.jobs = jobs
        self.tokensPerSecond = tokensPerSecond
        self.counts = counts
    }
}

/// What became of a node's time since it started, in microseconds.
package struct NodeClock: Sendable, Equatable {
    /// Passes were under way. Of a verifier with several shards: summed up.
    package var passing: UInt64 = 0
    /// No pass was, though a job could have been decoded.
    package var waiting: UInt64 = 0

    package init() {}
}

package import NacreCore

// Between coordinator and verifier, about one job.

/// How the verifier paces drafting and verifying. The tokens are the same for those that `keepsText`.
package enum DecodingMethod: UInt32, Sendable, CaseIterable {
    case autoregressive = 1
    case speculative = 2
    case pearl = 3
    case stream = 4
    /// Joint decoding (`LossyMTADRule`): lossy by design.
    case mtad = 5
    /// Beam sampling of the target (`BeamSampling`).
    case beam = 6
    /// The same, drafted (`DSBDRule`).
    case dsbd = 7

    /// Whether its rule is one that gives up the target's law.
    package var isLossy: Bool { self == .mtad }

    /// Whether texts are drawn as beams, and the best of them is the answer.
    package var usesBeams: Bool { self == .beam || self == .dsbd }

    /// Whether what comes out is the target's own text, token for token under one seed.
    package var keepsText: Bool { !isLossy && !usesBeams }

    /// Whether it has a use for drafters.
    package var takesDrafts: Bool { self != .autoregressive && self != .beam }

    package var name: String {
        switch self {
        case .autoregressive: "autoregressive"
        case .speculative: "speculative"
        case .pearl: "pearl"
        case .stream: "stream"
        case .mtad: "mtad"
        case .beam: "beam"
        case .dsbd: "dsbd"
        }
    }

    package init?(name: String) {
        guard let found = DecodingMethod.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }
}

/// A drafter a verifier may hire.
package struct Offer: Sendable, Equatable {
    package var address: String
    package var incarnation: Incarnation
    /// A drafter that computes on the verifier's own cores: the two take turns.
    package var sharesCores: Bool

    package init(address: String, incarnation: Incarnation, sharesCores: Bool = false) {
        self.address = address
        self.incarnation = incarnation
        self.sharesCores = sharesCores
    }
}

/// Places a job. A long context travels in several of these: same job and attempt, rising `contextOffset`.
/// `context` is prompt + committed tokens.
package struct AssignJob: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var speculation: Speculation
    package var key: StreamKey
    package var sampling: SamplingPolicy
    /// Length at which the job ends: prompt + most output tokens.
    package var lengthMax: Position
    package var promptLength: Position
    package var contextTotal: Int
    package var contextOffset: Int
    package var context: [TokenID]
    package var offers: [Offer]
    /// Verifiers of the same target that may score for this job's.
    package var helpers: [Offer]
    /// Tokens that end a generation are tokens as any other: the job goes on behind them.
    package var ignoresEnds: Bool

    package init(
        job: JobID, attempt: Attempt, speculation: Speculation, key: StreamKey, sampling: SamplingPolicy,
        lengthMax: Position, promptLength: Position, contextTotal: Int, contextOffset: Int, context: [TokenID],
        offers: [Offer], helpers: [Offer] = [], ignoresEnds: Bool = false
    ) {
        self.job = job
        self.attempt = attempt
        self.speculation = speculation
        self.key = key
        self.sampling = sampling
        self.lengthMax = lengthMax
        self.promptLength = promptLength
        self.contextTotal = contextTotal
        self.contextOffset = contextOffset
        self.context = context
        self.offers = offers
        self.helpers = helpers
        self.ignoresEnds = ignoresEnds
    }
}

/// Why a verifier does not take a job.
package enum RefuseReason: UInt32, Sendable, CaseIterable {
    case noRoom = 1
    case contextTooLong = 2
    case draining = 3
}

/// The verifier does not take the job; the coordinator places it elsewhere.
package struct JobRefused: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var reason: RefuseReason

    package init(job: JobID, attempt: Attempt, reason: RefuseReason) {
        self.job = job
        self.attempt = attempt
        self.reason = reason
    }
}

/// Tokens the target stands behind, for positions `start ...`.
package struct Commit: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var start: Position
    package var tokens: [TokenID]
    /// `Choice.margin` of each token.
    package var margins: [Float]

    package init(job: JobID, attempt: Attempt, start: Position, tokens: [TokenID], margins: [Float]) {
        self.job = job
        self.attempt = attempt
        self.start = start
        self.tokens = tokens
        self.margins = margins
    }
}

/// Why a verifier's part in a job is over.
package enum EndReason: UInt32, Sendable, CaseIterable {
    case endOfGeneration = 1
    case length = 2
    case cancelled = 3
    /// The verifier's KV cache cannot hold the job.
    case cacheFull = 4
    case engineFailed = 5
    /// This verifier can never run the job; `detail` says why.
    case unsuited = 6
}

/// What one attempt cost and gained.
package struct JobStatistics: Sendable, Equatable {
    /// Verify passes that took part in this job's decoding.
    package var rounds: UInt64 = 0
    /// Draft tokens that reached the verifier.
    package var drafted: UInt64 = 0
    /// Draft tokens judged by the target, in a pass or by a row already there.
    package var judged: UInt64 = 0
    /// Judged draft tokens that equal the target's own.
    package var accepted: UInt64 = 0
    /// Time inside passes, in microseconds.
    package var passMicroseconds: UInt64 = 0
    /// Time from the first decoding pass to the end, in microseconds.
    package var elapsedMicroseconds: UInt64 = 0
    /// Median time between the end of one pass and the start of the next, in microseconds.
    package var gapMicroseconds: UInt64 = 0
    /// Drafters lost while the attempt ran.
    package var draftersLost: UInt64 = 0
    /// Draft tokens that arrived for an epoch that was over, or below a node that was not taken.
    package var stale: UInt64 = 0
    /// Draft tokens that had a place in a pass.
    package var verified: UInt64 = 0
    /// Draft tokens that stood at the starts of passes, summed up: divided by `rounds`, the depth in flight.
    package var standing: UInt64 = 0
    /// Verdicts while a drafter was ready, and those whose outcome it had drafted for: there it need not start anew.
    package var outcomes: UInt64 = 0
    package var outcomesPrepared: UInt64 = 0
    /// Drafts compared with the target's own at so many drafts behind the last verdict's end, and those equal to it:
    /// at most `positionsMax`.
    package var judgedAt: [UInt64] = []
    package var acceptedAt: [UInt64] = []
    /// Time that the job was ready for a pass while one without it ran, in microseconds.
    package var queueMicroseconds: UInt64 = 0
    /// Time that the drafters computed for this job, in microseconds, as they report it.
    package var draftMicroseconds: UInt64 = 0
    /// Time from verdicts to the first drafts on them, less what the drafter computed, in microseconds: the wire, and
    /// the drafter's other work.
    package var wireMicroseconds: UInt64 = 0
    /// Drafts that other verifiers scored, and those of them that came in time to be used.
    package var shardsSent: UInt64 = 0
    package var shardsUsed: UInt64 = 0
    /// The sum of ln p of output tokens under the target, temperature applied and nothing else, in nats, where it was
    /// measured; and of how many.
    package var logLikelihood = 0.0
    package var tokensScored: UInt64 = 0

    package static let positionsMax = 16

    package init() {}
}

/// A text that a job with beams ended with.
package struct BeamAnswer: Sendable, Equatable {
    package var tokens: [TokenID]
    /// The sum of ln p over its tokens under the target, temperature applied and nothing else, in nats.
    package var logLikelihood: Double
    /// It ends the text; else the budget cut it.
    package var hasEnded: Bool
    /// How many of the beams drawn came to it.
    package var copies: Int

    package init(tokens: [TokenID], logLikelihood: Double, hasEnded: Bool, copies: Int = 1) {
        self.copies = copies
        self.tokens = tokens
        self.logLikelihood = logLikelihood
        self.hasEnded = hasEnded
    }
}

/// The last message about an attempt.
package struct JobEnded: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var length: Position
    package var reason: EndReason
    /// For people; empty when the reason says it all.
    package var detail: String
    package var statistics: JobStatistics
    /// Of a job with beams that was decoded to its end, best first; the first is its output. Nothing of it was
    /// committed before.
    package var answers: [BeamAnswer] = []

    package init(
        job: JobID, attempt: Attempt, length: Position, reason: EndReason, detail: String, statistics: JobStatistics
    ) {
        self.job = job
        self.attempt = attempt
        self.length = length
        self.reason = reason
        self.detail = detail
        self.statistics = statistics
    }
}

/// Stop this attempt; `JobEnded` answers.
package struct CancelJob: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt

    package init(job: JobID, attempt: Attempt) {
        self.job = job
        self.attempt = attempt
    }
}

/// The job lacks a drafter; the verifier asks for offers.
package struct Hire: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    /// Drafters that it has lost or given up since it last asked; none if the verifier does not say.
    package var lost: [Incarnation]

    package init(job: JobID, attempt: Attempt, lost: [Incarnation] = []) {
        self.job = job
        self.attempt = attempt
        self.lost = lost
    }
}

/// Drafters for a job that lacks some, none of which it was offered before and has not lost.
package struct Offers: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var offers: [Offer]

    package init(job: JobID, attempt: Attempt, offers: [Offer]) {
        self.job = job
        self.attempt = attempt
        self.offers = offers
    }
}

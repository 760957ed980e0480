package import NacreCore

/// What a client asked for, checked.
package struct JobSpecification: Sendable, Equatable {
    package var prompt: [UInt8]
    package var speculation: Speculation
    /// Whether the client chose the policy; else the coordinator's is used.
    package var namesPolicy: Bool
    package var sampling: SamplingPolicy
    package var seed: UInt64
    /// Most output tokens.
    package var tokensMax: Int
    package var stops: [[UInt8]]
    /// Tokens that end a generation do not end the job.
    package var ignoresEnds: Bool

    package init(
        prompt: [UInt8], speculation: Speculation, namesPolicy: Bool = false, sampling: SamplingPolicy, seed: UInt64,
        tokensMax: Int, stops: [[UInt8]], ignoresEnds: Bool = false
    ) {
        self.prompt = prompt
        self.speculation = speculation
        self.namesPolicy = namesPolicy
        self.sampling = sampling
        self.seed = seed
        self.tokensMax = tokensMax
        self.stops = stops
        self.ignoresEnds = ignoresEnds
    }

    /// The noise's key: the seed, scattered (SplitMix64's finaliser, Steele et al. 2014), so that near seeds share
    /// nothing.
    package var key: StreamKey {
        var word = seed &+ 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return StreamKey(rawValue: word ^ (word >> 31))
    }
}

/// Why a job is over.
package enum JobOutcome: Sendable, Equatable {
    case endOfGeneration
    case length
    case stopString
    case cancelled
    case failed(String)

    package var name: String {
        switch self {
        case .endOfGeneration: "end"
        case .length: "length"
        case .stopString: "stop"
        case .cancelled: "cancelled"
        case .failed: "failed"
        }
    }
}

/// A token as its client sees it.
package struct OutputToken: Sendable, Equatable {
    package var token: TokenID
    package var margin: Float
    /// Text that became certain with this token.
    package var text: [UInt8]
}

/// A text that a job with beams ended with.
package struct JobAnswer: Sendable, Equatable {
    package let answer: BeamAnswer
    package let text: [UInt8]

    init(_ answer: BeamAnswer, _ vocabulary: Vocabulary) {
        var assembler = TextAssembler(stops: [])
        self.answer = answer
        text = answer.tokens.reduce(into: []) { $0 += assembler.append(vocabulary.text(of: $1)) } + assembler.finish()
    }
}

/// One job's whole story. Output only grows: what a client saw is a prefix of what it will see.
package struct JobRecord: Sendable {
    package enum State: Sendable, Equatable {
        case queued
        /// A verifier turns the prompt into tokens.
        case tokenizing(LinkID, request: UInt64)
        case running(LinkID, Attempt)
        /// The outcome is known; the verifier has been told to stop and its statistics are awaited.
        case ending(LinkID, Attempt, JobOutcome, since: Instant)
        case over(JobOutcome)
    }

    package let id: JobID
    package let specification: JobSpecification
    package let submitted: Instant
    package internal(set) var state: State = .queued
    package internal(set) var promptTokens: [TokenID] = []
    package internal(set) var output: [OutputToken] = []
    /// Text that came loose at the end of the generation, after the last token's own.
    package internal(set) var tail: [UInt8] = []
    package internal(set) var attempts: Attempt = 0
    /// Attempts that ended because their verifier died or failed.
    package internal(set) var attemptsLost = 0
    /// Why the last attempt was lost, until there is another.
    package internal(set) var setback: String?
    package internal(set) var firstToken: Instant?
    package internal(set) var ended: Instant?
    package internal(set) var statistics = JobStatistics()
    /// Of a job with beams what it ended with, best first; the first is its output.
    package internal(set) var answers: [JobAnswer] = []
    /// What happened in the last attempt; only the youngest jobs keep theirs.
    package internal(set) var trace: [JobTrace.Event] = []
    /// How its drafts did in the last attempt, if it was recorded; only the youngest of those jobs keep theirs.
    package internal(set) var recording: JobRecording?
    /// The verifiers this job ran on, by name, in order.
    package internal(set) var verifiers: [String] = []
    /// Whether all of them are exact (`Hello.isExact`).
    package internal(set) var isExact = true
    /// Failover goes only to the same weights: another model's tokens would not be this target's own.
    package internal(set) var modelDigest: UInt64?
    /// The target's name for people; empty until it is known.
    package internal(set) var modelName = ""
    /// The models of the drafters it was offered, by the same kind of name.
    package internal(set) var draftModels: Set<String> = []
    /// Those of the drafters that it has, or had last: what a pair's policy goes by.
    var hiredModels: Set<String> = []
    /// Its drafters, or those that it had last, that compute on its verifier's cores: they take turns.
    var coreSharers: Set<LinkID> = []
    package var sharesCores: Bool { !coreSharers.isEmpty }
    /// Why it has the drafter that it was offered last, by what nodes have measured; `nil` where some have not.
    package internal(set) var pairing: String?
    /// Its draft-length policy, and who chose it.
    package internal(set) var policy = PolicyBook.builtIn
    package internal(set) var contextLimited = false
    /// Length at which the current attempt ends the job.
    var lengthMax: Position = 0
    /// The drafters that the job's verifier gave up, or that were not suited to it, the latest last; the oldest are
    /// forgotten.
    private(set) var lostDrafters: [LinkID] = []
    private static let lostDraftersMax = 16
    /// Verifiers that cannot run it, and why the last of them cannot.
    private(set) var unsuited: Set<LinkID> = []
    private(set) var misfit = ""
    /// Verifiers that had no room for it: how many jobs of this coordinator were there, and until when that counts.
    private var crowded: [LinkID: (jobs: Int, until: Instant)] = [:]
    var assembler: TextAssembler

    init(id: JobID, specification: JobSpecification, submitted: Instant) {
        self.id = id
        self.specification = specification
        self.submitted = submitted
        assembler = TextAssembler(stops: specification.stops)
    }

    package var isOver: Bool { if case .over = state { true } else { false } }
    package var outcome: JobOutcome? {
        switch state {
        case .over(let outcome), .ending(_, _, let outcome, _): outcome
        case .queued, .tokenizing, .running: nil
        }
    }
    /// Where one of its attempts is.
    var verifier: LinkID? {
        switch state {
        case .running(let link, _), .ending(let link, _, _, since: _): link
        case .queued, .tokenizing, .over: nil
        }
    }
    var length: Position { Position(rawValue: promptTokens.count + output.count) }

    /// Appends committed tokens as far as the text goes.
    /// - Returns: why the text is over, if it is. If the verifier dies before it says so the text is whole all the
    ///   same: another attempt would go on behind its end.
    mutating func append(_ commit: Commit, _ vocabulary: Vocabulary, at now: Instant) -> JobOutcome? {
        if output.isEmpty { firstToken = now }
        for (token, margin) in zip(commit.tokens, commit.margins) {
            output.append(
                OutputToken(token: token, margin: margin, text: assembler.append(vocabulary.text(of: token))))
            if assembler.isStopped { return .stopString }
            if !specification.ignoresEnds, vocabulary.endsGeneration(token) { return .endOfGeneration }
            if length >= lengthMax { return .length }
        }
        return nil
    }

    mutating func noteLost(_ drafter: LinkID) {
        lostDrafters.removeAll { $0 == drafter }
        lostDrafters.append(drafter)
        if lostDrafters.count > Self.lostDraftersMax { lostDrafters.removeFirst() }
    }

    mutating func noteUnsuited(_ verifier: LinkID, _ reason: String) {
        unsuited.insert(verifier)
        misfit = reason
    }

    mutating func noteNoRoom(on verifier: LinkID, jobs: Int, at now: Instant) {
        crowded = crowded.filter { $0.value.until > now }
        crowded[verifier] = (jobs, now + Instant.seconds(5))
    }

    /// Whether the verifier had no room and `jobs` are as many as then.
    func isCrowded(_ verifier: LinkID, jobs: Int, at now: Instant) -> Bool {
        crowded[verifier].map { $0.until > now && jobs >= $0.jobs } ?? false
    }

    /// Adds what an attempt cost. A verifier may report any 64 bits: sums stop at their largest.
    mutating func add(_ other: JobStatistics) { statistics.add(other) }
}

extension JobStatistics {
    /// Adds what another attempt, or another job, cost and gained.
    mutating func add(_ other: JobStatistics) {
        let sums: [WritableKeyPath<JobStatistics, UInt64>] = [
            \.rounds, \.drafted, \.judged, \.accepted, \.passMicroseconds, \.elapsedMicroseconds, \.draftersLost,
            \.stale, \.verified, \.standing, \.outcomes, \.outcomesPrepared, \.queueMicroseconds, \.draftMicroseconds,
            \.wireMicroseconds, \.shardsSent, \.shardsUsed, \.tokensScored,
        ]
        logLikelihood = max(logLikelihood + other.logLikelihood, -.greatestFiniteMagnitude)
        for sum in sums { self[keyPath: sum].add(other[keyPath: sum]) }
        judgedAt.add(other.judgedAt)
        acceptedAt.add(other.acceptedAt)
        // Medians do not add up: that of the last attempt stands for the job.
        if other.gapMicroseconds > 0 { gapMicroseconds = other.gapMicroseconds }
    }
}

extension UInt64 {
    fileprivate mutating func add(_ other: UInt64) {
        let (sum, isTooLarge) = addingReportingOverflow(other)
        self = isTooLarge ? .max : sum
    }
}

extension [UInt64] {
    /// Adds counts by place.
    fileprivate mutating func add(_ other: [UInt64]) {
        for (place, count) in other.enumerated() {
            if place < self.count { self[place].add(count) } else { append(count) }
        }
    }
}

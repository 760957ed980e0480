package import NacreCore

/// One attempt of one job on this verifier: the committed text, what of it is cached, and its drafter if it has one.
///
/// | state (derived) | means | passes |
/// |---|---|---|
/// | receiving | parts of the context are missing | none |
/// | prefilling | the context is not cached up to its last token | chunks without rows |
/// | decoding, no drafter | none is bound and ready | the last committed token alone |
/// | decoding, drafter | as the schedule says | the last committed token and drafts |
/// | held | a pass is done; its verdict waits for the drafter's window (PEARL only) | none |
package struct JobVerification: Sendable {
    package let job: JobID
    package let attempt: Attempt
    package let method: DecodingMethod
    package let key: StreamKey
    package let sampling: SamplingPolicy
    package let lengthMax: Position
    package let promptLength: Position
    package let contextTotal: Int
    /// Prompt and committed tokens.
    package private(set) var tokens: [TokenID]
    package var cursor: CacheCursor
    package var schedule: Schedule
    package var acceptance = AcceptanceEstimator()
    package var drafter: HiredDrafter?
    /// When to ask the coordinator for a drafter; `nil` when none is wanted or one has been asked for.
    package var hireAt: Instant?
    package var hireBackoff = Backoff(initial: Instant.milliseconds(50), limit: Instant.seconds(5))
    /// The drafts in the pass in flight; `nil` when the job has no scored part in it.
    package var inFlight: [TokenID]?
    /// Choices of a finished pass whose verdict waits, with the drafts that were in it.
    package var held: (choices: [Choice], drafts: [TokenID])?
    package var statistics = JobStatistics()
    package var clock = RoundClock()

    package init(_ assignment: AssignJob, sequence: SequenceID) {
        job = assignment.job
        attempt = assignment.attempt
        method = assignment.speculation.method
        key = assignment.key
        sampling = assignment.sampling
        lengthMax = assignment.lengthMax
        promptLength = assignment.promptLength
        contextTotal = assignment.contextTotal
        tokens = assignment.context
        cursor = CacheCursor(sequence: sequence)
        schedule = Schedule(assignment.speculation.method, gamma: assignment.speculation.gamma)
    }

    package var length: Position { Position(rawValue: tokens.count) }
    package var remaining: Int { lengthMax - length }
    package var hasContext: Bool { tokens.count >= contextTotal }
    package var isPrefilling: Bool { cursor.valid + 1 < length }
    package var isReadyToDecode: Bool { hasContext && !isPrefilling && held == nil }

    package var view: ChainView {
        guard let drafter, drafter.isReady else {
            return ChainView(hasDrafter: false, unjudged: 0, isExhausted: false, remaining: remaining)
        }
        return ChainView(
            hasDrafter: true, unjudged: drafter.inbox.unjudged(after: length).count,
            isExhausted: drafter.inbox.isExhausted, remaining: remaining)
    }

    /// Takes the next part of the context.
    package mutating func receive(_ assignment: AssignJob) throws(ProtocolFault) {
        guard assignment.contextOffset == tokens.count,
            tokens.count + assignment.context.count <= contextTotal
        else {
            throw ProtocolFault("AssignJob part at \(assignment.contextOffset) does not continue \(tokens.count)")
        }
        tokens += assignment.context
    }

    /// What a judged pass adds to the text.
    package struct Judged: Sendable {
        package var choices: ArraySlice<Choice>
        /// Why the job is over; `nil` while it goes on.
        package var end: EndReason?
    }

    /// Selects: the longest prefix of `drafts` that the target chose itself, then its own next token
    /// (`CoupledRule.accept`), cut at the end of the generation or of the budget.
    package mutating func judge(_ choices: [Choice], drafts: [TokenID], endTokens: Set<TokenID>) -> Judged {
        let accepted = CoupledRule.accept(choices: choices, chain: drafts)
        var taken = choices.prefix(accepted + 1).prefix(remaining)
        if let end = taken.firstIndex(where: { endTokens.contains($0.token) }) { taken = taken.prefix(through: end) }
        let isPassed = isConfirmed(taken, drafts: drafts.count)
        let start = tokens.count
        tokens += taken.map(\.token)
        // The rest state I1: every committed token but the last is cached, and nothing else.
        cursor.cut(to: Position(rawValue: start + taken.count - 1))
        schedule.judged(passed: isPassed)
        statistics.rounds += 1
        let end: EndReason? =
            if let last = taken.last, endTokens.contains(last.token) { .endOfGeneration } else if remaining == 0 {
                .length
            } else { nil }
        return Judged(choices: taken, end: end)
    }

    /// Whether every check of the pass succeeded: all its drafts, and the draft that its last row decides.
    private func isConfirmed(_ taken: ArraySlice<Choice>, drafts: Int) -> Bool {
        guard taken.count == drafts + 1, let last = taken.last, let drafter, drafter.isReady else { return false }
        let chain = drafter.inbox.unjudged(after: length)
        return chain.count > drafts && chain[chain.startIndex + drafts] == last.token
    }

    /// Counts what a comparison of drafts with the target's tokens showed.
    package mutating func record(_ judgement: DraftInbox.Judgement) {
        guard judgement.accepted > 0 || judgement.rejected else { return }
        statistics.judged += UInt64(judgement.accepted + (judgement.rejected ? 1 : 0))
        statistics.accepted += UInt64(judgement.accepted)
        acceptance.record(accepted: judgement.accepted, rejected: judgement.rejected)
        // Only an accepted draft shows that a drafter is worth hiring at once again: one that says it is ready and
        // then nothing would cost the job a second each time.
        if judgement.accepted > 0 { hireBackoff.reset() }
    }

    /// The attempt's statistics as they stand.
    package var finalStatistics: JobStatistics {
        var statistics = statistics
        statistics.drafted += UInt64(drafter?.inbox.received ?? 0)
        clock.fill(&statistics)
        return statistics
    }
}

/// The drafter bound to a job: one stream on one data link.
package struct HiredDrafter: Sendable {
    package let address: String
    package let stream: StreamID
    package var inbox: DraftInbox
    /// The context was sent.
    package var isOpen = false
    package var isReady = false
    /// Committed tokens that no verdict has told it of, and the rounds they are from.
    package var untold = 0
    package var roundsUntold = 0
    /// When the drafter was last heard on this stream, or last given something to do.
    package var attentionSince: Instant
    /// Its measured time per draft token.
    package var microsecondsPerToken = 0
    package var pace = DraftPace()

    package init(address: String, stream: StreamID, inbox: DraftInbox, now: Instant) {
        self.address = address
        self.stream = stream
        self.inbox = inbox
        attentionSince = now
    }
}

/// Times of a job's rounds: inside passes, and from the end of one to the start of the next.
package struct RoundClock: Sendable {
    private var firstStarted: Instant?
    private var lastEnded: Instant?
    private var inside = 0
    /// The first gaps, in microseconds: enough for a median, bounded for a long job.
    private var gaps: [Int32] = []
    private static let gapsMax = 4_096

    package init() {}

    package mutating func record(started: Instant, ended: Instant) {
        if let lastEnded, gaps.count < RoundClock.gapsMax { gaps.append(Int32(clamping: started - lastEnded)) }
        firstStarted = firstStarted ?? started
        lastEnded = ended
        inside += ended - started
    }

    package func fill(_ statistics: inout JobStatistics) {
        statistics.passMicroseconds = UInt64(clamping: inside)
        if let firstStarted, let lastEnded {
            statistics.elapsedMicroseconds = UInt64(clamping: lastEnded - firstStarted)
        }
        let sorted = gaps.sorted()
        statistics.gapMicroseconds = sorted.isEmpty ? 0 : UInt64(clamping: sorted[sorted.count / 2])
    }
}

package import NacreCore

/// One attempt of one job on this verifier: the committed text, what of it is cached, and its drafters if it has any.
///
/// | state (derived) | means | passes |
/// |---|---|---|
/// | receiving | parts of the context are missing | none |
/// | prefilling | the context is not cached up to its last token | chunks, the last one perhaps with a row |
/// | decoding, no drafter | none is bound and ready | the last committed token alone |
/// | decoding, drafter | as the schedule says | the last committed token and drafts |
/// | held | a pass is done; its verdict waits for the drafter's window (PEARL only) | none |
/// | awaiting a row | a test failed whose row of q is with the drafter (SCALAR + LAZY only) | none |
package struct JobVerification: Sendable {
    package let job: JobID
    package let attempt: Attempt
    package internal(set) var speculation: Speculation
    /// The method that the coordinator named; see `settleMethod`.
    let askedMethod: DecodingMethod
    package let key: StreamKey
    package let sampling: SamplingPolicy
    package let lengthMax: Position
    /// As `AssignJob`'s.
    let ignoresEnds: Bool
    package let promptLength: Position
    package let contextTotal: Int
    /// Prompt and committed tokens.
    package private(set) var tokens: [TokenID]
    package var cursor: CacheCursor
    package var schedule: Schedule
    package var pace: JobPace
    /// How often drafts stand: of the first path, by their drafter's confidence, by their place.
    package var acceptance = AcceptanceEstimator()
    package var confidence = ConfidenceCalibration()
    package var siblings = SiblingAcceptance()
    package var share = FairShare()
    /// In the order in which they were hired.
    package var drafters: [HiredDrafter] = []
    package var helpers: [ScoreHelper] = []
    /// When to ask the coordinator for a drafter; `nil` when none is wanted or one has been asked for.
    package var hireAt: Instant?
    /// Drafters that it lost since it last asked for one.
    package internal(set) var lostDrafters: [Incarnation] = []
    package var hireBackoff = Backoff(initial: Instant.milliseconds(50), limit: Instant.seconds(5))
    /// The first epoch of the next stream: no two streams of a job share one, so no two draws their noise.
    package var nextEpoch: Epoch
    /// What the job has in the pass in flight; `nil` when it has no scored part in it.
    package var inFlight: PassPart?
    /// A finished pass whose verdict waits.
    package var held: (part: PassPart, scores: [Score])?
    /// Until when `held` waits for a helper's scores.
    package var heldUntil: Instant?
    package var awaitedRow: AwaitedRow?
    /// `nil` unless the method has beams: then they take the place of the text that grows.
    package internal(set) var beams: BeamRun?
    package var statistics = JobStatistics()
    /// What of them its pair has counted.
    var counted = JobStatistics()
    package var clock = RoundClock()
    package var trace = TraceRecorder()
    /// `nil` unless the job is recorded.
    package var recorder: DecisionRecorder?

    package init(_ assignment: AssignJob, sequence: SequenceID) {
        job = assignment.job
        attempt = assignment.attempt
        speculation = assignment.speculation
        askedMethod = assignment.speculation.method
        key = assignment.key
        sampling = assignment.sampling
        lengthMax = assignment.lengthMax
        ignoresEnds = assignment.ignoresEnds
        promptLength = assignment.promptLength
        contextTotal = assignment.contextTotal
        tokens = assignment.context
        cursor = CacheCursor(sequence: sequence)
        schedule = Schedule(assignment.speculation)
        pace = JobPace(assignment.speculation.policy, key: assignment.key)
        if assignment.speculation.isRecorded {
            recorder = DecisionRecorder(start: Position(rawValue: assignment.contextTotal))
        }
        nextEpoch = Epoch(rawValue: (assignment.attempt.rawValue & 0xF) << 20)
    }

    mutating func beginBeams(ends: Set<TokenID>) {
        guard speculation.method.usesBeams else { return }
        beams = BeamRun(speculation, trunk: cursor.sequence, ends: ignoresEnds ? [] : ends)
    }

    package var length: Position { Position(rawValue: tokens.count) }
    package var remaining: Int { lengthMax - length }
    package var hasContext: Bool { tokens.count >= contextTotal }
    /// Tokens that may lead a decoding pass besides the last one.
    package var leadMax = 0
    /// What helpers scored is committed here without being cached: a few such tokens lead the next pass.
    package var isPrefilling: Bool {
        cursor.valid + 1 + leadMax < length
    }
    package var isReadyToDecode: Bool { hasContext && !isPrefilling && held == nil && awaitedRow == nil }

    /// Whether it has a scored part in the pass in flight.
    var isInFlight: Bool { inFlight != nil || beams?.inFlight != nil }

    /// The pass in flight was refused whole.
    mutating func retract(to position: Position) {
        cursor.retract(to: position)
        if beams?.inFlight != nil { beams?.cache.retract() }
        inFlight = nil
        beams?.inFlight = nil
    }

    /// The pass is over: its verdict is next.
    mutating func hold(_ scores: [Score]) {
        if let part = inFlight { held = (part, scores) }
        if let part = beams?.inFlight { beams?.held = (part, scores) }
        inFlight = nil
        beams?.inFlight = nil
        beams?.cache.conclude()
    }

    /// Whether rows of the target's law are needed, or its own choices will do. Greedy, every rule takes exactly the
    /// drafts that equal the target's argmax (ALGORITHMS L0).
    package var needsLaws: Bool { speculation.rule != .coupled && !sampling.isGreedy }

    /// What is wanted of the row that decides the token behind `position`.
    ///
    /// - Parameter drafts: those behind it in the pass.
    package func request(behind position: Position, drafts: [TokenID] = []) -> ScoreRequest {
        let kind: ScoreRequest.Kind = measuresLikelihood ? .likelihood(of: drafts) : needsLaws ? .law : .choice
        return ScoreRequest(key: key, index: position.next - promptLength, policy: sampling, kind: kind)
    }

    var measuresLikelihood: Bool { speculation.method.isLossy || speculation.measuresLikelihood }

    /// Takes the next part of the context.
    package mutating func receive(_ assignment: AssignJob) throws(ProtocolFault) {
        guard assignment.contextOffset == tokens.count,
            tokens.count + assignment.context.count <= contextTotal
        else {
            throw ProtocolFault("AssignJob part at \(assignment.contextOffset) does not continue \(tokens.count)")
        }
        tokens += assignment.context
    }

    /// The target stands behind these tokens.
    package mutating func append(_ committed: [TokenID]) { tokens += committed }

    /// Passes after which a drafter first has something to say: a search of which one path is wanted is sent when it
    /// is over. Bounded, for a drafter that hangs is waited for so many times as long.
    var passesInSilence: Int {
        guard case .beams(_, true) = speculation.shape else { return 1 }
        return min(max(1, schedule.positionsAhead(window: 1)), 4)
    }

    // MARK: - Drafts

    /// Those that have the job's text and draft.
    package var readyDrafters: [HiredDrafter] { drafters.filter(\.isReady) }

    /// The drafts of all drafters behind the committed text: the union of their candidates.
    package var drafts: DraftTree {
        var union: DraftTree?
        for drafter in drafters where drafter.isReady && drafter.inbox.isAbreast {
            // A beam search that the text has left behind has nothing that it could be compared with.
            if speculation.method.isLossy, drafter.inbox.references.isEmpty { continue }
            if union == nil { union = drafter.inbox.drafts } else { union?.unite(with: drafter.inbox.drafts) }
        }
        return union ?? DraftTree(root: length)
    }

    package var view: DraftView { view(of: drafts) }

    func view(of drafts: DraftTree) -> DraftView {
        let ready = readyDrafters
        return DraftView(
            hasDrafter: !ready.isEmpty && !pace.rests, spine: drafts.spine.count, nodes: drafts.count,
            isExhausted: ready.allSatisfy(\.inbox.isExhausted), remaining: remaining)
    }

    /// The probability that each draft and all above it stand. Of drawn drafts it may look at their places only.
    func worth(of drafts: DraftTree) -> [Double] {
        if speculation.draws(under: sampling) { return siblings.worth(of: drafts) }
        return confidence.worth(of: drafts)
    }

    /// Counts what a comparison of drafts with the target's tokens showed.
    package mutating func record(_ judgement: DraftInbox.Judgement) {
        guard judgement.accepted > 0 || judgement.rejected else { return }
        statistics.judged += UInt64(judgement.accepted + (judgement.rejected ? 1 : 0))
        statistics.accepted += UInt64(judgement.accepted)
        acceptance.record(accepted: judgement.accepted, rejected: judgement.rejected)
        pace.record(judgement, isLockStep: speculation.method == .pearl)
        // Only an accepted draft shows that a drafter is worth hiring at once again: one that says it is ready and
        // then nothing would cost the job a second each time.
        if judgement.accepted > 0 { hireBackoff.reset() }
    }

    /// Adds up how likely the first `tokens` of a decision are.
    mutating func measure(_ decision: Decision, tokens: Int) {
        guard !decision.logP.isEmpty else { return }
        let sum = decision.logP.prefix(tokens).reduce(statistics.logLikelihood, +)
        statistics.logLikelihood = max(sum, -.greatestFiniteMagnitude)
        statistics.tokensScored += UInt64(min(tokens, decision.logP.count))
    }

    /// The attempt's statistics as they stand.
    package var finalStatistics: JobStatistics {
        var statistics = statistics
        for drafter in drafters { drafter.add(to: &statistics) }
        clock.fill(&statistics)
        return statistics
    }
}

/// The drafter bound to a job: one stream on one data link.
package struct HiredDrafter: Sendable {
    package let address: String
    package let incarnation: Incarnation
    package let stream: StreamID
    /// It computes on this verifier's cores: see `VerifierMachine.areCoresLent`.
    let sharesCores: Bool
    /// It computes beside passes all the same, until its next verdict: it reads a text for too long.
    var isBeside = false
    /// A verdict, and before it a policy, that wait for the end of a pass.
    var isVerdictDue = false
    /// How the beams came to be since its last verdict; `nil` if it knows them.
    package var beamSteps: [BeamStep]?
    var policyDue: PolicySpecification?
    package var inbox: DraftInbox
    /// The context was sent.
    package var isOpen = false
    package var isReady = false
    /// Tokens that the drafter had to read when it was sent the context, of all its streams.
    var unread = 0
    /// Committed tokens that no verdict has told it of, and the rounds they are from.
    package var untold = 0
    package var roundsUntold = 0
    /// Its last verdict held tokens of several rounds, and no draft behind those has come.
    var isCatchingUp = false
    /// That takes time of passes, or of drafts that they wait for: at rest only on the verifier's cores.
    var delaysOthers = false
    /// When the drafter was last heard on this stream, or last given something to do.
    package var attentionSince: Instant
    /// Its measured time per draft token.
    package var microsecondsPerToken = 0
    package var pace = DraftPace()

    package init(_ offer: Offer, stream: StreamID, inbox: DraftInbox, now: Instant) {
        address = offer.address
        incarnation = offer.incarnation
        self.stream = stream
        sharesCores = offer.sharesCores
        self.inbox = inbox
        attentionSince = now
    }

    /// t_q as it is known now.
    var draftMicroseconds: Double { pace.drawing > 0 ? pace.drawing : Double(microsecondsPerToken) }

    /// It is at work on text, not on drafts alone, and that delays others.
    var isReading: Bool { isOpen && (!isReady || isCatchingUp && delaysOthers && inbox.owes) }

    /// What the stream cost.
    func add(to statistics: inout JobStatistics) {
        statistics.drafted += UInt64(inbox.received)
        statistics.stale += UInt64(inbox.staleNodes)
        statistics.draftMicroseconds += inbox.microseconds
        statistics.wireMicroseconds += UInt64(max(0, pace.wire))
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

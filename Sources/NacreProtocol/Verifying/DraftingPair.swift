import NacreCore

/// Never slower, for all jobs of a pair: what one of them learnt of the speed with and without drafts holds for the
/// others too, those that come later included, and only one at a time pays for probes.
///
/// One job leads. Its rounds, from one of its verdicts to the next, are what is measured, with the tokens that all jobs
/// of the verifier committed meanwhile: whoever shares a pass shares its time. What the governor orders holds for every
/// job of the pair. Each load (1, 2, 3 to 4, 5 to 8, ... jobs) has a governor of its own, since what is wrong with a
/// forecast differs with the load; a new one begins with what the last one knew.
struct DraftingPair: Sendable {
    /// A job's attempt.
    struct Leader: Sendable, Hashable {
        var job: JobID
        var attempt: Attempt
    }

    private struct Round: Sendable {
        var began: Instant
        var forecast: Governor.Forecast
        /// Tokens that the verifier had committed by then, of all jobs.
        var committed: UInt64
    }

    let key: PairKey
    /// Of all its jobs: what a new one begins with.
    var acceptance = PositionalAcceptance()
    /// Since the verifier started.
    var counts = PairCounts()
    /// When a job of it last decoded.
    var lastUsed: Instant
    /// Something else took time since the leader's round began: text that was read, by the target or by the drafter,
    /// or another pair that began to decode otherwise.
    var isDisturbed = false
    private(set) var leader: Leader?
    /// Since when it drafts or rests, with probes of the other.
    private(set) var since: Instant
    /// Of the last round, with all jobs that draft alike.
    var conditions: RoundConditions?
    /// On the verifier's cores: tokens that its jobs are to commit before another text is read to learn from.
    var peekDebt = 0
    /// What reading another text would be good for; `nil` before its first round.
    var opening: OpeningWorth?
    /// Verdicts that the drafter of one of its jobs was told while all rest.
    private(set) var toldResting = 0
    private var governors: [Int: Governor] = [:]
    private var load = 0
    private var round: Round?

    init(_ key: PairKey, at now: Instant) {
        self.key = key
        since = now
        lastUsed = now
    }

    /// That of the load there was last; `nil` before the first round.
    var governor: Governor? { governors[load] }

    /// What holds for all its jobs now.
    var order: Governor.Order { Self.order(of: governor) }

    /// That of so many jobs, as far as it is known.
    func governor(ofLoad decoding: Int) -> Governor? { governors[Self.load(decoding)] ?? governor?.elsewhere }

    /// What holds once so many jobs decode.
    func order(ofLoad decoding: Int) -> Governor.Order { Self.order(of: governor(ofLoad: decoding)) }

    private static func order(of governor: Governor?) -> Governor.Order {
        governor?.order ?? Governor.Order(mayDraft: true, isShortened: false)
    }

    /// The drafter of one of its jobs was told what was committed, so many times since it rests; 0 if it does not.
    mutating func told(_ count: Int) {
        // A probe is a part of the rest, until it says otherwise.
        guard count > 0 || governor?.phase != .probing else { return }
        toldResting = count == 0 ? 0 : max(toldResting, count)
    }

    /// The round that is under way tells nothing: its job has lost its drafter, or does as it was not told.
    mutating func release(_ job: Leader) {
        guard leader == job else { return }
        leader = nil
        round = nil
    }

    /// A round of one of the jobs is over: how the next is decoded.
    ///
    /// - Parameters:
    ///   - joint: the forecast with those jobs of the pair drafting too whose texts are not read, if that is worse.
    ///   - decoding: jobs that share the passes.
    ///   - committed: tokens that the verifier has committed, of all jobs.
    ///   - isTypical: whether nothing else takes time now (see `isDisturbed`).
    ///   - isBeginning: whether the first drafts were still on their way.
    mutating func next(
        _ job: Leader, _ forecast: Governor.Forecast, joint: Governor.Forecast? = nil, decoding: Int,
        committed: UInt64, isTypical: Bool, isBeginning: Bool = false, at now: Instant
    ) -> Governor.Order {
        if leader == nil { leader = job }
        guard leader == job else { return order }
        let load = Self.load(decoding)
        let before = self.governor?.phase
        // It is the old load's round, and none of either if the load changed in it.
        if let round {
            governors[self.load]?.record(
                GovernedRound(
                    forecast: round.forecast, tokens: Double(committed - round.committed),
                    microseconds: Double(now - round.began),
                    isTypical: isTypical && !isDisturbed && load == self.load, isBeginning: isBeginning))
        }
        let last = self.governor
        var governor = governors[load] ?? last?.elsewhere ?? Governor(key.policy.lengths)
        if load != self.load, let last { governor.resume(after: last) }
        let order = governor.next(joint ?? forecast)
        self.load = load
        governors[load] = governor
        if before.map(Self.isResting) != Self.isResting(governor.phase) { since = now }
        isDisturbed = false
        round = Round(began: now, forecast: forecast, committed: committed)
        return order
    }

    private static func isResting(_ phase: Governor.Phase) -> Bool { phase == .resting || phase == .probing }

    /// 0, 1, 2, 3, ... for 1, 2, 3 to 4, 5 to 8, ... jobs.
    private static func load(_ decoding: Int) -> Int {
        decoding < 2 ? 0 : Int.bitWidth - (decoding - 1).leadingZeroBitCount
    }
}

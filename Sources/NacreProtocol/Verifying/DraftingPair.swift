package import NacreCore

/// What makes drafts alike in what they bring: whose model drafts, and how.
package struct PairKey: Sendable, Hashable {
    /// Digest of the draft model; `nil` while there is no drafter.
    package var draftModel: UInt64?
    package var method: DecodingMethod
    package var policy: PolicySpecification
    package var gamma: Int
    package var shape: DraftShape
    package var branches: Int

    package init(draftModel: UInt64?, _ speculation: Speculation) {
        self.draftModel = draftModel
        method = speculation.method
        policy = speculation.policy
        gamma = speculation.gamma
        shape = speculation.shape
        branches = speculation.branches
    }
}

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
    private(set) var leader: Leader?
    /// Since when it drafts or rests, with probes of the other.
    private(set) var since: Instant
    private var governors: [Int: Governor] = [:]
    private var load = 0
    private var round: Round?

    init(_ key: PairKey, at now: Instant) {
        self.key = key
        since = now
    }

    /// That of the load there was last; `nil` before the first round.
    var governor: Governor? { governors[load] }

    /// What holds for all its jobs now.
    var order: Governor.Order { governor?.standing ?? Governor.Order(mayDraft: true, isShortened: false) }

    /// The round that is under way tells nothing: its job has lost its drafter, or does as it was not told.
    mutating func release(_ job: Leader) {
        guard leader == job else { return }
        leader = nil
        round = nil
    }

    /// A round of one of the jobs is over: how the next is decoded.
    ///
    /// - Parameters:
    ///   - decoding: jobs that share the passes.
    ///   - committed: tokens that the verifier has committed, of all jobs.
    ///   - isTypical: whether the round's passes held no text of other jobs.
    mutating func next(
        _ job: Leader, _ forecast: Governor.Forecast, decoding: Int, committed: UInt64, isTypical: Bool,
        at now: Instant
    ) -> Governor.Order {
        if leader == nil { leader = job }
        guard leader == job else { return order }
        let load = Self.load(decoding)
        var governor = governors[load] ?? self.governor?.elsewhere ?? Governor(isHeld: key.policy == .goodput)
        let before = self.governor?.phase
        if let round, isTypical, load == self.load {
            governor.record(
                GovernedRound(
                    forecast: round.forecast, tokens: Double(committed - round.committed),
                    microseconds: Double(now - round.began)))
        }
        let order = governor.next(forecast)
        self.load = load
        governors[load] = governor
        if before.map(Self.isResting) != Self.isResting(governor.phase) { since = now }
        round = Round(began: now, forecast: forecast, committed: committed)
        return order
    }

    private static func isResting(_ phase: Governor.Phase) -> Bool { phase == .resting || phase == .probing }

    /// 0, 1, 2, 3, ... for 1, 2, 3 to 4, 5 to 8, ... jobs.
    private static func load(_ decoding: Int) -> Int {
        decoding < 2 ? 0 : Int.bitWidth - (decoding - 1).leadingZeroBitCount
    }
}

/// The pairs of one verifier: at most `Limits.pairsMax`, the oldest makes room.
struct PairTable: Sendable {
    /// In the order in which they came.
    private(set) var pairs: [DraftingPair] = []

    /// The pair, a new one if there is none.
    mutating func withPair<Result>(
        _ key: PairKey, at now: Instant, _ body: (inout DraftingPair) -> Result
    ) -> Result {
        if let place = pairs.firstIndex(where: { $0.key == key }) { return body(&pairs[place]) }
        if pairs.count == Limits.pairsMax { pairs.removeFirst() }
        pairs.append(DraftingPair(key, at: now))
        return body(&pairs[pairs.count - 1])
    }

    subscript(key: PairKey) -> DraftingPair? { pairs.first { $0.key == key } }

    mutating func release(_ job: DraftingPair.Leader) {
        for place in pairs.indices { pairs[place].release(job) }
    }
}

import NacreCore

/// What reading a text for a drafter on the verifier's cores is good for.
struct OpeningWorth: Sendable {
    /// Microseconds that drafts should save with each token of a job, of its part of the passes; 0 while they rest.
    var saved: Double
    /// The same if all drafts stood.
    var hoped: Double
    /// When it was found: tokens that the verifier had committed, and jobs that decoded or soon would.
    var committed: UInt64
    var load: Int
}

// Whether a text is worth reading for a drafter on the verifier's cores, where every pass waits for that: what it takes
// is part of what drafts cost, and of a short job more than they can win.
extension VerifierMachine {
    /// Share of the committed tokens that may be lost to reading texts while drafts rest, so that their acceptance
    /// stays known.
    private static let peekShare = 0.008
    /// What drafts that all stand must win, of what reading takes, for a text to be read to learn from.
    private static let hopeMin = 2.0

    /// Whether the drafter should read the job's text.
    ///
    /// | a text of the pair is read | it should |
    /// |---|---|
    /// | none, and its jobs have paid for one (`peekShare`) | if the job would win were all drafts right, to learn |
    /// | any | if the pair drafts, and the job has enough to say: what drafts should win exceeds what reading takes |
    ///
    /// With a policy of no drafts, never.
    func isWorthOpening(_ drafter: HiredDrafter, of job: JobVerification) -> Bool {
        guard drafter.sharesCores, job.speculation.isGoverned else { return true }
        guard !job.pace.isOff else { return false }
        let key = openingKey(drafter, of: job)
        guard let pair = pairs[key] else { return !isRead(key) }
        if isWorthReading(drafter, of: job, pair) { return true }
        guard pair.peekDebt == 0, !isRead(key) else { return false }
        // Of a pair that nobody knows, or of a drafter that has read nothing, there is no saying.
        guard let worth = pair.opening else { return true }
        return Double(job.remaining) * worth.hoped >= Self.hopeMin * reading(drafter, of: job)
    }

    /// Whether drafts of the pair that the job will be one of rest: what is drafted behind the prompt is only compared.
    func opensAtRest(_ job: JobVerification) -> Bool {
        guard job.speculation.isGoverned, let drafter = job.drafters.first,
            let pair = pairs[openingKey(drafter, of: job)]
        else { return false }
        return !pair.order(ofLoad: expected).mayDraft
    }

    /// The drafter begins to read the job's text.
    mutating func payForReading(_ drafter: HiredDrafter, of job: JobVerification) {
        let key = openingKey(drafter, of: job)
        guard drafter.sharesCores, let pair = pairs[key], !isWorthReading(drafter, of: job, pair),
            let plain = conditions(of: pair)?.tokensPerMicrosecond(drafts: 0)
        else { return }
        pairs.owe(key, Int(reading(drafter, of: job) * plain / Self.peekShare))
    }

    /// The job has committed so many tokens: its pair earns what it may lose to reading texts. Those of other jobs
    /// earn nothing, for they would pay for what is of no use to them.
    mutating func earnReading(_ tokens: Int, by job: JobVerification) {
        guard job.speculation.isGoverned, let drafter = job.drafters.first(where: \.sharesCores) else { return }
        pairs.pay(openingKey(drafter, of: job), tokens)
    }

    /// Finds what reading the job's text would be good for, unless that is known; before anybody asks.
    mutating func weighOpening(_ index: Int) {
        let job = jobs[index]
        guard let drafter = job.drafters.first(where: { $0.sharesCores && !$0.isOpen }) else { return }
        let key = openingKey(drafter, of: job)
        guard let pair = pairs[key], pair.opening?.committed != tokensCommitted || pair.opening?.load != expected
        else { return }
        pairs.weigh(key, openingWorth(of: pair))
    }

    private func openingWorth(of pair: DraftingPair) -> OpeningWorth? {
        guard var conditions = conditions(of: pair) else { return nil }
        conditions.findBest()
        let forecast = Governor.Forecast(conditions, drafts: conditions.best.drafts)
        guard forecast.plain > 0 else { return nil }
        var saved = 0.0
        // A probe is too short to have texts read for it.
        if let governor = pair.governor(ofLoad: expected), governor.order.mayDraft, governor.phase != .probing {
            saved = max(0, 1 - 1 / governor.cautiousRatio(forecast)) / forecast.plain
        }
        conditions.acceptance = PositionalAcceptance(priorAlpha: 1)
        let hoped = 1 / forecast.plain - 1 / conditions.best.tokensPerMicrosecond
        return OpeningWorth(saved: saved, hoped: hoped, committed: tokensCommitted, load: expected)
    }

    /// All jobs have the time that reading takes; each would save its part of what drafts save.
    private func isWorthReading(_ drafter: HiredDrafter, of job: JobVerification, _ pair: DraftingPair) -> Bool {
        guard let saved = pair.opening?.saved, saved > 0 else { return false }
        return Double(job.remaining) * saved > reading(drafter, of: job)
    }

    /// What is expected where all jobs of the pair draft, also those whose texts are not read, if that is less; `nil`
    /// if not. One that drafts among many that do not seems to gain more than it does: those that began with it take as
    /// many passes as before, and its own last ones are saved only a node each.
    func jointForecast(
        _ key: PairKey, beside conditions: RoundConditions, worseThan forecast: Governor.Forecast
    ) -> Governor.Forecast? {
        guard key.sharesCores, conditions.peers < conditions.others else { return nil }
        let like = jobs.count { job in
            job.hasContext && job.drafters.contains { $0.sharesCores && openingKey($0, of: job) == key }
        }
        var joint = conditions
        joint.peers = min(max(0, like - 1), joint.others)
        guard joint.peers > conditions.peers else { return nil }
        joint.most = most(others: joint.others, peers: joint.peers)
        slow(&joint, from: conditions.peers, key)
        joint.findBest()
        let all = Governor.Forecast(joint, drafts: joint.best.drafts)
        return all.shortened / all.plain < forecast.shortened / forecast.plain ? all : nil
    }

    /// Tokens that the drafter has to read, of all its streams on these cores.
    func unread(at address: String) -> Int {
        jobs.reduce(0) { sum, job in
            let reads = job.drafters.contains { $0.address == address && $0.isOpen && !$0.isReady }
            return sum + (reads ? job.tokens.count : 0)
        }
    }

    /// The pair that the job will be one of.
    func openingKey(_ drafter: HiredDrafter, of job: JobVerification) -> PairKey {
        PairKey(
            draftModel: links[drafter.address]?.model ?? 0, sharesCores: drafter.sharesCores, job.speculation,
            job.sampling)
    }

    /// Whether a text of the pair is read.
    private func isRead(_ key: PairKey) -> Bool {
        jobs.contains { job in job.drafters.contains { $0.isOpen && openingKey($0, of: job) == key } }
    }

    /// What the pair's rounds will be like with all jobs that are here.
    private func conditions(of pair: DraftingPair) -> RoundConditions? {
        guard var conditions = pair.conditions else { return nil }
        conditions.cost = configuration.cost
        conditions.acceptance = pair.acceptance
        conditions.others = max(0, expected - 1)
        let peers = conditions.peers
        conditions.peers = conditions.others
        slow(&conditions, from: peers, pair.key)
        conditions.most = most(others: conditions.others, peers: conditions.peers)
        return conditions
    }

    /// Drafts take longer where more jobs draft than the `peers` that they were measured with: each text more has a
    /// node in every pass of the drafter, and in the first of a round one for what the verdict has brought. A node
    /// takes what it does where texts are read, and no more than a draft; before one was read, a drafter's passes are
    /// taken to grow as the target's do.
    private func slow(_ conditions: inout RoundConditions, from peers: Int, _ key: PairKey) {
        guard conditions.peers > peers, conditions.draftMicroseconds > 0 else { return }
        let reading = links.values.filter { $0.model == key.draftModel }.map(\.reading).max() ?? 0
        guard reading > 0 else {
            let cost = configuration.cost
            conditions.draftMicroseconds *=
                cost.microseconds(nodes: conditions.peers + 1) / cost.microseconds(nodes: peers + 1)
            return
        }
        // Of a short text most is not the reading.
        let more = min(reading, conditions.draftMicroseconds) * Double(conditions.peers - peers)
        conditions.draftMicroseconds += more
        conditions.roundTripMicroseconds += more
    }

    /// What reading takes, in microseconds; 0 unknown.
    private func reading(_ drafter: HiredDrafter, of job: JobVerification) -> Double {
        (links[drafter.address]?.reading ?? 0) * Double(job.tokens.count)
    }
}

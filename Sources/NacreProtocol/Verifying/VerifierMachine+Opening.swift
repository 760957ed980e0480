import NacreCore

// Whether a text is worth reading for a drafter on the verifier's cores, where every pass waits for that: what it takes
// is part of what drafts cost, and of a short job more than they can win.
extension VerifierMachine {
    /// Share of the committed tokens that may be lost to reading texts while drafts rest, so that their acceptance stays
    /// known.
    private static let peekShare = 0.008

    /// Whether the drafter should read the job's text.
    ///
    /// | a text of the pair is read | it should |
    /// |---|---|
    /// | none, for so many tokens that reading one costs `peekShare` | yes: else nothing would be learnt |
    /// | any | if the pair drafts, and the job has enough to say: what drafts should win exceeds what reading takes |
    ///
    /// With a policy of no drafts, never.
    func isWorthOpening(_ drafter: HiredDrafter, of job: JobVerification) -> Bool {
        guard drafter.sharesCores, job.speculation.isGoverned else { return true }
        guard !job.pace.isOff else { return false }
        let key = openingKey(drafter, of: job)
        if tokensCommitted >= pairs[key]?.peekDue ?? 0, !isRead(key) { return true }
        return isWorthReading(drafter, of: job, key)
    }

    /// The drafter begins to read the job's text.
    mutating func payForReading(_ drafter: HiredDrafter, of job: JobVerification) {
        let key = openingKey(drafter, of: job)
        guard drafter.sharesCores, let plain = pairs[key].flatMap(conditions)?.tokensPerMicrosecond(drafts: 0),
            !isWorthReading(drafter, of: job, key)
        else { return }
        let cost = reading(drafter, of: job) * plain
        pairs.delay(key, until: tokensCommitted + UInt64(clamping: Int(cost / Self.peekShare)))
    }

    /// All jobs have the time that reading takes; each would save its part of what drafts save.
    private func isWorthReading(_ drafter: HiredDrafter, of job: JobVerification, _ key: PairKey) -> Bool {
        // A probe is too short to have texts read for it.
        guard let pair = pairs[key], let governor = pair.governor(ofLoad: expected), governor.order.mayDraft,
            governor.phase != .probing, let conditions = conditions(of: pair)
        else { return false }
        let forecast = Governor.Forecast(conditions, drafts: conditions.best.drafts)
        let won = Double(job.remaining) / forecast.plain * (1 - 1 / governor.expectedRatio(forecast))
        return won > reading(drafter, of: job)
    }

    /// Tokens that the drafter has to read, of all its streams on these cores.
    func unread(at address: String) -> Int {
        jobs.reduce(0) { sum, job in
            let reads = job.drafters.contains { $0.address == address && $0.isOpen && !$0.isReady }
            return sum + (reads ? job.tokens.count : 0)
        }
    }

    /// The pair that the job will be one of.
    private func openingKey(_ drafter: HiredDrafter, of job: JobVerification) -> PairKey {
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
        conditions.peers = conditions.others
        conditions.most = most(others: conditions.others, peers: conditions.peers)
        return conditions
    }

    /// What reading takes, in microseconds; 0 unknown.
    private func reading(_ drafter: HiredDrafter, of job: JobVerification) -> Double {
        (links[drafter.address]?.reading ?? 0) * Double(job.tokens.count)
    }
}

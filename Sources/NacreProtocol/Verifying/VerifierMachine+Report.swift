import NacreCore

/// What the verifier's time went into.
struct VerifierActivity: Sendable {
    private(set) var clock = NodeClock()
    private var last: Instant?
    private var wasPassing = false
    private var wasWaiting = false
    /// When the pass in flight began; the one before it.
    private var passBegan: Instant?
    private var pass: (began: Instant, ended: Instant)?

    init() {}

    /// - Parameter isWanted: whether a job could be decoded.
    mutating func note(isPassing: Bool, isWanted: Bool, at now: Instant) {
        if let last, now > last {
            if wasPassing {
                clock.passing += UInt64(now - last)
            } else if wasWaiting {
                clock.waiting += UInt64(now - last)
            }
        }
        if isPassing, !wasPassing { passBegan = now }
        if !isPassing, let began = passBegan {
            pass = (began, now)
            passBegan = nil
        }
        last = now
        wasPassing = isPassing
        wasWaiting = !isPassing && isWanted
    }

    /// Of the `microseconds` before `now`, those in which a pass ran: the one in flight and the last one count.
    func passed(in microseconds: Int, before now: Instant) -> UInt64 {
        let began = now + -microseconds
        var sum = 0
        if let passBegan { sum += now - max(passBegan, began) }
        if let pass { sum += max(0, pass.ended - max(pass.began, began)) }
        return UInt64(max(0, min(sum, microseconds)))
    }
}

// What is told of drafts and time.
extension VerifierMachine {
    mutating func noteActivity(at now: Instant) {
        activity.note(
            isPassing: pass != nil, isWanted: jobs.contains { $0.hasContext && !$0.isPrefilling }, at: now)
    }

    /// Drafts came.
    mutating func count(_ draft: Draft, of index: Int, at now: Instant) {
        let overlap = activity.passed(in: Int(draft.microseconds), before: now)
        withPair(pairKey(of: jobs[index]), at: now) { pair in
            pair.counts.drafted += UInt64(draft.count)
            pair.counts.draftMicroseconds += UInt64(draft.microseconds)
            pair.counts.overlapMicroseconds += overlap
        }
    }

    /// A round of the job is over.
    mutating func count(_ tokens: Int, of index: Int, _ key: PairKey, at now: Instant) {
        let (new, old) = (jobs[index].statistics, jobs[index].counted)
        jobs[index].counted = new
        func rise(_ new: [UInt64], _ old: [UInt64]) -> [UInt64] {
            new.indices.map { new[$0] - ($0 < old.count ? old[$0] : 0) }
        }
        var counts = PairCounts()
        counts.tokens = UInt64(tokens)
        counts.rounds = new.rounds - old.rounds
        counts.verified = new.verified - old.verified
        counts.judgedAt = rise(new.judgedAt, old.judgedAt)
        counts.acceptedAt = rise(new.acceptedAt, old.acceptedAt)
        withPair(key, at: now) { $0.counts.add(counts) }
    }

    /// What its jobs, and those that were here lately, do with drafts; in the order of their first jobs.
    package func reports(at now: Instant) -> [PairReport] {
        pairs.pairs.compactMap { pair in
            let own = jobs.filter { $0.hasContext && pairKey(of: $0) == pair.key }
            // Of drafts that nobody makes nothing was learnt.
            guard !own.isEmpty || pair.key.draftModel != nil && pair.counts.rounds > 0 else { return nil }
            let (state, reason, ratio) = state(of: pair, own)
            return PairReport(
                draftModel: pair.key.draftModel ?? 0, method: pair.key.method, policy: pair.key.policy.description,
                tree: pair.key.shape.description, state: state, reason: reason, ratio: Float(ratio),
                milliseconds: UInt32(clamping: (now - pair.since) / 1_000), jobs: own.count, counts: pair.counts)
        }
    }

    private func state(
        of pair: DraftingPair, _ own: [JobVerification]
    ) -> (state: DraftingState, reason: String, ratio: Double) {
        if pair.key.method == .autoregressive || pair.key.method == .beam {
            return (.plain, "the method drafts nothing", 0)
        }
        if pair.key.policy.draftsNothing { return (.resting, "policy \(pair.key.policy) turns drafts off", 0) }
        guard pair.key.draftModel != nil else {
            return (.noDrafter, "no drafter is ready: plain decoding until there is one", 0)
        }
        if pair.key.method.isLossy { return (.fixed, "a lossy method keeps its beam search, whatever it costs", 0) }
        if pair.key.method.usesBeams { return (.fixed, "a draft forest is kept, whatever it costs", 0) }
        if pair.key.gamma > 0 { return (.fixed, "gamma \(pair.key.gamma) is kept, whatever it costs", 0) }
        if case .fixed = pair.key.shape { return (.fixed, "the tree is kept, whatever it costs", 0) }
        if !own.isEmpty, own.allSatisfy({ restsByModel($0) }) {
            return (.resting, "no draft is likely enough to be worth its place in a pass: resting", 0)
        }
        guard let governor = pair.governor else { return (.drafting, Governor.Reason.notMeasured.description, 0) }
        let ratio =
            switch governor.reason {
            case .pays(let ratio), .shortened(let ratio), .slower(let ratio): ratio
            case .notMeasured, .probing, .shorterPays: 0.0
            }
        if !own.isEmpty, governor.phase == .drafting || governor.phase == .shortened, own.allSatisfy(\.pace.restsAlone)
        {
            return (.resting, "no job's text is one that the drafter guesses well enough: resting", ratio)
        }
        let state: DraftingState =
            switch governor.phase {
            case .drafting: .drafting
            case .shortened: .shortened
            case .resting: .resting
            case .probing: .probing
            case .checking: .checking
            }
        return (state, governor.reason.description, ratio)
    }
}

extension ShardedVerifier {
    /// What the jobs of all shards do with drafts; at most `Limits.pairsMax`, those with jobs first.
    package func reports(at now: Instant) -> [PairReport] {
        var merged: [PairReport] = []
        for report in indices.flatMap({ self[$0].reports(at: now) }) {
            guard let place = merged.firstIndex(where: { $0.isOf(report) }) else {
                merged.append(report)
                continue
            }
            // What most jobs do is what is told.
            var sum = merged[place].jobs < report.jobs ? report : merged[place]
            sum.jobs = merged[place].jobs + report.jobs
            sum.counts = merged[place].counts
            sum.counts.add(report.counts)
            merged[place] = sum
        }
        let (busy, idle) = (merged.filter { $0.jobs > 0 }, merged.filter { $0.jobs == 0 })
        return Array((busy + idle).prefix(Limits.pairsMax))
    }

    /// What the time of all shards went into.
    package var clock: NodeClock {
        indices.reduce(into: NodeClock()) { sum, shard in
            sum.passing += self[shard].activity.clock.passing
            sum.waiting += self[shard].activity.clock.waiting
        }
    }
}

extension PairReport {
    /// Whether both are of the same drafts, on other shards or at another time.
    package func isOf(_ other: PairReport) -> Bool {
        draftModel == other.draftModel && method == other.method && policy == other.policy && tree == other.tree
            && (state == .fixed) == (other.state == .fixed) && (state == .noDrafter) == (other.state == .noDrafter)
    }
}

package import NacreCore

/// How long a job's rounds are: its policy, held to what pays.
package struct JobPace: Sendable {
    package private(set) var policy: DraftLengthPolicy
    private let key: StreamKey
    private var acceptance: PositionalAcceptance?
    /// Drafts of its own that were judged.
    private var judged = 0
    /// What was judged since its pair learnt of it.
    private var news: [DraftInbox.Judgement] = []
    /// No drafts are wanted for now: plain decoding is faster, or the policy turns them off.
    package var rests: Bool { isOff || isTold }
    /// So the pair's governor says, or the job's own acceptance.
    private var isTold = false
    /// So for this job, whatever the pair's others do: its text is not one that the drafter can guess.
    private(set) var restsAlone = false
    /// Verdicts that the drafter was told since it rests.
    private(set) var toldResting = 0
    /// The same of its pair's other jobs, when it joined them.
    private var toldBefore = 0
    /// Rounds since drafting began, while no draft has stood in one; `nil` once one has.
    private var undrafted: Int? = 0

    init(_ policy: PolicySpecification, key: StreamKey) {
        self.policy = DraftLengthPolicy(policy, key: key)
        self.key = key
    }

    /// Another policy from the next round on. What was learnt of acceptance stays.
    mutating func adopt(_ policy: PolicySpecification) {
        self.policy = DraftLengthPolicy(policy, key: key)
        interrupt()
    }

    /// There is no drafter, or no use for this: the job does not rest.
    mutating func interrupt() {
        isTold = false
        undrafted = 0
        restsAlone = false
    }

    var isOff: Bool { policy.specification.draftsNothing }

    /// The drafter is one of this pair: what is known of that holds here too.
    mutating func join(_ pair: DraftingPair, decoding: Int) {
        isTold = !pair.order(ofLoad: decoding).mayDraft
        undrafted = 0
        toldBefore = pair.toldResting
        if judged == 0 { acceptance = PositionalAcceptance(priorAlpha: pair.acceptance.alpha) }
    }

    /// Nothing of its own is known yet.
    var isNew: Bool { judged == 0 }

    /// What was judged since the last call.
    mutating func takeNews() -> [DraftInbox.Judgement] {
        defer { news.removeAll(keepingCapacity: true) }
        return news
    }

    /// - Parameter isLockStep: PEARL, where a pre-verify that passes has judged one draft of a window.
    mutating func record(_ judgement: DraftInbox.Judgement, isLockStep: Bool) {
        acceptance?.record(accepted: judgement.accepted, rejected: judgement.rejected)
        news.append(judgement)
        let judged = judgement.accepted + (judgement.rejected ? 1 : 0)
        self.judged += judged
        // A policy that stops token by token is told in the drafter, which knows the tokens. What was compared while
        // drafts rest was no round of the policy's.
        guard !policy.specification.manual.decidesPerToken, !rests else { return }
        if isLockStep, judged == 1, !judgement.rejected { return }
        policy.observe(RoundOutcome(drafted: judged, accepted: judgement.accepted, hitLimit: true))
    }

    /// The drafts of the first round, before anything was measured.
    mutating func first(_ conditions: RoundConditions) -> Int {
        max(conditions.pacing.draftsMin, policy.draftLength(conditions))
    }

    /// The drafts that the policy wants in the next round, at least one, by the text's own acceptance, which is that of
    /// `conditions` from here on.
    mutating func wanted(_ conditions: inout RoundConditions, isPaced: Bool) -> Int {
        let own = acceptance ?? PositionalAcceptance(priorAlpha: conditions.acceptance.alpha)
        acceptance = own
        conditions.acceptance = own
        conditions.findBest()
        let wanted = isPaced ? policy.draftLength(conditions) : conditions.best.drafts
        return max(conditions.pacing.draftsMin, wanted)
    }

    /// How many drafts the next round may have, by what holds for the pair.
    mutating func follow(_ pair: DraftingPair, wanted: Int, _ conditions: RoundConditions) -> Int {
        let order = pair.order
        // Where all rest nobody does so alone.
        if conditions.peers == 0 || judged < Self.judgedMin || pair.governor?.phase == .resting {
            restsAlone = false
        } else if let governor = pair.governor, governor.phase == .drafting || governor.phase == .shortened {
            let ratio = governor.expectedRatio(Governor.Forecast(conditions, drafts: wanted))
            restsAlone = ratio < (restsAlone ? Governor.gain : 1)
        }
        let wasTold = isTold
        isTold = !order.mayDraft || restsAlone
        if wasTold, !isTold { undrafted = 0 }
        return max(conditions.pacing.draftsMin, order.drafts(wanted: wanted, conditions))
    }

    /// A pass was judged in which so many drafts stood, taken or not.
    mutating func judged(standing drafts: Int) {
        undrafted = drafts > 0 ? nil : undrafted.map { $0 + 1 }
    }

    /// Drafting has begun and its drafts are on their way: rounds without say nothing of those with them. For so long
    /// only: a drafter whose drafts never come is worth what plain decoding is.
    var awaitsDrafts: Bool { undrafted.map { $0 <= Self.undraftedMax } ?? false }

    private static let undraftedMax = 8

    /// The drafter was told of what was committed.
    mutating func told(resting: Bool) { toldResting = resting ? toldResting + 1 : 0 }

    /// Rounds from one verdict to the next while drafts rest: the longer they do the more. A job of a pair that has
    /// rested for long looks once whether its own text is another, and then as rarely as the others.
    var quietRounds: Int {
        DraftWindow.restRounds << min(3, (toldResting == 0 ? 0 : max(toldResting, toldBefore)) / 4)
    }

    /// Judged drafts before a job's own acceptance counts.
    private static let judgedMin = 24
}

// Draft lengths, round by round.
extension VerifierMachine {
    /// Sets the length of the first round of a job that has no drafter yet.
    mutating func beginPacing(_ index: Int) {
        let job = jobs[index]
        guard job.speculation.isPaced, job.readyDrafters.isEmpty else { return }
        jobs[index].schedule.setDraftLength(jobs[index].pace.first(conditions(of: job)))
    }

    /// A round of the job is over, with so many tokens: counts it, and sets the length of the next.
    mutating func repace(_ index: Int, tokens: Int, at now: Instant) {
        let job = jobs[index]
        let key = pairKey(of: job)
        count(tokens, of: index, key, at: now)
        let leader = DraftingPair.Leader(job: job.job, attempt: job.attempt)
        let news = jobs[index].pace.takeNews()
        withPair(key, at: now) { pair in
            for judgement in news { pair.acceptance.record(accepted: judgement.accepted, rejected: judgement.rejected) }
        }
        guard job.speculation.isGoverned, !job.readyDrafters.isEmpty, !job.pace.isOff, !restsByModel(job) else {
            pairs.release(leader)
            jobs[index].pace.interrupt()
            if job.pace.isOff { jobs[index].schedule.restart() }
            return
        }
        let peers = peers(of: index, key)
        if let led = pairs[key]?.leader, led != leader, !peers.contains(led) { pairs.release(led) }
        var shared = conditions(of: job)
        shared.peers = min(peers.count, shared.others)
        // What a pass has room for is shared by all that draft as much.
        shared.most = most(others: shared.others, peers: shared.peers)
        shared.acceptance = pairs[key]?.acceptance ?? shared.acceptance
        shared.findBest()
        var own = shared
        var wanted = jobs[index].pace.wanted(&own, isPaced: job.speculation.isPaced)
        // On shared cores all wait for the longest draft: nobody's is longer than is best for all.
        if key.sharesCores, key.policy == .goodput, shared.peers > 0 {
            wanted = min(wanted, max(shared.pacing.draftsMin, shared.best.drafts))
        }
        let decidesPerToken = job.pace.policy.specification.manual.decidesPerToken
        let forecast = Governor.Forecast(shared, drafts: wanted, endsByItself: decidesPerToken)
        let joint = jointForecast(key, beside: shared, worseThan: forecast)
        let isBeginning = !job.pace.rests && job.pace.awaitsDrafts
        let (isTypical, mayDraft) = (!isReadingBesides(key), pairs[key]?.order.mayDraft)
        // Who rests by himself does not decode as the pair is told: his rounds say nothing about it.
        if job.pace.restsAlone { pairs.release(leader) }
        let committed = tokensCommitted
        let pair = withPair(key, at: now) { pair in
            pair.conditions = shared
            if !job.pace.restsAlone {
                _ = pair.next(
                    leader, forecast, joint: joint, decoding: shared.others + 1, committed: committed,
                    isTypical: isTypical, isBeginning: isBeginning, at: now)
            }
            return pair
        }
        if let mayDraft, mayDraft != pair.order.mayDraft { pairs.disturb(allBut: key) }
        let wasResting = job.pace.rests
        let drafts = jobs[index].pace.follow(pair, wanted: wanted, own)
        guard job.speculation.isPaced else { return }
        // Whatever window was under way is nobody's.
        if jobs[index].pace.rests || wasResting { jobs[index].schedule.restart() }
        if !jobs[index].pace.rests { jobs[index].schedule.setDraftLength(drafts) }
    }

    /// The job's drafter is ready: what its pair knows holds from the first round on.
    mutating func join(_ index: Int) {
        let job = jobs[index]
        guard job.speculation.isGoverned, let pair = pairs[pairKey(of: job)] else { return }
        if job.pace.isNew { jobs[index].acceptance = AcceptanceEstimator(priorAlpha: pair.acceptance.alpha) }
        jobs[index].pace.join(pair, decoding: expected)
    }

    /// What is measured of the job's rounds.
    private func conditions(of job: JobVerification) -> RoundConditions {
        let others = max(0, decoding - 1)
        let pacing: RoundConditions.Pacing =
            switch job.speculation.method {
            case .pearl: .lockStep
            case .stream: .stream
            case .speculative, .autoregressive, .mtad, .beam, .dsbd: .turns
            }
        return RoundConditions(
            pacing, cost: configuration.cost,
            draftMicroseconds: job.drafters.first?.draftMicroseconds ?? 0,
            roundTripMicroseconds: job.drafters.first?.pace.roundTrip ?? Double(configuration.roundTrip),
            acceptance: PositionalAcceptance(),
            others: others, most: most(others: others, peers: 0))
    }

    /// Most drafts of a job in a pass with so many other jobs, of which `peers` draft as much.
    func most(others: Int, peers: Int) -> Int {
        min(Limits.gammaMax, max(1, (configuration.nodesMax - 1 - others) / (peers + 1)))
    }

    /// The job goes on under another policy from its next round on.
    mutating func adopt(_ policy: PolicySpecification, by index: Int, into effects: inout [Effect]) {
        var changed = jobs[index].speculation
        changed.policy = policy
        // The coordinator asks only for what goes together; a policy that would bias drawn drafts is not taken.
        guard policy != jobs[index].speculation.policy, changed.complaint(under: jobs[index].sampling) == nil else {
            return
        }
        jobs[index].speculation = changed
        jobs[index].pace.adopt(policy)
        if !changed.isPaced { jobs[index].schedule = Schedule(changed) }
        for hired in jobs[index].drafters.indices where jobs[index].drafters[hired].isOpen {
            let drafter = jobs[index].drafters[hired]
            if drafter.sharesCores {
                // Another policy may let it go on: that must not be during a pass.
                jobs[index].drafters[hired].policyDue = policy
                continue
            }
            effects.append(
                .toDrafter(
                    address: drafter.address, .streamPolicy(StreamPolicy(stream: drafter.stream, policy: policy))))
        }
    }
}

package import NacreCore

/// How long a job's rounds are: its policy, held to what pays.
package struct JobPace: Sendable {
    package private(set) var policy: DraftLengthPolicy
    private let key: StreamKey
    private var governor = Governor()
    private var acceptance = PositionalAcceptance()
    private var round: Round?
    /// No drafts are wanted for now: plain decoding is faster.
    package private(set) var rests = false

    /// The round that is under way.
    private struct Round: Sendable {
        var began: Instant
        var forecast: Governor.Forecast
        /// Tokens that the verifier had committed by then, of all jobs.
        var committed: UInt64
    }

    init(_ policy: PolicySpecification, key: StreamKey) {
        self.policy = DraftLengthPolicy(policy, key: key)
        self.key = key
    }

    /// Another policy from the next round on. What was learnt of acceptance and speed stays.
    mutating func adopt(_ policy: PolicySpecification) {
        self.policy = DraftLengthPolicy(policy, key: key)
        interrupt()
    }

    /// There is no drafter, or no use for this: what comes next is no round to learn from, and none that rests.
    mutating func interrupt() {
        round = nil
        rests = false
    }

    /// - Parameter isLockStep: PEARL, where a pre-verify that passes has judged one draft of a window.
    mutating func record(_ judgement: DraftInbox.Judgement, isLockStep: Bool) {
        acceptance.record(accepted: judgement.accepted, rejected: judgement.rejected)
        // A policy that stops token by token is told in the drafter, which knows the tokens.
        guard !policy.specification.manual.decidesPerToken else { return }
        let judged = judgement.accepted + (judgement.rejected ? 1 : 0)
        if isLockStep, judged == 1, !judgement.rejected { return }
        policy.observe(RoundOutcome(drafted: judged, accepted: judgement.accepted, hitLimit: true))
    }

    /// The drafts of the first round, before anything was measured.
    mutating func first(_ conditions: RoundConditions) -> Int {
        max(conditions.pacing.draftsMin, policy.draftLength(conditions))
    }

    /// A round is over: how many drafts the next may have.
    ///
    /// - Parameters:
    ///   - conditions: measured, with the acceptance left to this.
    ///   - committed: tokens that the verifier has committed, of all jobs.
    ///   - isTypical: whether the round's passes held no text of other jobs.
    mutating func next(_ conditions: RoundConditions, committed: UInt64, isTypical: Bool, at now: Instant) -> Int {
        var conditions = conditions
        conditions.acceptance = acceptance
        if let round, isTypical {
            governor.record(
                GovernedRound(
                    forecast: round.forecast, tokens: Double(committed - round.committed),
                    microseconds: Double(now - round.began)))
        }
        let least = conditions.pacing.draftsMin
        let wanted = max(least, policy.draftLength(conditions))
        // How many a policy lets through that stops token by token is not known before.
        let expected = policy.specification.manual.decidesPerToken ? min(wanted, conditions.best.drafts) : wanted
        let forecast = Governor.Forecast(conditions, drafts: max(least, expected))
        let order = governor.next(forecast)
        round = Round(began: now, forecast: forecast, committed: committed)
        rests = !order.mayDraft
        return max(least, order.drafts(wanted: wanted, conditions))
    }
}

// Draft lengths, round by round.
extension VerifierMachine {
    /// Sets the length of the first round of a job that has no drafter yet.
    mutating func beginPacing(_ index: Int) {
        let job = jobs[index]
        guard job.speculation.isPaced, job.readyDrafters.isEmpty else { return }
        jobs[index].schedule.setDraftLength(jobs[index].pace.first(conditions(of: job)))
    }

    /// Sets the length of the job's next round.
    mutating func repace(_ index: Int, at now: Instant) {
        let job = jobs[index]
        guard job.speculation.isPaced, !job.readyDrafters.isEmpty else {
            jobs[index].pace.interrupt()
            return
        }
        let wasResting = job.pace.rests
        let isTypical = !jobs.contains { $0.hasContext && $0.isPrefilling }
        let drafts = jobs[index].pace.next(
            conditions(of: job), committed: tokensCommitted, isTypical: isTypical, at: now)
        if jobs[index].pace.rests {
            // Whatever window was under way is nobody's.
            jobs[index].schedule.restart()
        } else {
            if wasResting { jobs[index].schedule.restart() }
            jobs[index].schedule.setDraftLength(drafts)
        }
    }

    /// What is measured of the job's rounds.
    private func conditions(of job: JobVerification) -> RoundConditions {
        let decoding = jobs.count { $0.hasContext && !$0.isPrefilling }
        let others = max(0, decoding - 1)
        let pacing: RoundConditions.Pacing =
            switch job.speculation.method {
            case .pearl: .lockStep
            case .stream: .stream
            case .speculative, .autoregressive, .mtad: .turns
            }
        return RoundConditions(
            pacing, cost: configuration.cost,
            draftMicroseconds: job.drafters.first?.draftMicroseconds ?? 0,
            roundTripMicroseconds: job.drafters.first?.pace.roundTrip ?? Double(configuration.roundTrip),
            acceptance: PositionalAcceptance(),
            others: others, most: min(Limits.gammaMax, max(1, configuration.nodesMax - 1 - others)))
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
        for drafter in jobs[index].drafters where drafter.isOpen {
            effects.append(
                .toDrafter(
                    address: drafter.address, .streamPolicy(StreamPolicy(stream: drafter.stream, policy: policy))))
        }
    }
}

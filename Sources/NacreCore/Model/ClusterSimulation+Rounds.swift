// Draft lengths round by round, as a verifier sets them (`VerifierMachine+Policy.swift`).
extension ClusterSimulation {
    private func conditions(_ job: Int) -> RoundConditions {
        let others = verifiers[job % scenario.verifiers].active - 1
        let streams = drafters[job % max(1, scenario.drafters)].jobs.count
        return RoundConditions(
            scenario.method.pacing, cost: scenario.cost,
            draftMicroseconds: scenario.draftCost.microseconds(nodes: max(1, streams)),
            roundTripMicroseconds: 2 * scenario.link.delay + scenario.link.jitter,
            acceptance: jobs[job].acceptance, others: others, most: scenario.draftsMax)
    }

    /// Decides the next round's draft length, and what the drafter is told of it.
    mutating func nextRound(_ number: Int, tokens: [UInt32]) -> SimulatedJob.VerdictMessage {
        let length = jobs[number].committed.count
        guard scenario.drafters > 0, scenario.method != .autoregressive else {
            return SimulatedJob.VerdictMessage(tokens: tokens, limit: length)
        }
        var conditions = conditions(number)
        if isGoverned { conditions.findBest() }
        var gamma = jobs[number].policy.draftLength(conditions)
        if isGoverned { gamma = governed(number, wanted: gamma, conditions) }
        // A PEARL window of one has nothing to post-verify.
        if scenario.method == .pearl, gamma == 1 { gamma = 2 }
        jobs[number].gamma = gamma
        jobs[number].roundStarted = now
        let ahead =
            switch scenario.method {
            case .autoregressive: 0
            case .speculative: gamma
            case .pearl: jobs[number].isPostVerify && gamma > 0 ? 2 * gamma - 1 : gamma
            case .stream: isResting(number) ? 0 : scenario.window ?? conditions.window(drafts: gamma)
            }
        return SimulatedJob.VerdictMessage(tokens: tokens, limit: length + ahead)
    }

    private mutating func governed(_ number: Int, wanted: Int, _ conditions: RoundConditions) -> Int {
        let wanted = max(conditions.pacing.draftsMin, wanted)
        var shared = conditions
        shared.acceptance = result.pair.acceptance
        shared.findBest()
        let forecast = Governor.Forecast(
            shared, drafts: wanted, endsByItself: scenario.policy.manual.decidesPerToken)
        jobs[number].forecast = forecast
        return jobs[number].governor.next(forecast).drafts(wanted: wanted, conditions)
    }

    /// A policy that turns drafts off is not asked whether they would pay.
    private var isGoverned: Bool { scenario.isGoverned && !scenario.policy.draftsNothing }

    private func isResting(_ number: Int) -> Bool { isGoverned && !jobs[number].governor.order.mayDraft }

    /// Takes in a verdict, and what is compared now and then while drafts rest, which costs a drafter apart nothing.
    mutating func learn(_ number: Int, accepted: Int, rejected: Bool) {
        let compared = jobs[number].compared(resting: isResting(number))
        let told = jobs[number].rest.told
        result.pair.compared = told == 0 && !isResting(number) ? 0 : max(result.pair.compared, told)
        for (accepted, rejected) in [(accepted, rejected), compared] {
            jobs[number].acceptance.record(accepted: accepted, rejected: rejected)
            result.pair.acceptance.record(accepted: accepted, rejected: rejected)
        }
    }

    mutating func govern(_ number: Int, tokens: Int) {
        guard isGoverned, let forecast = jobs[number].forecast else { return }
        let others = verifiers[number % scenario.verifiers].active - 1
        let round = GovernedRound(
            forecast: forecast, tokens: Double(tokens + others), microseconds: now - jobs[number].roundStarted)
        jobs[number].governor.record(round)
    }
}

/// What is known of a pair when a job of it begins, from those before.
package struct SimulatedPair: Sendable {
    /// `nil` before the first job.
    package var governor: Governor?
    package var acceptance = PositionalAcceptance()
    /// How often drafts of the last job were compared since they rest.
    package var compared = 0

    package init() {}
}

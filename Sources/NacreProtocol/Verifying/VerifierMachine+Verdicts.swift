import NacreCore

// What drafters are told, and when.
extension VerifierMachine {
    /// Compares the job's drafts with what was just committed, from `start` on.
    mutating func judgeDrafts(_ index: Int, from start: Position) {
        guard jobs[index].drafter?.isOpen == true else { return }
        let text = jobs[index].tokens
        guard let judgement = jobs[index].drafter?.inbox.commit(from: start, committed: text) else { return }
        jobs[index].record(judgement)
        jobs[index].drafter?.untold += text.count - start.rawValue
        jobs[index].drafter?.roundsUntold += 1
    }

    /// Tells the job's drafter what was committed since the last verdict, unless drafts rest.
    mutating func tellDrafter(_ index: Int, at now: Instant, into effects: inout [Effect]) {
        let job = jobs[index]
        guard let drafter = job.drafter, drafter.isOpen, drafter.untold > 0 else { return }
        if rests(job, drafter), drafter.roundsUntold < DraftWindow.restRounds { return }
        let limit = positionLimit(of: job)
        guard let nextEpoch = jobs[index].drafter?.inbox.offer(committed: job.length, positionLimit: limit) else {
            return
        }
        jobs[index].drafter?.untold = 0
        jobs[index].drafter?.roundsUntold = 0
        jobs[index].drafter?.pace.told(standing: job.view.unjudged, at: now)
        effects.append(
            .toDrafter(
                address: drafter.address,
                .verdict(
                    Verdict(
                        stream: drafter.stream, nextEpoch: nextEpoch, tokens: Array(job.tokens.suffix(drafter.untold)),
                        committed: job.length, positionLimit: limit))))
    }

    /// Jobs with a token in every pass.
    private var decodingJobs: Int { jobs.count { $0.hasContext && !$0.isPrefilling } }

    /// Whether the free-running pipeline is better off without drafts for now. They go on being probed: every verdict
    /// and every draft costs the verifier's cores time that a pass then lacks, so few are exchanged.
    private func rests(_ job: JobVerification, _ drafter: HiredDrafter) -> Bool {
        guard case .stream = job.schedule, drafter.isReady else { return false }
        return !DraftWindow.pays(
            alpha: job.acceptance.alpha, cost: configuration.cost, others: max(0, decodingJobs - 1))
    }

    /// Positions below which the job's drafter may draft: what its schedule asks for, within the job's budget.
    func positionLimit(of job: JobVerification) -> Position {
        // Until the drafter has said how fast it is, a guess that keeps it from running far ahead for nothing.
        let guess = configuration.cost.microseconds(nodes: 1) / 8
        let measured = Double(job.drafter?.microsecondsPerToken ?? 0)
        let window = DraftWindow.size(
            alpha: job.acceptance.alpha, cost: configuration.cost, others: max(0, decodingJobs - 1),
            roundTripMicroseconds: Double(configuration.roundTrip), draftMicroseconds: measured > 0 ? measured : guess)
        return min(job.schedule.positionLimit(committed: job.length, windowPositions: window), job.lengthMax)
    }
}

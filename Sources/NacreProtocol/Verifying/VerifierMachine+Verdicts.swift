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
        guard let address = jobs[index].drafter?.address, jobs[index].drafter?.isOpen == true,
            let untold = jobs[index].drafter?.untold, untold > 0
        else { return }
        let window = window(of: jobs[index])
        if rests(jobs[index], window), jobs[index].drafter?.roundsUntold ?? 0 < DraftWindow.restRounds { return }
        let (limit, length) = (positionLimit(of: jobs[index], window), jobs[index].length)
        guard let stream = jobs[index].drafter?.stream,
            let nextEpoch = jobs[index].drafter?.inbox.offer(committed: length, positionLimit: limit)
        else { return }
        jobs[index].drafter?.untold = 0
        jobs[index].drafter?.roundsUntold = 0
        let standing = jobs[index].view.unjudged
        jobs[index].drafter?.pace.told(standing: standing, at: now)
        effects.append(
            .toDrafter(
                address: address,
                .verdict(
                    Verdict(
                        stream: stream, nextEpoch: nextEpoch, tokens: Array(jobs[index].tokens.suffix(untold)),
                        committed: length, positionLimit: limit))))
    }

    /// Whether the free-running pipeline is better off without drafts for now. They go on being probed: every verdict
    /// and every draft costs the verifier's cores time that a pass then lacks, so few are exchanged.
    private func rests(_ job: JobVerification, _ window: DraftWindow) -> Bool {
        guard case .stream = job.schedule, job.drafter?.isReady == true else { return false }
        return !window.pays
    }

    private func window(of job: JobVerification) -> DraftWindow {
        let decoding = jobs.count { $0.hasContext && !$0.isPrefilling }
        return DraftWindow(alpha: job.acceptance.alpha, cost: configuration.cost, others: max(0, decoding - 1))
    }

    /// Positions below which the job's drafter may draft: what its schedule asks for, within the job's budget.
    func positionLimit(of job: JobVerification) -> Position { positionLimit(of: job, window(of: job)) }

    private func positionLimit(of job: JobVerification, _ window: DraftWindow) -> Position {
        // Until the drafter has said how fast it is, a guess that keeps it from running far ahead for nothing.
        let guess = configuration.cost.microseconds(nodes: 1) / 8
        let measured = Double(job.drafter?.microsecondsPerToken ?? 0)
        let size = window.size(
            roundTripMicroseconds: Double(configuration.roundTrip), draftMicroseconds: measured > 0 ? measured : guess)
        return min(job.schedule.positionLimit(committed: job.length, windowPositions: size), job.lengthMax)
    }
}

import NacreCore

// Judging a finished pass, committing what it decided.
extension VerifierMachine {
    /// Judges every finished pass whose schedule lets it.
    mutating func judgeHeld(at now: Instant, into effects: inout [Effect]) {
        for index in jobs.indices.reversed() {
            guard let held = jobs[index].held, jobs[index].schedule.mayJudge(jobs[index].view) else { continue }
            if let until = holds(index, held.part, held.scores, at: now) {
                if jobs[index].heldUntil != until { effects.append(.wake(at: until)) }
                jobs[index].heldUntil = until
                continue
            }
            jobs[index].heldUntil = nil
            jobs[index].held = nil
            judge(index, held.part, held.scores, at: now, into: &effects)
        }
    }

    /// Until when the verdict waits for scores of another verifier.
    private func holds(_ index: Int, _ part: PassPart, _ scores: [Score], at now: Instant) -> Instant? {
        guard !jobs[index].helpers.isEmpty else { return nil }
        if let until = jobs[index].heldUntil, until <= now { return nil }
        let until = worthHolding(index, jobs[index].decide(part, scores, ends: ends(of: jobs[index])), at: now)
        return jobs[index].heldUntil ?? until
    }

    private mutating func judge(
        _ index: Int, _ part: PassPart, _ scores: [Score], at now: Instant, into effects: inout [Effect]
    ) {
        var decision = jobs[index].decide(part, scores, ends: ends(of: jobs[index]))
        if let pending = decision.pending, !ask(for: pending, part, of: index, at: now, into: &effects) {
            decision.pending = nil
            let token = token(without: pending, behind: decision.path.count, of: jobs[index])
            decision.choices.append(Choice(token: token, margin: .infinity))
        }
        jobs[index].learn(decision, of: part.drafts)
        jobs[index].schedule.judged(passed: jobs[index].isConfirmed(decision, part))
        jobs[index].statistics.rounds += 1
        jobs[index].pace.judged(standing: part.drafts.count)
        // Every committed token but the last is cached then, and nothing else (ALGORITHMS I1).
        let taken = cut(decision.choices, for: jobs[index])
        jobs[index].measure(decision, tokens: taken.choices.count)
        let standing = decision.path.prefix(taken.choices.count).last { part.row(behind: $0) != nil }
        jobs[index].statistics.shardsUsed += UInt64(decision.path.count { part.row(behind: $0) == nil })
        let settlement = part.cover.settle(accepting: standing)
        adoptions += settlement.adoptions
        releases += settlement.releases
        jobs[index].cursor.settle(settlement)
        let kept = jobs[index].speculation.method.isLossy ? part.kept(by: decision, of: taken.choices.count) : nil
        commit(index, taken.choices, kept: kept, at: now, into: &effects)
        if let reason = taken.end { end(at: index, reason, into: &effects) }
    }

    /// The tokens behind which the job has no text.
    private func ends(of job: JobVerification) -> Set<TokenID> { job.ignoresEnds ? [] : configuration.endTokens }

    /// Cut at the end of the generation or of the budget.
    private func cut(_ choices: [Choice], for job: JobVerification) -> (choices: [Choice], end: EndReason?) {
        let ends = ends(of: job)
        var taken = Array(choices.prefix(job.remaining))
        if let end = taken.firstIndex(where: { ends.contains($0.token) }) {
            taken = Array(taken.prefix(through: end))
            return (taken, .endOfGeneration)
        }
        return (taken, taken.count == job.remaining ? .length : nil)
    }

    /// - Parameter kept: what the method's own rule made of the drafts, where that is not whether they are the
    ///   target's own tokens.
    private mutating func commit(
        _ index: Int, _ choices: [Choice], kept: DraftInbox.Judgement? = nil, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard !choices.isEmpty else { return }
        let (start, tokens) = (jobs[index].length, choices.map(\.token))
        jobs[index].append(tokens)
        jobs[index].trace.note(.commit, from: now, to: now, count: tokens.count)
        jobs[index].recorder?.committed(tokens.count, at: now)
        effects.append(
            .toCoordinator(
                .commit(
                    Commit(
                        job: jobs[index].job, attempt: jobs[index].attempt, start: start, tokens: tokens,
                        margins: choices.map(\.margin)))))
        judgeDrafts(index, tokens, kept: kept)
        tokensCommitted += UInt64(tokens.count)
        earnReading(tokens.count, by: jobs[index])
        repace(index, tokens: tokens.count, at: now)
        tellDrafters(index, at: now, into: &effects)
    }

    // MARK: - Rows that come late

    /// Asks for the row of q that a failed test needs; returns whether there is a drafter to ask.
    private mutating func ask(
        for pending: PendingRow, _ part: PassPart, of index: Int, at now: Instant, into effects: inout [Effect]
    ) -> Bool {
        guard let origin = part.origin,
            let hired = jobs[index].drafters.firstIndex(where: { $0.stream == origin.stream }),
            case let drafter = jobs[index].drafters[hired],
            let proposed = try? drafter.inbox.proposed(index: jobs[index].length - jobs[index].promptLength)
        else { return false }
        // The number must be taken before the path is committed and the inbox moves on.
        let number = drafter.inbox.number(of: pending.node)
        let epoch = drafter.inbox.epoch
        jobs[index].awaitedRow = AwaitedRow(
            stream: origin.stream, epoch: epoch, number: number, pending: pending,
            proposed: drafter.origin == origin ? proposed : part.proposed ?? proposed)
        jobs[index].drafters[hired].attentionSince = now
        let request = RowRequest(stream: origin.stream, epoch: epoch, node: number)
        effects.append(.toDrafter(address: drafter.address, .rowRequest(request)))
        return true
    }

    mutating func receive(
        _ row: DraftRow, from address: String, at now: Instant, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        guard
            let index = jobs.firstIndex(where: { job in
                job.awaitedRow?.stream == row.stream
                    && job.drafters.contains { $0.stream == row.stream && $0.address == address }
            }), let awaited = jobs[index].awaitedRow, awaited.number == row.node, awaited.epoch == row.epoch
        else { return }
        guard let token = jobs[index].resume(awaited, with: row.row) else {
            throw ProtocolFault("DraftRow is not the row that its draft was drawn from")
        }
        finish(index, token, at: now, into: &effects)
    }

    /// The drafter was lost before its row came: the token is drawn from the target's law as a whole. That is the one
    /// place where output may lean on a drafter: by how often one is lost in just that moment.
    private func token(without pending: PendingRow, behind path: Int, of job: JobVerification) -> TokenID {
        let place = ChancePlace(job.length - job.promptLength + path, .correction)
        return KeyedChance(key: job.key).token(from: pending.law, at: place)
    }

    mutating func goOnWithoutRow(_ index: Int, at now: Instant, into effects: inout [Effect]) {
        guard let awaited = jobs[index].awaitedRow else { return }
        finish(index, token(without: awaited.pending, behind: 0, of: jobs[index]), at: now, into: &effects)
    }

    private mutating func finish(_ index: Int, _ token: TokenID, at now: Instant, into effects: inout [Effect]) {
        jobs[index].awaitedRow = nil
        let taken = cut([Choice(token: token, margin: .infinity)], for: jobs[index])
        commit(index, taken.choices, at: now, into: &effects)
        if let reason = taken.end { end(at: index, reason, into: &effects) }
    }
}

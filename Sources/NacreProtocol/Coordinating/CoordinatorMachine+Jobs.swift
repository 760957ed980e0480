import NacreCore

// What becomes of a job once a verifier has it.
extension CoordinatorMachine {
    func isCurrent(_ id: JobID, _ attempt: Attempt, on link: LinkID) -> Bool {
        switch jobs[id]?.state {
        case .running(link, attempt), .ending(link, attempt, _, since: _): true
        default: false
        }
    }

    mutating func receive(
        _ tokenized: Tokenized, from link: LinkID, at now: Instant, into effects: inout [Effect]
    ) {
        guard let id = order.first(where: { jobs[$0]?.state == .tokenizing(link, request: tokenized.request) }),
            let node = nodes[link]
        else { return }
        guard tokenized.error.isEmpty, !tokenized.tokens.isEmpty else {
            let reason = tokenized.error.isEmpty ? "the prompt has no tokens: write something" : tokenized.error
            finish(id, .failed(reason), at: now, into: &effects)
            return
        }
        let contextMax = verifiers(of: node.hello.modelDigest).map(\.hello.capacity.context).max() ?? 0
        guard tokenized.tokens.count < contextMax else {
            finish(
                id,
                .failed(
                    "the prompt has \(tokenized.tokens.count) tokens and the target's context holds \(contextMax): "
                        + "shorten it, or start verifiers with --context \(tokenized.tokens.count + 1) or more"),
                at: now, into: &effects)
            return
        }
        jobs[id]?.promptTokens = tokenized.tokens
        jobs[id]?.modelDigest = node.hello.modelDigest
        jobs[id]?.modelName = node.hello.modelName
        jobs[id]?.state = .queued
    }

    mutating func receive(
        _ commit: Commit, from link: LinkID, at now: Instant, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        guard isCurrent(commit.job, commit.attempt, on: link), let state = jobs[commit.job]?.state,
            let length = jobs[commit.job]?.length, let digest = nodes[link]?.hello.vocabularyDigest,
            let vocabulary = vocabularies[digest]
        else {
            staleMessages += 1
            return
        }
        guard case .running = state else { return }  // its outcome is known already
        guard commit.start == length else {
            throw ProtocolFault("Commit starts at \(commit.start), the text ends at \(length)")
        }
        // In place: a copy of the record would copy the whole output with every commit.
        let end = jobs[commit.job]?.append(commit, vocabulary, at: now) ?? nil
        tune(commit.job, tokens: commit.tokens.count, at: now, into: &effects)
        if let end { jobs[commit.job]?.state = .ending(link, commit.attempt, end, since: now) }
        // At its own ends the verifier stops by itself; of a stop string it does not know.
        if end == .stopString {
            effects.append(.send(link, .cancelJob(CancelJob(job: commit.job, attempt: commit.attempt))))
        }
        effects.append(.changed(commit.job))
    }

    mutating func receive(
        _ ended: JobEnded, from link: LinkID, at now: Instant, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        guard isCurrent(ended.job, ended.attempt, on: link) else {
            staleMessages += 1
            return
        }
        try take(ended, from: link, at: now)
        jobs[ended.job]?.add(ended.statistics)
        if case .ending(_, _, let outcome, _) = jobs[ended.job]?.state {
            finish(ended.job, outcome, at: now, into: &effects)
            return
        }
        switch ended.reason {
        case .endOfGeneration: finish(ended.job, .endOfGeneration, at: now, into: &effects)
        case .length: finish(ended.job, .length, at: now, into: &effects)
        case .cancelled: finish(ended.job, .cancelled, at: now, into: &effects)
        case .cacheFull:
            // Later, or on another verifier, there may be room. Only a job that is alone and finds none is at fault.
            if jobs(on: link) > 1 {
                requeue(ended.job)
                effects.append(.changed(ended.job))
            } else {
                let reason = "the target's KV cache was full (start verifiers with a larger --context)"
                retry(ended.job, reason: reason, at: now, into: &effects)
            }
            if jobs[ended.job]?.isOver == false { notBefore[ended.job] = now + Instant.milliseconds(200) }
        case .unsuited:
            // Another verifier may be larger; `place` says that none is.
            jobs[ended.job]?.noteUnsuited(link, ended.detail)
            requeue(ended.job)
            effects.append(.changed(ended.job))
        case .engineFailed:
            retry(ended.job, reason: "the target's engine failed (\(ended.detail))", at: now, into: &effects)
        }
    }

    /// Takes the answers of a job with beams, which has put out nothing before: the first is its output.
    private mutating func take(_ ended: JobEnded, from link: LinkID, at now: Instant) throws(ProtocolFault) {
        guard let job = jobs[ended.job], case .running = job.state else { return }
        let isDone = ended.reason == .endOfGeneration || ended.reason == .length
        guard isDone && job.specification.speculation.method.usesBeams else {
            guard ended.answers.isEmpty else { throw ProtocolFault("JobEnded with answers that nobody asked for") }
            return
        }
        guard let best = ended.answers.first, let digest = nodes[link]?.hello.vocabularyDigest,
            let vocabulary = vocabularies[digest]
        else { throw ProtocolFault("JobEnded of a job with beams holds no answer") }
        guard ended.answers.allSatisfy({ job.length + $0.tokens.count <= job.lengthMax }) else {
            throw ProtocolFault("JobEnded with answers beyond the job's \(job.lengthMax) tokens")
        }
        guard ended.answers.count <= job.specification.speculation.beams.answers,
            ended.answers.allSatisfy({ answer in
                answer.tokens.firstIndex(where: vocabulary.endsGeneration)
                    == (answer.hasEnded ? answer.tokens.count - 1 : nil)
            })
        else { throw ProtocolFault("JobEnded with other answers than were asked for, or of texts that end elsewhere") }
        jobs[ended.job]?.answers = ended.answers.map { JobAnswer($0, vocabulary) }
        let output = Commit(
            job: ended.job, attempt: ended.attempt, start: job.length, tokens: best.tokens,
            margins: best.tokens.map { _ in .infinity })
        _ = jobs[ended.job]?.append(output, vocabulary, at: now)
    }

    mutating func cancel(_ id: JobID, at now: Instant, into effects: inout [Effect]) {
        switch jobs[id]?.state {
        case .queued, .tokenizing: finish(id, .cancelled, at: now, into: &effects)
        case .running(let link, let attempt):
            jobs[id]?.state = .ending(link, attempt, .cancelled, since: now)
            effects.append(.send(link, .cancelJob(CancelJob(job: id, attempt: attempt))))
            effects.append(.changed(id))
        case .ending, .over, nil: break
        }
    }

    /// The attempt is lost through no fault of the job's own; after too many, the job itself is suspected.
    mutating func retry(_ id: JobID, reason: String, at now: Instant, into effects: inout [Effect]) {
        jobs[id]?.attemptsLost += 1
        jobs[id]?.setback = reason
        requeue(id)
        guard let job = jobs[id] else { return }
        if job.attemptsLost >= Limits.attemptsMax {
            let detail = "\(reason), \(job.attemptsLost) times: it is not tried again, to spare the other jobs"
            finish(id, .failed(detail), at: now, into: &effects)
        } else {
            effects.append(.changed(id))
        }
    }

    private mutating func requeue(_ id: JobID) {
        leaveTuning(id)
        jobs[id]?.state = .queued
        jobs[id]?.coreSharers = []
        hired[id] = nil
        wishes.remove(id)
    }

    mutating func finish(_ id: JobID, _ outcome: JobOutcome, at now: Instant, into effects: inout [Effect]) {
        guard var job = jobs[id], !job.isOver else { return }
        // What was held back is text if nothing more could follow; otherwise it may be the beginning of a stop string.
        if outcome == .endOfGeneration || outcome == .length { job.tail = job.assembler.finish() }
        leaveTuning(id)
        job.state = .over(outcome)
        job.ended = now
        let kind = JobKind(
            target: job.modelName, draft: job.draftModels.sorted().joined(separator: "+"),
            method: job.specification.speculation.method.name,
            rule: job.specification.speculation.rule.name)
        totals.add(job, as: kind)
        jobs[id] = job
        hired[id] = nil
        wishes.remove(id)
        notBefore[id] = nil
        effects.append(.changed(id))
    }
}

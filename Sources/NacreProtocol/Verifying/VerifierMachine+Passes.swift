import NacreCore

/// A job's part in the pass in flight.
struct PassShare: Sendable {
    var job: JobID
    var attempt: Attempt
    /// Where the job's cache ended before the pass.
    var from: Position
    /// Rows asked for: 0 for a part that only reads context.
    var rows: Int
}

// Planning a pass, judging it, committing what it decided.
extension VerifierMachine {
    /// Starts the next pass if the engine is free and any job has a turn: for every decoding job the last committed
    /// token and the drafts worth their cost, then context of jobs that are still reading theirs.
    mutating func plan(at now: Instant, into effects: inout [Effect]) {
        guard pass == nil else { return }
        let turns = decodingTurns()
        let reading = jobs.indices.filter { jobs[$0].hasContext && jobs[$0].isPrefilling }
        guard !turns.isEmpty || !reading.isEmpty else { return }
        if turns.count == 1, reading.isEmpty, let until = worthWaiting(turns[0].index, at: now) {
            effects.append(.wake(at: until))
            return
        }
        var next = EnginePass(edits: releases)
        releases = []
        var shares: [PassShare] = []
        for (index, drafts) in turns {
            shares.append(append(jobs[index].tokens.suffix(1) + drafts, of: index, isScored: true, to: &next))
            jobs[index].inFlight = drafts
        }
        var room = min(
            configuration.nodesMax - next.nodes.count,
            turns.isEmpty ? configuration.nodesMax : configuration.prefillShare)
        for offset in reading.indices {
            let index = reading[(offset + prefillTurn) % reading.count]
            // The last token is left for the first decoding pass: its row decides the first output token.
            let pending = jobs[index].tokens[jobs[index].cursor.valid.rawValue..<jobs[index].tokens.count - 1]
            let part = pending.prefix(room)
            guard !part.isEmpty else { continue }
            room -= part.count
            shares.append(append(Array(part), of: index, isScored: false, to: &next))
        }
        prefillTurn += 1
        if let (last, _) = turns.last, reading.isEmpty { pad(&next, with: last) }
        pass = shares
        passNodes = next.nodes.count
        effects.append(.evaluate(next))
    }

    /// Fills the pass up to the size at which it is cheapest, with nodes of the job that stands last in it, which
    /// nobody asks about and the next rewind removes.
    private mutating func pad(_ next: inout EnginePass, with index: Int) {
        let target = configuration.cost.padded(nodes: next.nodes.count)
        let room = configuration.contextMax - jobs[index].cursor.filled.rawValue
        let count = min(target, configuration.nodesMax) - next.nodes.count
        guard count > 0, count <= room, configuration.canRewind, let last = next.nodes.last else { return }
        for offset in 1...count {
            next.nodes.append(ForestNode(token: last.token, position: last.position + offset, sequence: last.sequence))
        }
        jobs[index].cursor.pad(by: count)
    }

    /// Until when a lone job's pass should wait for drafts that are on their way; `nil` starts it now. With several
    /// jobs none waits: the pass is worth its cost without.
    private func worthWaiting(_ index: Int, at now: Instant) -> Instant? {
        let job = jobs[index]
        guard case .stream(let schedule) = job.schedule, let drafter = job.drafter, drafter.isReady,
            !drafter.inbox.isExhausted, let expected = drafter.pace.nextExpected
        else { return nil }
        // Somewhat late is still on its way; later than that it may never come.
        let giveUp = expected + Int(configuration.cost.microseconds(nodes: 1) * VerifierMachine.lateness)
        guard now < giveUp else { return nil }
        let wait = DraftPatience.wait(
            available: drafter.inbox.unjudged(after: job.length).count, alpha: job.acceptance.alpha,
            cost: configuration.cost, nodesMax: min(schedule.nodesMax + 1, job.remaining),
            firstIn: Double(max(0, expected - now)), each: drafter.pace.interval)
        // A draft that comes before wakes the machine by itself.
        return wait.drafts > 0 ? giveUp : nil
    }

    /// How late a draft may be that a pass waits for, as a share of a pass of one node.
    private static let lateness = 0.1

    /// The jobs whose method gives them a turn, each with the drafts that take part.
    private func decodingTurns() -> [(index: Int, drafts: [TokenID])] {
        var turns: [(index: Int, drafts: [TokenID])] = []
        var flexible: [(turn: Int, candidate: ForestPacker.Candidate)] = []
        var fixedNodes = 0
        let ready = jobs.indices.filter { jobs[$0].isReadyToDecode }
        for (rank, index) in ready.enumerated() where fixedNodes < configuration.nodesMax {
            let job = jobs[index]
            // One node stays for each of those to come: no job's drafts keep another from its next token.
            let room = configuration.nodesMax - fixedNodes - 1 - (ready.count - rank - 1)
            let chain = job.drafter?.inbox.unjudged(after: job.length) ?? []
            switch job.schedule.turn(job.view) {
            case .wait: continue
            case .exactly(let count):
                let drafts = chain.prefix(max(0, min(count, room)))
                fixedNodes += drafts.count + 1
                turns.append((index, Array(drafts)))
            case .upTo(let count):
                fixedNodes += 1
                turns.append((index, Array(chain.prefix(count))))
                flexible.append(
                    (
                        turns.count - 1,
                        ForestPacker.Candidate(mandatory: 1, available: count, alpha: job.acceptance.alpha)
                    ))
            }
        }
        guard !flexible.isEmpty else { return turns }
        // Turns that are already fixed are part of the pass's cost, not of the choice.
        let fixed = fixedNodes - flexible.count
        if fixed > 0 { flexible[0].candidate.mandatory += fixed }
        let counts = ForestPacker.pack(
            flexible.map(\.candidate), cost: configuration.cost, nodesMax: configuration.nodesMax)
        for (choice, count) in zip(flexible, counts) {
            turns[choice.turn].drafts = Array(turns[choice.turn].drafts.prefix(count))
        }
        return turns
    }

    private mutating func append(
        _ tokens: [TokenID], of index: Int, isScored: Bool, to next: inout EnginePass
    ) -> PassShare {
        if let edit = jobs[index].cursor.rewindIfNeeded() { next.edits.append(edit) }
        let job = jobs[index]
        for (offset, token) in tokens.enumerated() {
            let position = job.cursor.valid + offset
            let score =
                isScored
                ? ScoreRequest(key: job.key, index: position + 1 - job.promptLength, policy: job.sampling) : nil
            next.nodes.append(
                ForestNode(token: token, position: position, sequence: job.cursor.sequence, score: score))
        }
        jobs[index].cursor.advance(by: tokens.count)
        return PassShare(
            job: job.job, attempt: job.attempt, from: job.cursor.valid, rows: isScored ? tokens.count : 0)
    }

    mutating func conclude(_ outcome: PassOutcome, at now: Instant, into effects: inout [Effect]) {
        guard let shares = pass else { return }
        pass = nil
        switch outcome {
        case .done(let scores, let started, let ended):
            conclude(shares, scores.compactMap(\.choice)[...], started: started, ended: ended, at: now, into: &effects)
        case .cacheFull:
            for share in shares {
                guard let index = index(of: share.job, share.attempt) else { continue }
                jobs[index].cursor.retract(to: share.from)
                jobs[index].inFlight = nil
            }
            // The youngest job gives way; the coordinator places it elsewhere or says why not.
            if let youngest = shares.last, let index = index(of: youngest.job, youngest.attempt) {
                end(at: index, .cacheFull, into: &effects)
            }
        case .failed(let detail):
            for share in shares {
                guard let index = index(of: share.job, share.attempt) else { continue }
                end(at: index, .engineFailed, detail: detail, into: &effects)
            }
        }
    }

    private mutating func conclude(
        _ shares: [PassShare], _ choices: ArraySlice<Choice>, started: Instant, ended: Instant, at now: Instant,
        into effects: inout [Effect]
    ) {
        var choices = choices
        if shares.allSatisfy({ $0.rows > 0 }) {
            configuration.cost.record(nodes: passNodes, microseconds: Double(ended - started))
        }
        for share in shares where share.rows > 0 {
            let rows = Array(choices.prefix(share.rows))
            choices = choices.dropFirst(share.rows)
            guard let index = index(of: share.job, share.attempt), let drafts = jobs[index].inFlight else { continue }
            jobs[index].inFlight = nil
            jobs[index].clock.record(started: started, ended: ended)
            jobs[index].held = (rows, drafts)
        }
    }

    /// Judges every finished pass whose schedule lets it.
    mutating func judgeHeld(at now: Instant, into effects: inout [Effect]) {
        for index in jobs.indices.reversed() {
            guard let held = jobs[index].held, jobs[index].schedule.mayJudge(jobs[index].view) else { continue }
            jobs[index].held = nil
            commit(index, held.choices, drafts: held.drafts, at: now, into: &effects)
        }
    }

    private mutating func commit(
        _ index: Int, _ choices: [Choice], drafts: [TokenID], at now: Instant, into effects: inout [Effect]
    ) {
        let start = jobs[index].length
        let wasOwed = jobs[index].drafter?.inbox.owes == true
        let judged = jobs[index].judge(choices, drafts: drafts, endTokens: configuration.endTokens)
        let tokens = judged.choices.map(\.token)
        effects.append(
            .toCoordinator(
                .commit(
                    Commit(
                        job: jobs[index].job, attempt: jobs[index].attempt, start: start, tokens: tokens,
                        margins: judged.choices.map(\.margin)))))
        judgeDrafts(index, from: start)
        tellDrafter(index, at: now, into: &effects)
        // Silence counts from when there was something to say.
        if !wasOwed { jobs[index].drafter?.attentionSince = now }
        if let reason = judged.end { end(at: index, reason, into: &effects) }
    }
}

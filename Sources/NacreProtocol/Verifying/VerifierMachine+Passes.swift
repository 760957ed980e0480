import NacreCore

// Planning a pass and taking what came of it.
extension VerifierMachine {
    /// Starts the next pass if the engine is free and any job has a turn: for every decoding job the last committed
    /// token and the drafts worth their cost, then context of jobs that are still reading theirs.
    mutating func plan(at now: Instant, into effects: inout [Effect]) {
        guard pass == nil, !areCoresLent(at: now) else { return }
        let reading = readers()
        let reserved = reading.isEmpty ? 0 : min(configuration.prefillShare, readingMin)
        let beamTurns = beamTurns(leaving: reserved, at: now)
        let turns = decodingTurns(leaving: reserved, beside: beamTurns)
        let isAlone = reading.isEmpty && !guests.contains { $0.shard != nil || $0.unread > 0 }
        guard !turns.isEmpty || !beamTurns.isEmpty || !isAlone else { return }
        if turns.count == 1, beamTurns.isEmpty, isAlone, let until = worthWaiting(turns[0].index, at: now) {
            effects.append(.wake(at: until))
            return
        }
        var next = EnginePass(edits: releases, adoptions: adoptions)
        releases = []
        adoptions = []
        for index in reading { sharePrefix(index, edits: &next.edits) }
        var shares: [PassShare] = []
        var free = branchSequences
        for turn in beamTurns { shares.append(add(turn, at: now, free: &free, to: &next, into: &effects)) }
        for turn in turns {
            shares.append(add(turn, branches: &free, to: &next))
            share(turn, beside: next.nodes.count, at: now, into: &effects)
        }
        // The last branch is for what fills the pass up.
        var others = Array(free.dropLast())
        shares += serveGuests(branches: &others, into: &next)
        var room = min(
            configuration.nodesMax - next.nodes.count,
            readingMax(readers: reading.count, decoding: turns.count))
        for index in reading where room > 0 {
            let rest = jobs[index].length - jobs[index].cursor.valid
            // The row of the last token decides the first output token. Where no drafts can be here before that is
            // known, it needs no pass more; else the last token is left for the first pass that decodes.
            if rest <= room, jobs[index].drafters.allSatisfy(\.sharesCores), jobs[index].beams == nil {
                room -= rest
                shares.append(finishReading(index, to: &next))
                continue
            }
            let pending = jobs[index].tokens[jobs[index].cursor.valid.rawValue..<jobs[index].tokens.count - 1]
            let part = pending.prefix(room)
            guard !part.isEmpty else { continue }
            room -= part.count
            shares.append(read(Array(part), of: index, to: &next))
        }
        prefillTurn += 1
        if !turns.isEmpty || !beamTurns.isEmpty, isAlone { pad(&next, with: free.last) }
        guard !next.nodes.isEmpty else {
            // Whoever reads waits for another to read the same: cannot be all of them.
            (releases, adoptions) = (next.edits, next.adoptions)
            return
        }
        if shares.contains(where: \.isReading) { pairs.disturb() }
        pass = shares
        passNodes = next.nodes.count
        effects.append(.evaluate(next))
    }

    // MARK: - Reading context

    /// Nodes that read context in a pass where so many decode. They wait longer for their next token then, but each
    /// pass more costs all that read its fixed part before they have a first one: a share for each that decodes.
    private func readingMax(readers: Int, decoding: Int) -> Int {
        decoding == 0 ? configuration.nodesMax : configuration.prefillShare * max(1, readers / decoding)
    }

    /// Jobs that read their context in the next pass, in the order of their turns. One whose text begins as that of
    /// another which is reading it just now waits for that, and shares its cells then.
    private func readers() -> [Int] {
        let reading = jobs.indices.filter { jobs[$0].hasContext && jobs[$0].isPrefilling }
        let ordered = reading.indices.map { reading[($0 + prefillTurn) % reading.count] }
        return ordered.filter { index in
            // Only what is empty yet can take over cells.
            guard configuration.canRewind, jobs[index].cursor.filled == 0 else { return true }
            return !reading.contains { other in
                guard other < index else { return false }
                let common = commonPrefix(index, other)
                return jobs[other].cursor.valid.rawValue < common && common >= Self.prefixMin
            }
        }
    }

    /// Nodes that are left to those who read: jobs that fill every pass must not keep others from beginning.
    private var readingMin: Int { (configuration.nodesMax + 2) / 4 }

    /// Beginnings shorter than this are not worth sharing, in tokens.
    private static let prefixMin = 32

    /// Tokens that the texts of two jobs begin with alike.
    private func commonPrefix(_ one: Int, _ other: Int) -> Int {
        zip(jobs[one].tokens, jobs[other].tokens).prefix { $0 == $1 }.count
    }

    /// Takes over the beginning of a job's text from another job that has it in the cache.
    private mutating func sharePrefix(_ index: Int, edits: inout [CacheEdit]) {
        guard configuration.canRewind, jobs[index].cursor.filled == 0 else { return }
        var best = (job: index, length: 0)
        for other in jobs.indices where other != index {
            let common = min(
                commonPrefix(index, other), jobs[other].cursor.valid.rawValue, jobs[index].tokens.count - 1)
            if common > best.length { best = (other, common) }
        }
        guard best.length >= Self.prefixMin else { return }
        let length = Position(rawValue: best.length)
        edits.append(.fork(jobs[best.job].cursor.sequence, to: jobs[index].cursor.sequence, length: length))
        jobs[index].cursor.share(length)
    }

    private mutating func read(_ tokens: [TokenID], of index: Int, to next: inout EnginePass) -> PassShare {
        if let edit = jobs[index].cursor.rewindIfNeeded() { next.edits.append(edit) }
        let job = jobs[index]
        for (offset, token) in tokens.enumerated() {
            next.nodes.append(
                ForestNode(token: token, position: job.cursor.valid + offset, sequence: job.cursor.sequence))
        }
        jobs[index].cursor.advance(by: tokens.count)
        return PassShare(job: job, from: job.cursor.valid, rows: 0)
    }

    /// What is left of a job's context, with the row of its last token.
    private mutating func finishReading(_ index: Int, to next: inout EnginePass) -> PassShare {
        var none: [SequenceID] = []
        let turn = JobTurn(index: index, drafts: jobs[index].drafts, chosen: [])
        var share = add(turn, branches: &none, to: &next)
        share.isReading = true
        return share
    }

    // MARK: - Decoding

    /// A job's part in the next pass, chosen.
    struct JobTurn {
        var index: Int
        var drafts: DraftTree
        var chosen: [NodeIndex]
    }

    private mutating func add(
        _ turn: JobTurn, branches free: inout [SequenceID], to next: inout EnginePass
    ) -> PassShare {
        if let edit = jobs[turn.index].cursor.rewindIfNeeded() { next.edits.append(edit) }
        let job = jobs[turn.index]
        let cover = PathCover(
            turn.drafts, chosen: turn.chosen, lead: Array(job.tokens[job.cursor.valid.rawValue...]),
            at: job.cursor.valid,
            owner: job.cursor.sequence, branches: free)
        free.removeFirst(cover.branches.count)
        next.nodes += cover.scoredNodes { position, draft in
            let behind = job.measuresLikelihood ? cover.children(of: draft, in: turn.drafts) : []
            return job.request(behind: position, drafts: behind.map { turn.drafts[$0].token })
        }
        let part = part(cover, turn.drafts, of: job)
        jobs[turn.index].inFlight = part
        jobs[turn.index].cursor.advance(by: cover.lead.count + cover.spine)
        jobs[turn.index].statistics.verified += UInt64(cover.drafts.count)
        jobs[turn.index].statistics.standing += UInt64(turn.drafts.count)
        return PassShare(job: job, from: job.cursor.valid, rows: cover.rows, branches: cover.branches)
    }

    /// Where laws are needed, how the drafts were drawn is part of what is judged.
    private func part(_ cover: PathCover, _ drafts: DraftTree, of job: JobVerification) -> PassPart {
        guard job.needsLaws else {
            let references = job.readyDrafters.first?.inbox.references ?? []
            return PassPart(drafts: drafts, cover: cover, references: references)
        }
        let index = job.length - job.promptLength
        let ready = job.drafters.filter { $0.isReady && $0.inbox.isAbreast }
        if ready.count == 1, let proposed = try? ready[0].inbox.proposed(index: index), proposed.drafts == drafts {
            return PassPart(drafts: drafts, cover: cover, proposed: proposed, origin: ready[0].origin)
        }
        // A union of drafts that are functions of the text is one too.
        return PassPart(
            drafts: drafts, cover: cover, proposed: try? ProposedTree(drafts, index: index, all: .deterministic))
    }

    /// Odd, so that two sizes which alternate both have their turn.
    private static let paddingsMeasured = 61

    /// Fills the pass up to the size at which it is cheapest, with nodes of a sequence of their own, which nobody asks
    /// about and the next pass drops.
    private mutating func pad(_ next: inout EnginePass, with scratch: SequenceID?) {
        let target = min(configuration.cost.padded(nodes: next.nodes.count), configuration.nodesMax)
        guard let scratch, target > next.nodes.count, let token = next.nodes.last?.token else { return }
        paddings += 1
        // Now and then as it is: a size that is always filled up is never measured again.
        guard paddings % Self.paddingsMeasured != 0 else { return }
        for position in 0..<target - next.nodes.count {
            next.nodes.append(ForestNode(token: token, position: Position(rawValue: position), sequence: scratch))
        }
        releases.append(.release(scratch))
    }

    /// Until when a lone job's pass should wait for drafts that are on their way; `nil` starts it now. With several
    /// jobs none waits: the pass is worth its cost without.
    private func worthWaiting(_ index: Int, at now: Instant) -> Instant? {
        let job = jobs[index]
        guard case .stream(let schedule) = job.schedule, let drafter = job.readyDrafters.first,
            !drafter.inbox.isExhausted, let expected = drafter.pace.nextExpected
        else { return nil }
        // Somewhat late is still on its way; later than that it may never come.
        let giveUp = expected + Int(configuration.cost.microseconds(nodes: 1) * VerifierMachine.lateness)
        guard now < giveUp else { return nil }
        let wait = DraftPatience.wait(
            available: job.view.spine, alpha: job.acceptance.alpha,
            cost: configuration.cost, nodesMax: min(schedule.nodesMax + 1, job.remaining),
            firstIn: Double(max(0, expected - now)), each: drafter.pace.interval)
        // A draft that comes before wakes the machine by itself.
        return wait.drafts > 0 ? giveUp : nil
    }

    /// How late a draft may be that a pass waits for, as a share of a pass of one node.
    private static let lateness = 0.1

    // MARK: - After the pass

    mutating func conclude(_ outcome: PassOutcome, at now: Instant, into effects: inout [Effect]) {
        guard let shares = pass else { return }
        pass = nil
        switch outcome {
        case .done(let scores, let started, let ended):
            conclude(shares, scores[...], started: started, ended: ended, into: &effects)
        case .cacheFull:
            let haveGone = endRefusedGuests(shares, into: &effects)
            for share in shares { retract(share) }
            if !haveGone { giveWay(shares, into: &effects) }
        case .failed(let detail):
            for share in shares {
                releases += share.branches.map { .release($0) }
                if let index = job(of: share) { end(at: index, .engineFailed, detail: detail, into: &effects) }
                if let guest = guest(of: share) { endGuest(guest, .engineFailed, into: &effects) }
            }
        }
    }

    private func job(of share: PassShare) -> Int? {
        if case .job(let job, let attempt) = share.owner { index(of: job, attempt) } else { nil }
    }

    func guest(of share: PassShare) -> Int? {
        if case .guest(let id) = share.owner { guests.firstIndex { $0.id == id } } else { nil }
    }

    /// Nothing of the pass was evaluated.
    private mutating func retract(_ share: PassShare) {
        if let index = job(of: share) {
            jobs[index].retract(to: share.from)
        }
        if let guest = guest(of: share) {
            guests[guest].cursor.retract(to: share.from)
            guests[guest].inFlight = nil
        }
    }

    /// Who has the least to lose makes room in the cache: those of other verifiers, then a job whose beams hold more
    /// than any one text may, then the youngest job. The coordinator places it elsewhere or says why not.
    private mutating func giveWay(_ shares: [PassShare], into effects: inout [Effect]) {
        if !guests.isEmpty {
            endGuest(guests.count - 1, .noRoom, into: &effects)
        } else if let index = widestJob ?? shares.compactMap({ job(of: $0) }).max() {
            end(at: index, .cacheFull, into: &effects)
        }
    }

    private mutating func conclude(
        _ shares: [PassShare], _ scores: ArraySlice<Score>, started: Instant, ended: Instant,
        into effects: inout [Effect]
    ) {
        var scores = scores
        if shares.contains(where: \.isReading) {
            pairs.disturb()
        } else {
            configuration.cost.record(nodes: passNodes, microseconds: Double(ended - started))
        }
        for index in jobs.indices where jobs[index].isReadyToDecode && !jobs[index].isInFlight {
            jobs[index].statistics.queueMicroseconds += UInt64(max(0, ended - started))
        }
        for share in shares where share.rows > 0 {
            let rows = Array(scores.prefix(share.rows))
            scores = scores.dropFirst(share.rows)
            if let guest = guest(of: share) {
                answer(guest, rows, microseconds: ended - started, into: &effects)
            } else if let index = job(of: share), jobs[index].isInFlight {
                // What reading took is no part of a round: that is charged what a pass of its own would have been.
                let alone = Int(configuration.cost.microseconds(nodes: 1))
                jobs[index].clock.record(
                    started: share.isReading ? max(started, ended + -alone) : started, ended: ended)
                jobs[index].trace.note(.pass, from: started, to: ended, count: share.rows)
                jobs[index].hold(rows)
            } else {
                // It is gone: nobody will settle its branches.
                releases += share.branches.map { .release($0) }
            }
        }
    }
}

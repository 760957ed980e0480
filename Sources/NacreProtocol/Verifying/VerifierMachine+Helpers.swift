import NacreCore

// Parts of a job's drafts scored by other verifiers of the same target (ARCHITECTURE 8, "over hosts"). What is scored
// is the target's own choice behind each draft, 4 bytes; selecting stays with the job's home.
extension VerifierMachine {
    // MARK: - At home

    /// Binds the job to the verifiers that may score for it.
    mutating func bindHelpers(_ index: Int, to offers: [Offer], at now: Instant, into effects: inout [Effect]) {
        guard configuration.canRewind, !jobs[index].needsLaws else { return }
        let hosts = offers.prefix(jobs[index].speculation.helpers)
        for (offer, streams) in zip(hosts, jobs[index].helperStreams(hosts: hosts.count)) where streams > 0 {
            for _ in 0..<streams {
                jobs[index].helpers.append(
                    ScoreHelper(address: offer.address, stream: nextStream, wantsRows: jobs[index].beams != nil))
                nextStream = nextStream.next
            }
            if links[offer.address] == nil {
                links[offer.address] = PeerLinkState(isHelper: true)
                effects.append(.dial(address: offer.address))
            }
        }
        openHelpers(index, at: now, into: &effects)
    }

    /// By which it is decided what other verifiers are lent.
    var lendingRule: LendingRule {
        LendingRule(cost: configuration.cost, nodesMax: configuration.nodesMax, leadMax: leadMax)
    }

    /// Sends the job's text to the helpers that lack it.
    mutating func openHelpers(_ index: Int, at now: Instant, into effects: inout [Effect]) {
        let job = jobs[index]
        guard job.hasContext else { return }
        for (place, helper) in job.helpers.enumerated() where !helper.isOpen && links[helper.address]?.state == .ready {
            jobs[index].helpers[place].isOpen = true
            jobs[index].helpers[place].told = job.length
            forecastReading(job.tokens.count - 1, by: place, of: index, at: now)
            for start in stride(from: 0, to: job.tokens.count, by: Limits.contextChunkTokens) {
                let part = job.tokens[start..<min(start + Limits.contextChunkTokens, job.tokens.count)]
                let open = ScoreOpen(
                    stream: helper.stream, job: job.job, attempt: job.attempt, key: job.key, sampling: job.sampling,
                    promptLength: job.promptLength, contextTotal: job.tokens.count, contextOffset: start,
                    context: Array(part), wantsRows: helper.wantsRows)
                effects.append(.toDrafter(address: helper.address, .scoreOpen(open)))
            }
        }
    }

    /// A helper begins to read so many tokens. What one host reads of several texts it reads in the same passes, so
    /// that all of them are read when the last one is.
    private mutating func forecastReading(_ unread: Int, by place: Int, of index: Int, at now: Instant) {
        let address = jobs[index].helpers[place].address
        let others = jobs.flatMap(\.helpers).filter { $0.address == address }.map(\.readBy).max() ?? now
        let end = max(now, others) + Int(lendingRule.reading(unread))
        jobs[index].helpers[place].readBy = end
        for job in jobs.indices {
            for other in jobs[job].helpers.indices
            where jobs[job].helpers[other].address == address && jobs[job].helpers[other].readBy > now {
                jobs[job].helpers[other].readBy = end
            }
        }
    }

    /// Gives drafts that have no place in the pass that begins to a helper that has nothing to do. One that has more to
    /// read first than this pass takes gets what it lacks, and drafts of a later pass.
    ///
    /// - Parameter nodes: of the pass so far.
    mutating func share(_ turn: JobTurn, beside nodes: Int, at now: Instant, into effects: inout [Effect]) {
        let job = jobs[turn.index]
        // Of several the one that has read most.
        let idle = job.helpers.indices.filter { job.helpers[$0].isIdle(at: now) }
        guard let place = idle.max(by: { (job.helpers[$0].told, $1) < (job.helpers[$1].told, $0) }) else { return }
        var drafts = shard(of: turn, for: job)
        guard !drafts.isEmpty else { return }
        let helper = job.helpers[place]
        let (unread, here) = (job.length - helper.told - 1, configuration.cost.microseconds(nodes: max(1, nodes)))
        let isBehind = !lendingRule.isRead(unread, here: here)
        if isBehind { drafts = DraftTree(root: job.length) }
        let number = helper.nextNumber
        let message = ScoreShard(
            stream: helper.stream, shard: number, keep: helper.told, tokens: Array(job.tokens[helper.told.rawValue...]),
            parents: drafts.nodes.map { $0.parent.map { $0.rawValue + 1 } ?? 0 }, drafts: drafts.nodes.map(\.token))
        jobs[turn.index].helpers[place].told = job.length
        jobs[turn.index].helpers[place].nextNumber = number &+ 1
        if isBehind {
            // Nothing is said to a text without drafts.
            jobs[turn.index].helpers[place].readBy = now + Int(lendingRule.reading(unread))
        } else {
            jobs[turn.index].helpers[place].shard = ScoreHelper.Shard(
                number: number, base: job.length, drafts: drafts, sent: now)
            jobs[turn.index].statistics.shardsSent += UInt64(drafts.count)
        }
        effects.append(.toDrafter(address: helper.address, .scoreShard(message)))
    }

    /// The most valuable drafts without a place in the pass, with all above them.
    private func shard(of turn: JobTurn, for job: JobVerification) -> DraftTree {
        let worth = job.worth(of: turn.drafts)
        let chosen = Set(turn.chosen)
        let left = turn.drafts.indices.filter { !chosen.contains($0) && turn.drafts[$0].depth < job.remaining }
            .sorted { (worth[$1.rawValue], $0) < (worth[$0.rawValue], $1) }
        var taken: Set<NodeIndex> = []
        var gain = 0.0
        for node in left {
            let path = turn.drafts.path(to: node).filter { !taken.contains($0) }
            guard taken.count + path.count <= Self.shardMax else { continue }
            taken.formUnion(path)
            gain += worth[node.rawValue]
        }
        guard gain >= Self.gainMin else { return DraftTree(root: turn.drafts.root) }
        return turn.drafts.keeping(taken).tree
    }

    /// Drafts of one shard, those above included: a pass of a good size.
    private static let shardMax = 16
    /// Tokens that a shard must promise: less is not worth the messages.
    private static let gainMin = 0.1

    /// Until when a finished pass should wait for a helper whose shard its decision leads into; `nil`: no longer.
    func worthHolding(_ index: Int, _ decision: Decision, at now: Instant) -> Instant? {
        let job = jobs[index]
        let path = decision.choices.map(\.token)
        for helper in job.helpers {
            guard let shard = helper.shard, shard.choices == nil, helper.response > 0,
                shard.place(of: job.tokens, path) != nil
            else { continue }
            let expected = shard.sent + Int(helper.response * 1.1)
            let most = now + Int(configuration.cost.microseconds(nodes: 1) * DraftPatience.shareMax)
            if expected > now, expected <= most { return expected }
        }
        return nil
    }

    mutating func receiveAsHome(_ message: Message, from address: String, at now: Instant) throws(ProtocolFault) {
        switch message {
        case .scores(let scores):
            guard let (index, place) = helper(of: scores.stream, at: address) else { return }
            try check(scores.choices.map(\.token))
            let debt = jobs[index].helpers[place].debt
            if jobs[index].helpers[place].wantsRows {
                try jobs[index].helpers[place].receiveRows(
                    scores, at: now, vocabularySize: configuration.vocabularySize, jobs[index].sampling)
            } else {
                try jobs[index].helpers[place].receive(scores, at: now)
            }
            // Once all of it is here, in however many messages; a text that was only read is no shard that was scored.
            if let debt, !debt.isReading, jobs[index].helpers[place].debt == nil {
                jobs[index].trace.note(.shard, lane: place, from: debt.since, to: now, count: debt.drafts)
            }
        case .scoreClose(let close):
            guard let (index, place) = helper(of: close.stream, at: address) else { return }
            jobs[index].helpers.remove(at: place)
        default: throw ProtocolFault("this message is not for the home of a job")
        }
    }

    func check(_ tokens: [TokenID]) throws(ProtocolFault) {
        guard tokens.allSatisfy({ Int($0.rawValue) < configuration.vocabularySize }) else {
            throw ProtocolFault("a token is outside the vocabulary of \(configuration.vocabularySize)")
        }
    }

    private func helper(of stream: StreamID, at address: String) -> (job: Int, helper: Int)? {
        for index in jobs.indices {
            let place = jobs[index].helpers.firstIndex { $0.stream == stream && $0.address == address }
            if let place { return (index, place) }
        }
        return nil
    }

    /// A lost helper changes nothing but speed.
    mutating func helperLost(_ address: String) {
        for index in jobs.indices { jobs[index].helpers.removeAll { $0.address == address } }
    }

    /// One that owes an answer for too long is done without, as if it were lost.
    mutating func dismissHelper(_ place: Int, of index: Int, into effects: inout [Effect]) {
        let helper = jobs[index].helpers.remove(at: place)
        let close = ScoreClose(stream: helper.stream, reason: .dismissed)
        effects.append(.toDrafter(address: helper.address, .scoreClose(close)))
    }

    /// Does without drafters and helpers that owe something for too long.
    mutating func dismissSilent(at now: Instant, into effects: inout [Effect]) {
        dismissSilentDrafters(at: now, into: &effects)
        dismissSilentHelpers(at: now, into: &effects)
    }

    /// Trees that a pass waits for have less time (`beamRows`); for the others, and for a text to read, nobody waits.
    private mutating func dismissSilentHelpers(at now: Instant, into effects: inout [Effect]) {
        for index in jobs.indices {
            for place in jobs[index].helpers.indices.reversed() {
                guard let debt = jobs[index].helpers[place].debt, now - debt.since > configuration.primingMax
                else { continue }
                dismissHelper(place, of: index, into: &effects)
            }
        }
    }

    mutating func dismissHelpers(of job: JobVerification, into effects: inout [Effect]) {
        for helper in job.helpers where helper.isOpen && links[helper.address]?.state == .ready {
            let close = ScoreClose(stream: helper.stream, reason: .jobEnded)
            effects.append(.toDrafter(address: helper.address, .scoreClose(close)))
        }
    }
}

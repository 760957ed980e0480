import NacreCore

// Parts of a job's drafts scored by other verifiers of the same target (ARCHITECTURE 8, "over hosts"). What is scored
// is the target's own choice behind each draft, 4 bytes; selecting stays with the job's home.
extension VerifierMachine {
    // MARK: - At home

    /// Binds the job to the verifiers that may score for it.
    mutating func bindHelpers(_ index: Int, to offers: [Offer], into effects: inout [Effect]) {
        guard configuration.canRewind, !jobs[index].needsLaws else { return }
        for offer in offers where jobs[index].helpers.count < jobs[index].speculation.helpers {
            jobs[index].helpers.append(ScoreHelper(address: offer.address, stream: nextStream))
            nextStream = nextStream.next
            if links[offer.address] == nil {
                links[offer.address] = PeerLinkState(isHelper: true)
                effects.append(.dial(address: offer.address))
            }
        }
        openHelpers(index, into: &effects)
    }

    /// Sends the job's text to the helpers that lack it.
    mutating func openHelpers(_ index: Int, into effects: inout [Effect]) {
        let job = jobs[index]
        guard job.hasContext else { return }
        for (place, helper) in job.helpers.enumerated() where !helper.isOpen && links[helper.address]?.state == .ready {
            jobs[index].helpers[place].isOpen = true
            jobs[index].helpers[place].told = job.length
            for start in stride(from: 0, to: job.tokens.count, by: Limits.contextChunkTokens) {
                let part = job.tokens[start..<min(start + Limits.contextChunkTokens, job.tokens.count)]
                let open = ScoreOpen(
                    stream: helper.stream, job: job.job, attempt: job.attempt, key: job.key, sampling: job.sampling,
                    promptLength: job.promptLength, contextTotal: job.tokens.count, contextOffset: start,
                    context: Array(part))
                effects.append(.toDrafter(address: helper.address, .scoreOpen(open)))
            }
        }
    }

    /// Gives drafts that have no place in the pass that begins to a helper that has nothing to do.
    mutating func share(_ turn: JobTurn, at now: Instant, into effects: inout [Effect]) {
        let job = jobs[turn.index]
        guard let place = job.helpers.firstIndex(where: \.isIdle) else { return }
        let drafts = shard(of: turn, for: job)
        guard !drafts.isEmpty else { return }
        let helper = job.helpers[place]
        let number = helper.nextNumber
        let message = ScoreShard(
            stream: helper.stream, shard: number, keep: helper.told, tokens: Array(job.tokens[helper.told.rawValue...]),
            parents: drafts.nodes.map { $0.parent.map { $0.rawValue + 1 } ?? 0 }, drafts: drafts.nodes.map(\.token))
        jobs[turn.index].helpers[place].told = job.length
        jobs[turn.index].helpers[place].nextNumber = number &+ 1
        jobs[turn.index].helpers[place].shard = ScoreHelper.Shard(
            number: number, base: job.length, drafts: drafts, sent: now)
        jobs[turn.index].statistics.shardsSent += UInt64(drafts.count)
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
            if let shard = jobs[index].helpers[place].shard, shard.number == scores.shard {
                jobs[index].trace.note(.shard, lane: place, from: shard.sent, to: now, count: shard.drafts.count)
            }
            try jobs[index].helpers[place].receive(scores, at: now)
        case .scoreClose(let close):
            guard let (index, place) = helper(of: close.stream, at: address) else { return }
            jobs[index].helpers.remove(at: place)
        default: throw ProtocolFault("this message is not for the home of a job")
        }
    }

    private func check(_ tokens: [TokenID]) throws(ProtocolFault) {
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

    mutating func dismissHelpers(of job: JobVerification, into effects: inout [Effect]) {
        for helper in job.helpers where helper.isOpen && links[helper.address]?.state == .ready {
            let close = ScoreClose(stream: helper.stream, reason: .jobEnded)
            effects.append(.toDrafter(address: helper.address, .scoreClose(close)))
        }
    }

    // MARK: - As a helper

    mutating func receiveAsHelper(
        _ message: Message, on link: LinkID, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        guard let hasGreeted = hosts[link] else { return }
        switch message {
        case .greeting(let greeting) where !hasGreeted:
            guard greeting.role == .verifier, greeting.modelDigest == configuration.modelDigest else {
                throw ProtocolFault("\(greeting.node) is not a verifier of the same weights")
            }
            hosts[link] = true
            effects.append(.toHost(link, .greeting(self.greeting(as: .verifier))))
        case .scoreOpen(let open) where hasGreeted:
            try receive(open, on: link, into: &effects)
        case .scoreShard(let shard) where hasGreeted:
            guard let guest = guests.firstIndex(where: { $0.link == link && $0.stream == shard.stream }) else { return }
            try check(shard.tokens)
            guard shard.keep.rawValue + shard.tokens.count < configuration.contextMax else {
                endGuest(guest, .contextTooLong, into: &effects)
                return
            }
            guard shard.drafts.count + 1 + leadMax <= configuration.nodesMax else {
                endGuest(guest, .noRoom, into: &effects)
                return
            }
            try guests[guest].receive(
                shard, vocabularySize: configuration.vocabularySize, contextMax: configuration.contextMax)
        case .scoreClose(let close) where hasGreeted:
            if let guest = guests.firstIndex(where: { $0.link == link && $0.stream == close.stream }) {
                removeGuest(guest)
            }
        case .goodbye: hostLost(link)
        default: throw ProtocolFault("this message is not for a verifier that scores, or not now")
        }
    }

    private mutating func receive(
        _ open: ScoreOpen, on link: LinkID, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        try check(open.context)
        if let guest = guests.firstIndex(where: { $0.link == link && $0.stream == open.stream }) {
            try guests[guest].receive(open)
            return
        }
        guard open.contextOffset == 0 else { return }  // a later part of a stream that was refused
        guard open.contextTotal > 0, open.context.count <= open.contextTotal,
            open.promptLength.rawValue <= open.contextTotal
        else { throw ProtocolFault("ScoreOpen of \(open.contextTotal) tokens holds \(open.context.count)") }
        func refuse(_ reason: CloseReason) {
            effects.append(.toHost(link, .scoreClose(ScoreClose(stream: open.stream, reason: reason))))
        }
        guard open.contextTotal < configuration.contextMax, configuration.canRewind else {
            return refuse(.contextTooLong)
        }
        // Jobs of one's own come first: the last sequence is kept for them.
        guard freeSequences.count > 1, let sequence = freeSequences.popLast() else { return refuse(.noRoom) }
        guests.append(GuestStream(open, link: link, sequence: sequence))
    }

    mutating func endGuest(_ guest: Int, _ reason: CloseReason, into effects: inout [Effect]) {
        let (link, stream) = (guests[guest].link, guests[guest].stream)
        removeGuest(guest)
        effects.append(.toHost(link, .scoreClose(ScoreClose(stream: stream, reason: reason))))
    }

    private mutating func removeGuest(_ guest: Int) {
        let sequence = guests.remove(at: guest).cursor.sequence
        releases.append(.release(sequence))
        freeSequences.append(sequence)
    }

    mutating func hostLost(_ link: LinkID) {
        hosts[link] = nil
        while let guest = guests.firstIndex(where: { $0.link == link }) { removeGuest(guest) }
    }

    /// Adds what guests want of the pass: shards first, then text to read.
    mutating func serveGuests(branches free: inout [SequenceID], into next: inout EnginePass) -> [PassShare] {
        var shares: [PassShare] = []
        for guest in guests.indices {
            let room = configuration.nodesMax - next.nodes.count
            let stream = guests[guest]
            if stream.unread > leadMax {
                let part = Array(stream.tokens[stream.cursor.valid.rawValue...].prefix(min(stream.unread, room / 2)))
                if !part.isEmpty { shares.append(read(part, ofGuest: guest, into: &next)) }
            } else if let shard = stream.shard, stream.unread + 1 + shard.drafts.count <= room,
                shard.drafts.leaves - 1 <= free.count, let taken = guests[guest].take()
            {
                shares.append(score(taken.drafts, number: taken.number, ofGuest: guest, &free, into: &next))
            }
        }
        return shares
    }

    private mutating func read(_ tokens: [TokenID], ofGuest guest: Int, into next: inout EnginePass) -> PassShare {
        if let edit = guests[guest].cursor.rewindIfNeeded() { next.edits.append(edit) }
        let start = guests[guest].cursor.valid
        for (offset, token) in tokens.enumerated() {
            next.nodes.append(
                ForestNode(token: token, position: start + offset, sequence: guests[guest].cursor.sequence))
        }
        guests[guest].cursor.advance(by: tokens.count)
        return PassShare(guest: guests[guest].id, from: start, rows: 0)
    }

    private mutating func score(
        _ drafts: DraftTree, number: UInt32, ofGuest guest: Int, _ free: inout [SequenceID], into next: inout EnginePass
    ) -> PassShare {
        if let edit = guests[guest].cursor.rewindIfNeeded() { next.edits.append(edit) }
        let stream = guests[guest]
        let cover = PathCover(
            drafts, chosen: drafts.indices, lead: Array(stream.tokens[stream.cursor.valid.rawValue...]),
            at: stream.cursor.valid, owner: stream.cursor.sequence, branches: free)
        free.removeFirst(cover.branches.count)
        next.nodes += cover.nodes(score: stream.request(behind:))
        guests[guest].inFlight = (number, cover)
        guests[guest].cursor.advance(by: cover.lead.count + cover.spine)
        return PassShare(guest: stream.id, from: stream.cursor.valid, rows: cover.rows, branches: cover.branches)
    }

    /// Answers a shard that was scored.
    mutating func answer(_ guest: Int, _ scores: [Score], microseconds: Int, into effects: inout [Effect]) {
        guard let (number, cover) = guests[guest].inFlight else { return }
        guests[guest].inFlight = nil
        let settlement = cover.settle(accepting: nil)
        releases += settlement.releases
        guests[guest].cursor.settle(settlement)
        let choices = scores.map { if case .choice(let choice) = $0 { choice } else { Choice(token: 0, margin: 0) } }
        // The cover lays nodes depth first; the home counts them as it sent them.
        var ordered = choices.prefix(1) + Array(repeating: Choice(token: 0, margin: 0), count: cover.drafts.count)
        for (place, draft) in cover.drafts.enumerated() { ordered[draft.node.rawValue + 1] = choices[place + 1] }
        let answer = Scores(
            stream: guests[guest].stream, shard: number, choices: Array(ordered),
            microseconds: UInt32(clamping: microseconds))
        effects.append(.toHost(guests[guest].link, .scores(answer)))
    }

    /// Text up to so many tokens is evaluated in the pass that scores what stands on it.
    var leadMax: Int { min(16, configuration.nodesMax / 4) }
}

extension GuestStream {
    /// What a pass knows it by.
    struct ID: Sendable, Equatable {
        var link: LinkID
        var stream: StreamID
    }

    var id: ID { ID(link: link, stream: stream) }
}

extension DraftTree {
    /// Nodes without children.
    fileprivate var leaves: Int { indices.count { firstChild(of: $0) == nil } }
}

import NacreCore

// Scoring for other verifiers of the same target: their texts are guests here.
extension VerifierMachine {
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
            guard shard.drafts.count + 1 + leadMax <= configuration.nodesMax else {
                endGuest(guest, .noRoom, into: &effects)
                return
            }
            let fits = try guests[guest].receive(
                shard, vocabularySize: configuration.vocabularySize, contextMax: configuration.contextMax)
            if !fits { endGuest(guest, .contextTooLong, into: &effects) }
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

    /// Those whose shard was in a pass that the cache had no room for: it will not come back, and is not waited for.
    ///
    /// - Returns: whether there was one.
    mutating func endRefusedGuests(_ shares: [PassShare], into effects: inout [Effect]) -> Bool {
        let refused = shares.compactMap { guest(of: $0) }.filter { guests[$0].inFlight != nil }
        for guest in refused.sorted(by: >) { endGuest(guest, .noRoom, into: &effects) }
        return !refused.isEmpty
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
        let stream = guests[guest]
        if stream.wantsRows {
            for part in Scores.parts(
                of: stream.rows(scores, of: cover), stream: stream.stream, shard: number, microseconds: microseconds)
            {
                effects.append(.toHost(stream.link, .scores(part)))
            }
            return
        }
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

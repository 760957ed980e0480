import NacreCore

// Planning a pass for all streams and handing out what came of it.
extension DrafterMachine {
    /// Lets lookups draft what they can, which takes no pass.
    mutating func lookUp(into effects: inout [Effect]) {
        for index in streams.indices where streams[index].stream.looksUp {
            streams[index].stream.study(&memory)
            if !configuration.hasModel { announce(index, microsecondsPerToken: 1, into: &effects) }
            // Until a model has read the text, what a verifier waits for is the model.
            if streams[index].stream.isReady { streams[index].stream.lookUp(memory) }
        }
    }

    /// Says once that the stream holds its context.
    private mutating func announce(_ index: Int, microsecondsPerToken: Int, into effects: inout [Effect]) {
        guard !streams[index].stream.isReady else { return }
        streams[index].stream.markReady()
        let address = streams[index].address
        let ready = DraftReady(
            stream: address.stream, microsecondsPerToken: UInt32(clamping: microsecondsPerToken))
        effects.append(.send(address.link, .draftReady(ready)))
    }

    mutating func plan(into effects: inout [Effect]) {
        guard configuration.hasModel else {
            releases = []
            return
        }
        guard pass == nil else { return }
        let drafting = streams.indices.filter { streams[$0].stream.canDraft }
        guard !drafting.isEmpty else { return }
        let anyDraws = drafting.contains { streams[$0].stream.uncached <= configuration.primingShare }
        var room = configuration.nodesMax
        var primingRoom = anyDraws ? configuration.primingShare : configuration.nodesMax
        var next = EnginePass(edits: releases)
        releases = []
        var shares: [Share] = []
        // One node stays for each of those to come: a bushy tree must not keep another stream from its next token.
        for (rank, index) in drafting.enumerated() where room > 0 {
            let isPriming = streams[index].stream.uncached > configuration.primingShare
            let own = max(1, room - (drafting.count - rank - 1))
            // Forks are edits, done before any node: a branch that a stream gives up here is not free for another.
            let work = streams[index].stream.work(room: isPriming ? min(own, primingRoom) : own, free: &freeSequences)
            guard !work.nodes.isEmpty else { continue }
            if isPriming { primingRoom -= work.nodes.count }
            room -= work.nodes.count
            next.edits += work.edits
            next.nodes += work.nodes
            shares.append(
                Share(
                    address: streams[index].address, rollbacks: streams[index].stream.rollbacks,
                    expansions: work.expansions, asks: work.asks))
        }
        guard !next.nodes.isEmpty else {
            releases = next.edits
            return
        }
        pass = shares
        effects.append(.evaluate(next))
    }

    mutating func conclude(_ outcome: PassOutcome, into effects: inout [Effect]) {
        guard let shares = pass else { return }
        pass = nil
        switch outcome {
        case .done(let scores, let started, let ended):
            // What a draft of one stream waits for is the whole pass.
            let elapsed = max(1, ended - started)
            microsecondsPerToken =
                microsecondsPerToken == 0 ? elapsed : (microsecondsPerToken * 7 + elapsed) / 8
            var scores = scores[...]
            for share in shares {
                let own = scores.prefix(share.rows)
                scores = scores.dropFirst(share.rows)
                deliver(own, to: share, microseconds: elapsed, into: &effects)
            }
        case .cacheFull:
            // The youngest stream gives way: those before it have more work in their caches. What the refused pass
            // planned for them is not there.
            if let youngest = shares.last { end(youngest.address, .noRoom, into: &effects) }
            for share in shares {
                guard let index = index(of: share.address) else { continue }
                abandon(share, of: index)
                streams[index].stream.forgetCache(releases: &releases, free: &freeSequences)
            }
        case .failed:
            for share in shares { end(share.address, .engineFailed, into: &effects) }
        }
    }

    private mutating func abandon(_ share: Share, of index: Int) {
        guard streams[index].stream.rollbacks == share.rollbacks else { return }
        for expansion in share.expansions { streams[index].stream.abandon(expansion) }
    }

    private mutating func deliver(
        _ scores: ArraySlice<Score>, to share: Share, microseconds: Int, into effects: inout [Effect]
    ) {
        guard let index = index(of: share.address) else { return }
        guard streams[index].stream.forest == nil else {
            return deliverForest(scores, to: share, at: index, microseconds: microseconds, into: &effects)
        }
        guard !scores.isEmpty else { return }
        announce(index, microsecondsPerToken: microsecondsPerToken, into: &effects)
        guard streams[index].stream.rollbacks == share.rollbacks else { return }
        for (score, expansion) in zip(scores, share.expansions) {
            let united = streams[index].stream.united(score, for: expansion, memory)
            streams[index].stream.take(united, for: expansion)
        }
        say(index, microseconds: microseconds, into: &effects)
    }

    /// A stream of forests is ready with its prompt, be there anything to draft yet or not: which beams there are is
    /// told it then.
    mutating func announceForests(into effects: inout [Effect]) {
        for index in streams.indices where streams[index].stream.hasPrompt {
            guard !(pass ?? []).contains(where: { $0.address == streams[index].address }) else { continue }
            announce(index, microsecondsPerToken: max(1, microsecondsPerToken), into: &effects)
        }
    }

    private mutating func deliverForest(
        _ scores: ArraySlice<Score>, to share: Share, at index: Int, microseconds: Int, into effects: inout [Effect]
    ) {
        streams[index].stream.concludeForest()
        if streams[index].stream.rollbacks == share.rollbacks {
            streams[index].stream.takeForest(scores, for: share.asks)
        }
        if streams[index].stream.isReady { say(index, microseconds: microseconds, into: &effects) }
    }

    mutating func end(_ address: StreamAddress, _ reason: CloseReason, into effects: inout [Effect]) {
        guard index(of: address) != nil else { return }
        closeStream(address)
        effects.append(.send(address.link, .draftClose(DraftClose(stream: address.stream, reason: reason))))
    }
}

package import NacreCore

/// All draft streams of one drafter: each pass draws the next token of every stream that may draft, in one batch,
/// next to a bounded share of priming for new streams.
package struct DrafterMachine: Machine, Sendable {
    package struct Configuration: Sendable {
        package var node: String
        package var incarnation: Incarnation
        package var vocabularyDigest: UInt64
        package var vocabularySize: Int
        /// Streams at once.
        package var sequences: Int
        /// Longest context of one stream, in tokens.
        package var contextMax: Int
        package var nodesMax: Int
        package var endTokens: Set<TokenID>
        /// Context tokens primed in a pass that also drafts, so that long prompts do not stall other streams.
        package var primingShare = 64

        package init(
            node: String, incarnation: Incarnation, vocabularyDigest: UInt64, vocabularySize: Int, sequences: Int,
            contextMax: Int, nodesMax: Int, endTokens: Set<TokenID>
        ) {
            self.node = node
            self.incarnation = incarnation
            self.vocabularyDigest = vocabularyDigest
            self.vocabularySize = vocabularySize
            self.sequences = sequences
            self.contextMax = contextMax
            self.nodesMax = nodesMax
            self.endTokens = endTokens
        }
    }

    package enum Input: Sendable {
        case opened(LinkID)
        case received(LinkID, Message)
        case closed(LinkID)
        case passed(PassOutcome)
    }

    package enum Effect: Sendable {
        case send(LinkID, Message)
        /// Sends the goodbye, then closes; `closed` does not follow.
        case close(LinkID, Goodbye)
        case evaluate(EnginePass)
    }

    struct StreamAddress: Hashable {
        var link: LinkID
        var stream: StreamID
    }

    /// A stream's part in the pass in flight.
    private struct Share {
        var address: StreamAddress
        var rollbacks: Int
        /// Where the stream's cache ended before the pass.
        var from: Position
        var draws: Bool
    }

    private let configuration: Configuration
    private var greeted: [LinkID: Bool] = [:]
    /// In the order they were opened, so that equal runs make equal passes.
    private(set) var streams: [(address: StreamAddress, stream: DraftStream)] = []
    private(set) var freeSequences: [SequenceID]
    private var releases: [CacheEdit] = []
    private var pass: [Share]?
    private var microsecondsPerToken = 0

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        freeSequences = (0..<Int32(configuration.sequences)).reversed().map { SequenceID(rawValue: $0) }
    }

    package var streamCount: Int { streams.count }

    package mutating func step(_ input: Input, at now: Instant, into effects: inout [Effect]) {
        switch input {
        case .opened(let link):
            greeted[link] = false
        case .closed(let link):
            forget(link)
        case .received(let link, let message):
            guard let hasGreeted = greeted[link] else { return }
            do throws(ProtocolFault) {
                try receive(message, on: link, hasGreeted: hasGreeted, into: &effects)
            } catch {
                forget(link)
                effects.append(.close(link, Goodbye(code: .protocolError, detail: error.description)))
            }
        case .passed(let outcome):
            conclude(outcome, into: &effects)
        }
        plan(into: &effects)
    }

    // MARK: - Messages

    private mutating func receive(
        _ message: Message, on link: LinkID, hasGreeted: Bool, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        switch message {
        case .greeting(let greeting) where !hasGreeted:
            if let refusal = refusal(of: greeting) {
                forget(link)
                effects.append(.close(link, refusal))
                return
            }
            greeted[link] = true
            effects.append(
                .send(
                    link,
                    .greeting(
                        Greeting(
                            wireMin: Limits.wireVersion, wireMax: Limits.wireVersion, node: configuration.node,
                            role: .drafter, incarnation: configuration.incarnation,
                            vocabularyDigest: configuration.vocabularyDigest))))
        case .draftOpen(let open) where hasGreeted:
            try receive(open, on: link, into: &effects)
        case .verdict(let verdict) where hasGreeted:
            // A verdict for a stream that closed here is the harmless race of two closes.
            guard let index = index(of: StreamAddress(link: link, stream: verdict.stream)) else { return }
            try check(verdict.tokens)
            try streams[index].stream.receive(verdict)
            if streams[index].stream.length.rawValue >= configuration.contextMax {
                end(streams[index].address, .contextTooLong, into: &effects)
            }
        case .draftClose(let close) where hasGreeted:
            closeStream(StreamAddress(link: link, stream: close.stream))
        case .goodbye:
            forget(link)
        default:
            throw ProtocolFault(
                hasGreeted ? "this message is not for a drafter" : "a verifier's first message must be Greeting")
        }
    }

    private func refusal(of greeting: Greeting) -> Goodbye? {
        guard greeting.wireMin <= Limits.wireVersion, greeting.wireMax >= Limits.wireVersion else {
            return Goodbye(
                code: .wireVersion,
                detail: "this drafter speaks wire version \(Limits.wireVersion), "
                    + "the verifier \(greeting.wireMin) to \(greeting.wireMax): install the same release on both")
        }
        guard greeting.vocabularyDigest == configuration.vocabularyDigest else {
            return Goodbye(
                code: .vocabularyMismatch,
                detail: "the drafter's vocabulary differs from the target's: use a draft model made for this target")
        }
        return nil
    }

    private mutating func receive(
        _ open: DraftOpen, on link: LinkID, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        let address = StreamAddress(link: link, stream: open.stream)
        try check(open.context)
        if let index = index(of: address) {
            try streams[index].stream.receive(open)
            return
        }
        guard open.contextOffset == 0 else { return }  // a later part of a stream that was refused
        guard open.contextTotal > 0, open.context.count <= open.contextTotal,
            open.promptLength.rawValue <= open.contextTotal
        else { throw ProtocolFault("DraftOpen of \(open.contextTotal) tokens holds \(open.context.count)") }
        guard open.contextTotal < configuration.contextMax else {
            effects.append(.send(link, .draftClose(DraftClose(stream: open.stream, reason: .contextTooLong))))
            return
        }
        guard let sequence = freeSequences.popLast() else {
            effects.append(.send(link, .draftClose(DraftClose(stream: open.stream, reason: .noRoom))))
            return
        }
        streams.append((address, DraftStream(open, sequence: sequence)))
    }

    private func check(_ tokens: [TokenID]) throws(ProtocolFault) {
        guard tokens.allSatisfy({ Int($0.rawValue) < configuration.vocabularySize }) else {
            throw ProtocolFault("a token is outside the vocabulary of \(configuration.vocabularySize)")
        }
    }

    private func index(of address: StreamAddress) -> Int? {
        streams.firstIndex { $0.address == address }
    }

    private mutating func closeStream(_ address: StreamAddress) {
        guard let index = index(of: address) else { return }
        let sequence = streams.remove(at: index).stream.cursor.sequence
        releases.append(.release(sequence))
        freeSequences.append(sequence)
    }

    private mutating func forget(_ link: LinkID) {
        greeted[link] = nil
        for address in streams.map(\.address) where address.link == link { closeStream(address) }
    }

    // MARK: - Passes

    private mutating func plan(into effects: inout [Effect]) {
        guard pass == nil else { return }
        let drafting = streams.indices.filter { streams[$0].stream.canDraft }
        guard !drafting.isEmpty else { return }
        let anyDraws = drafting.contains { streams[$0].stream.uncached.count <= configuration.primingShare }
        var room = configuration.nodesMax
        var primingRoom = anyDraws ? configuration.primingShare : configuration.nodesMax
        var next = EnginePass(edits: releases)
        releases = []
        var shares: [Share] = []
        for index in drafting where room > 0 {
            let stream = streams[index].stream
            let pending = stream.uncached
            let isPriming = pending.count > configuration.primingShare
            let count = min(pending.count, room, isPriming ? primingRoom : pending.count)
            guard count > 0 else { continue }
            if isPriming { primingRoom -= count }
            room -= count
            let draws = count == pending.count
            if let edit = streams[index].stream.cursor.rewindIfNeeded() { next.edits.append(edit) }
            for (offset, token) in pending.prefix(count).enumerated() {
                let isLast = draws && offset == count - 1
                next.nodes.append(
                    ForestNode(
                        token: token, position: stream.cursor.valid + offset, sequence: stream.cursor.sequence,
                        score: isLast
                            ? ScoreRequest(key: stream.key, index: stream.nextIndex, policy: stream.sampling) : nil))
            }
            shares.append(
                Share(
                    address: streams[index].address, rollbacks: stream.rollbacks, from: stream.cursor.valid,
                    draws: draws))
            streams[index].stream.cursor.advance(by: count)
        }
        pass = shares
        effects.append(.evaluate(next))
    }

    private mutating func conclude(_ outcome: PassOutcome, into effects: inout [Effect]) {
        guard let shares = pass else { return }
        pass = nil
        switch outcome {
        case .done(let scores, let started, let ended):
            // A pass draws one token per stream; what a token of one stream waits for is the whole pass.
            let elapsed = max(1, ended - started)
            microsecondsPerToken =
                microsecondsPerToken == 0 ? elapsed : (microsecondsPerToken * 7 + elapsed) / 8
            var next = scores.compactMap(\.choice).makeIterator()
            for share in shares where share.draws {
                guard let choice = next.next() else { return }
                deliver(choice, to: share, into: &effects)
            }
        case .cacheFull:
            for share in shares {
                guard let index = index(of: share.address) else { continue }
                streams[index].stream.cursor.retract(to: share.from)
            }
            // The youngest stream gives way: those before it have more work in their caches.
            if let youngest = shares.last { end(youngest.address, .noRoom, into: &effects) }
        case .failed:
            for share in shares { end(share.address, .engineFailed, into: &effects) }
        }
    }

    private mutating func deliver(_ choice: Choice, to share: Share, into effects: inout [Effect]) {
        guard let index = index(of: share.address), streams[index].stream.rollbacks == share.rollbacks else { return }
        if !streams[index].stream.isReady {
            streams[index].stream.markReady()
            effects.append(
                .send(
                    share.address.link,
                    .draftReady(
                        DraftReady(
                            stream: share.address.stream,
                            microsecondsPerToken: UInt32(clamping: microsecondsPerToken)))))
        }
        let draft = streams[index].stream.append(
            choice.token, as: share.address.stream,
            endsGeneration: configuration.endTokens.contains(choice.token), contextMax: configuration.contextMax)
        effects.append(.send(share.address.link, .draft(draft)))
    }

    private mutating func end(_ address: StreamAddress, _ reason: CloseReason, into effects: inout [Effect]) {
        guard index(of: address) != nil else { return }
        closeStream(address)
        effects.append(.send(address.link, .draftClose(DraftClose(stream: address.stream, reason: reason))))
    }
}

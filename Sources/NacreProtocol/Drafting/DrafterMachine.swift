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
        /// Further sequences of the cache, for the branches of trees.
        package var branches: Int
        /// Longest context of one stream, in tokens.
        package var contextMax: Int
        package var nodesMax: Int
        package var endTokens: Set<TokenID>
        /// Context tokens primed in a pass that also drafts, so that long prompts do not stall other streams.
        package var primingShare = 64
        /// For the verifiers' measurements; 0 does not say.
        package var modelDigest: UInt64 = 0
        /// What drafts without a model, the most trusted first.
        package var lookups: [LookupKind] = []
        /// Whether there is a model. Without one no pass is asked for; then there are lookups.
        package var hasModel = true

        package init(
            node: String, incarnation: Incarnation, vocabularyDigest: UInt64, vocabularySize: Int, sequences: Int,
            contextMax: Int, nodesMax: Int, endTokens: Set<TokenID>, branches: Int = 0
        ) {
            self.node = node
            self.incarnation = incarnation
            self.vocabularyDigest = vocabularyDigest
            self.vocabularySize = vocabularySize
            self.sequences = sequences
            self.contextMax = contextMax
            self.nodesMax = nodesMax
            self.endTokens = endTokens
            self.branches = branches
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
    struct Share {
        var address: StreamAddress
        var rollbacks: Int
        var expansions: [TreeGrowth.Expansion]
        var asks: [ForestRound.Ask] = []

        var rows: Int { expansions.count + asks.count { $0.hasRow } }
    }

    let configuration: Configuration
    var greeted: [LinkID: Bool] = [:]
    /// In the order they were opened, so that equal runs make equal passes.
    var streams: [(address: StreamAddress, stream: DraftStream)] = []
    var freeSequences: [SequenceID]
    var releases: [CacheEdit] = []
    var pass: [Share]?
    var microsecondsPerToken = 0
    /// What lookups of all streams share.
    var memory = LookupMemory()

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        freeSequences = (0..<Int32(configuration.sequences + configuration.branches)).reversed()
            .map { SequenceID(rawValue: $0) }
    }

    package var streamCount: Int { streams.count }

    /// The streams that have a part in the pass in flight, in its order.
    package var computing: [(link: LinkID, stream: StreamID)] {
        (pass ?? []).map { ($0.address.link, $0.address.stream) }
    }

    package mutating func step(_ input: Input, at now: Instant, into effects: inout [Effect]) {
        take(input, into: &effects)
        proceed(into: &effects)
    }

    /// Takes inputs that have come together, then goes on: verdicts of one verify pass are drafted on in one pass.
    package mutating func step(_ inputs: [Input], at now: Instant, into effects: inout [Effect]) {
        for input in inputs { take(input, into: &effects) }
        proceed(into: &effects)
    }

    private mutating func take(_ input: Input, into effects: inout [Effect]) {
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
    }

    private mutating func proceed(into effects: inout [Effect]) {
        lookUp(into: &effects)
        announceForests(into: &effects)
        plan(into: &effects)
        speak(into: &effects)
    }

    /// Sends what streams have to say that no pass brings: answers to verdicts that leave nothing to draft, drafts that
    /// were ready for what was committed.
    private mutating func speak(into effects: inout [Effect]) {
        for index in streams.indices where streams[index].stream.isReady {
            say(index, microseconds: 0, into: &effects)
        }
    }

    mutating func say(_ index: Int, microseconds: Int, into effects: inout [Effect]) {
        let address = streams[index].address
        if let draft = streams[index].stream.message(as: address.stream, microseconds: microseconds) {
            effects.append(.send(address.link, .draft(draft)))
        }
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
                            vocabularyDigest: configuration.vocabularyDigest,
                            modelDigest: configuration.modelDigest))))
        case .draftOpen(let open) where hasGreeted:
            try receive(open, on: link, into: &effects)
        case .verdict(let verdict) where hasGreeted:
            // A verdict for a stream that closed here is the harmless race of two closes.
            guard let index = index(of: StreamAddress(link: link, stream: verdict.stream)) else { return }
            try check(verdict.tokens + verdict.beams.flatMap(\.tokens))
            try streams[index].stream.receive(verdict, releases: &releases, free: &freeSequences)
            if streams[index].stream.length.rawValue >= configuration.contextMax {
                end(streams[index].address, .contextTooLong, into: &effects)
            }
        case .streamPolicy(let change) where hasGreeted:
            guard let index = index(of: StreamAddress(link: link, stream: change.stream)) else { return }
            streams[index].stream.adopt(change.policy)
        case .rowRequest(let request) where hasGreeted:
            guard let index = index(of: StreamAddress(link: link, stream: request.stream)),
                let row = streams[index].stream.row(for: request)
            else { return }
            effects.append(
                .send(
                    link,
                    .draftRow(DraftRow(stream: request.stream, epoch: request.epoch, node: request.node, row: row))))
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
                detail: "the drafter's vocabulary differs from the target's: use a draft model made for this target, "
                    + "or start it with --target-vocabulary and the target's file")
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
        if !configuration.hasModel, open.shape.needsModel {
            effects.append(.send(link, .draftClose(DraftClose(stream: open.stream, reason: .unsuited))))
            return
        }
        guard streams.count < configuration.sequences, let sequence = freeSequences.popLast() else {
            effects.append(.send(link, .draftClose(DraftClose(stream: open.stream, reason: .noRoom))))
            return
        }
        let stream = DraftStream(
            open, sequence: sequence, contextMax: configuration.contextMax, endTokens: configuration.endTokens,
            lookups: configuration.lookups, hasModel: configuration.hasModel)
        streams.append((address, stream))
    }

    private func check(_ tokens: [TokenID]) throws(ProtocolFault) {
        guard tokens.allSatisfy({ Int($0.rawValue) < configuration.vocabularySize }) else {
            throw ProtocolFault("a token is outside the vocabulary of \(configuration.vocabularySize)")
        }
    }

    func index(of address: StreamAddress) -> Int? {
        streams.firstIndex { $0.address == address }
    }

    mutating func closeStream(_ address: StreamAddress) {
        guard let index = index(of: address) else { return }
        var stream = streams.remove(at: index).stream
        stream.forest?.cache.releaseAll(free: &freeSequences, edits: &releases)
        stream.cache.releaseAll(releases: &releases, free: &freeSequences)
        if configuration.lookups.contains(.suffix) { memory.outputs.remember(Array(stream.output)) }
    }

    private mutating func forget(_ link: LinkID) {
        greeted[link] = nil
        for address in streams.map(\.address) where address.link == link { closeStream(address) }
    }
}

import NacreCore

/// A draft forest under way: one for each epoch, layer by layer, in as many passes as a layer takes. The stream's own
/// text is the prompt; what its beams have behind it is here.
package struct ForestRound: Sendable {
    /// What of a pass is the forest's: the place of each row that was asked for, and what will be cached then.
    package struct Ask: Sendable {
        var place: BeamPlace
        var stem: BeamCache.Stem
        /// Whether the row comes with it; else a part of the text was evaluated.
        var hasRow: Bool
    }

    private(set) var forest: DraftForest
    /// Behind the prompt, the text of each beam.
    private var texts: [[TokenID]] = [[]]
    var cache: BeamCache
    /// For each beam what of its text is cached; `nil` before the prompt is.
    private var stems: [BeamCache.Stem?] = [nil]
    /// What is cached up to a draft, the draft included.
    private var nodeStems: [BeamPlace: BeamCache.Stem] = [:]
    /// Of the layer under way.
    private var rows: [BeamPlace: WeightRow] = [:]
    private let draws: Int
    private var layersMax: Int
    /// No sequence is free for a beam, or no row is to be had behind one.
    private var isFull = false
    /// Layers that were sent.
    private var sent = 0

    /// `nil` for shapes that are no forest.
    init?(_ open: DraftOpen, trunk: SequenceID, contextMax: Int, ends: Set<TokenID>) {
        guard case .forest(let draws) = open.shape else { return nil }
        self.draws = draws
        let root = Position(rawValue: open.contextTotal)
        forest = DraftForest(roots: 1, root: root, index: root - open.promptLength, ends: ends)
        cache = BeamCache(trunk: trunk)
        layersMax = Self.layers(root, open.positionLimit, contextMax)
    }

    private static func layers(_ root: Position, _ limit: Position, _ contextMax: Int) -> Int {
        max(0, min(limit.rawValue, contextMax) - root.rawValue)
    }

    /// The length of each beam.
    var root: Position { forest.trees[0].root }
    var isComplete: Bool { isFull || forest.layers.count >= layersMax || forest.open.isEmpty }

    /// Begins the forest of the next epoch.
    ///
    /// - Throws: if the verdict says of beams what cannot be.
    mutating func begin(
        _ verdict: Verdict, promptLength: Position, contextMax: Int, releases: inout [CacheEdit],
        free: inout [SequenceID]
    ) throws(ProtocolFault) {
        let before = (texts: texts, stems: stems)
        guard !verdict.beams.isEmpty, verdict.tokens.isEmpty,
            verdict.beams.allSatisfy({ before.texts.indices.contains($0.parent) })
        else { throw ProtocolFault("Verdict on a forest of \(before.texts.count) trees names others") }
        let prompt = root.rawValue - before.texts[0].count
        texts = verdict.beams.map { before.texts[$0.parent] + $0.tokens }
        guard texts.allSatisfy({ prompt + $0.count == verdict.committed.rawValue }) else {
            throw ProtocolFault("Verdict on beams that are not all \(verdict.committed) long")
        }
        let length = verdict.committed
        stems = verdict.beams.map { beam in
            var stem = before.stems[beam.parent]
            var place = BeamPlace(tree: beam.parent, node: nil)
            for token in beam.tokens {
                guard let next = forest.trees[beam.parent].child(of: place.node, token: token) else { break }
                place.node = next
                guard let deeper = nodeStems[place] else { break }
                stem = deeper
            }
            // The row behind the last token is wanted: that is evaluated again.
            return stem.map { BeamCache.Stem(sequence: $0.sequence, length: min($0.length, length + (-1))) }
        }
        cache.keep(stems.compactMap(\.self), free: &free, edits: &releases)
        forest = DraftForest(roots: texts.count, root: length, index: length - promptLength, ends: forest.ends)
        layersMax = Self.layers(length, verdict.positionLimit, contextMax)
        (nodeStems, rows, isFull, sent) = ([:], [:], false, 0)
    }

    // MARK: - Passes

    /// Adds what the layer under way needs to a pass, within `room` nodes.
    ///
    /// - Parameters:
    ///   - prompt: the stream's text, all cached but its last token at least.
    ///   - request: what to ask of the row behind a position.
    mutating func work(
        _ prompt: [TokenID], room: Int, free: inout [SequenceID], edits: inout [CacheEdit], nodes: inout [ForestNode],
        request: (Position) -> ScoreRequest
    ) -> [Ask] {
        cache.beginPass()
        let start = BeamCache.Stem(sequence: cache.trunk, length: Position(rawValue: prompt.count - 1))
        stems = stems.map { $0 ?? start }
        let claims = stems.compactMap(\.self) + nodeStems.values
        let wanted = forest.open.filter { rows[$0] == nil }
        // Half a layer is of no use. How many sequences are free does not depend on the layer to be drawn.
        guard hasRoom(for: wanted, claims, free) else {
            isFull = true
            return []
        }
        var asks: [Ask] = []
        var left = room
        for place in wanted where left > 0 {
            let text = prompt + texts[place.tree] + forest.trees[place.tree].tokens(to: place.node)
            guard let stem = stem(above: place),
                let branch = cache.open(stem, claims: claims, free: &free, edits: &edits)
            else { preconditionFailure("no stem or branch for a draft beam that has room") }
            let part = text[stem.length.rawValue...].prefix(left)
            left -= part.count
            let end = stem.length + part.count
            for (offset, token) in part.enumerated() {
                let position = stem.length + offset
                let isLast = position.rawValue == text.count - 1
                nodes.append(
                    ForestNode(
                        token: token, position: position, sequence: branch, score: isLast ? request(position) : nil))
            }
            cache.extend(branch, by: part.count)
            asks.append(
                Ask(
                    place: place, stem: BeamCache.Stem(sequence: branch, length: end),
                    hasRow: end.rawValue == text.count))
        }
        return asks
    }

    /// What is cached of the text before a place's last token.
    private func stem(above place: BeamPlace) -> BeamCache.Stem? {
        guard let node = place.node, let parent = forest.trees[place.tree][node].parent else {
            // A child of the root stands on all of the beam's text.
            return stems[place.tree]
        }
        return nodeStems[BeamPlace(tree: place.tree, node: parent)]
    }

    private func hasRoom(for places: [BeamPlace], _ claims: [BeamCache.Stem], _ free: [SequenceID]) -> Bool {
        var (trial, free) = (cache, free)
        var edits: [CacheEdit] = []
        return places.allSatisfy { place in
            stem(above: place).map { trial.open($0, claims: claims, free: &free, edits: &edits) != nil } ?? false
        }
    }

    /// Takes what a pass scored, and draws the layer once its rows are here.
    mutating func take(
        _ scores: ArraySlice<Score>, for asks: [Ask], epoch: Epoch, _ chance: KeyedChance
    ) {
        var scores = scores
        for ask in asks {
            if ask.place.node == nil { stems[ask.place.tree] = ask.stem } else { nodeStems[ask.place] = ask.stem }
            guard ask.hasRow, let score = scores.popFirst() else { continue }
            // A drafter over a bridge may have none, which it knows before it draws: the forest stays as it is. Asked
            // again it would say the same.
            if case .weights(let row) = score { rows[ask.place] = row } else { isFull = true }
        }
        guard !isComplete, forest.open.allSatisfy({ rows[$0] != nil }) else { return }
        var chance = chance
        let drawn = rows
        rows = [:]
        forest.draw(draws, epoch: Int(epoch.rawValue & 0xFF_FFFF), chance: &chance) { place in
            guard let row = drawn[place] else { preconditionFailure("an open draft beam without a row") }
            return row
        }
    }

    /// The pass that was to do this was refused whole; what is cached can be relied on no more.
    mutating func reset(releases: inout [CacheEdit], free: inout [SequenceID]) {
        cache.releaseAll(free: &free, edits: &releases)
        stems = stems.map { _ in nil }
        nodeStems = [:]
        // What was drawn stays; a draft's row cannot be had without what is above it.
        isFull = isFull || !forest.layers.isEmpty
    }

    /// What is to be sent.
    mutating func takeLayers() -> [DraftForest.Layer] {
        let news = sent..<forest.layers.count
        sent = forest.layers.count
        return news.map { forest.sent($0) }
    }

    var hasNews: Bool { sent < forest.layers.count }

    /// What the cache holds once the pass in flight has ended, for audits.
    func contents(_ prompt: [TokenID], _ asks: [Ask]) -> [CachedText] {
        var known: [BeamCache.Stem: [TokenID]] = [:]
        for (tree, stem) in stems.enumerated() {
            if let stem { known[stem] = Array((prompt + texts[tree]).prefix(stem.length.rawValue)) }
        }
        for (place, stem) in nodeStems {
            known[stem] = prompt + texts[place.tree] + forest.trees[place.tree].tokens(to: place.node)
        }
        for ask in asks {
            let text = prompt + texts[ask.place.tree] + forest.trees[ask.place.tree].tokens(to: ask.place.node)
            known[ask.stem] = Array(text.prefix(ask.stem.length.rawValue))
        }
        return cache.branches.compactMap { branch in
            let longest = known.keys.filter { $0.sequence == branch }.max { $0.length < $1.length }
            return longest.flatMap { known[$0] }.map {
                CachedText(sequence: branch, tokens: $0, filled: cache.filled(branch).rawValue)
            }
        }
    }
}

// A stream of forests.
extension DraftStream {
    /// Tokens of the prompt that are to be read before the first forest: all but the last, which its beams begin with.
    var unreadPrompt: Int { max(0, tokens.count - 1 - cache.cached(upTo: length + (-1)).rawValue) }

    /// Whether it is a stream of forests that has read its prompt, or will have when the pass in flight ends.
    var hasPrompt: Bool { forest != nil && hasContext && unreadPrompt == 0 }

    /// What to evaluate next, within `room` nodes.
    mutating func forestWork(room: Int, free: inout [SequenceID]) -> Work {
        var work = Work()
        guard unreadPrompt == 0 else {
            let start = cache.cached(upTo: length + (-1))
            let part = tokens[start.rawValue...].prefix(min(room, unreadPrompt))
            cache.extend(by: part.count, edits: &work.edits)
            for (offset, token) in part.enumerated() {
                work.nodes.append(ForestNode(token: token, position: start + offset, sequence: cache.trunk))
            }
            return work
        }
        guard var round = forest else { return work }
        // Not in place: it would copy what the optional holds.
        forest = nil
        work.asks = round.work(
            tokens, room: room, free: &free, edits: &work.edits, nodes: &work.nodes
        ) { position in
            ScoreRequest(
                key: key, index: position.next - promptLength, policy: sampling, kind: .weights(entriesMax: 64))
        }
        forest = round
        return work
    }

    /// A pass with the stream in it was evaluated, whatever became of the stream meanwhile.
    mutating func concludeForest() { forest?.cache.conclude() }

    mutating func takeForest(_ scores: ArraySlice<Score>, for asks: [ForestRound.Ask]) {
        guard !asks.isEmpty, var round = forest else { return }
        forest = nil
        round.take(scores, for: asks, epoch: epoch, KeyedChance(key: key))
        forest = round
    }

    mutating func receiveForest(
        _ verdict: Verdict, releases: inout [CacheEdit], free: inout [SequenceID]
    ) throws(ProtocolFault) {
        guard hasContext else { throw ProtocolFault("Verdict before the whole prompt") }
        guard var round = forest else { return }
        forest = nil
        try round.begin(
            verdict, promptLength: promptLength, contextMax: contextMax, releases: &releases, free: &free)
        forest = round
        heard = verdict.nextEpoch
        epoch = verdict.nextEpoch
        root = verdict.committed
        rollbacks += 1
    }

    mutating func forestMessage(as stream: StreamID, microseconds: Int) -> Draft? {
        guard let round = forest else { return nil }
        let end: DraftEnd = round.isComplete ? .windowFull : .open
        guard round.hasNews || end != .open && (lastEnd != end || lastHeard != heard) else { return nil }
        var draft = Draft(
            stream: stream, epoch: epoch, heard: heard, root: round.root, firstNode: 0, tokens: [], end: end,
            microseconds: UInt32(clamping: microseconds))
        draft.layers = forest?.takeLayers() ?? []
        lastEnd = end
        lastHeard = heard
        return draft
    }
}

package import NacreCore

// What a stream has evaluated, what it makes of the scores, and what it says.
extension DraftStream {
    /// A stream's part in a pass.
    package struct Work: Sendable {
        package var edits: [CacheEdit] = []
        package var nodes: [ForestNode] = []
        /// One for each node that asks for a score, in order.
        package var expansions: [TreeGrowth.Expansion] = []
        /// Of a stream of forests.
        package var asks: [ForestRound.Ask] = []
    }

    /// Expansions of one stream in one pass.
    private var expansionsMax: Int {
        switch shape {
        case .chain: branches == 0 ? 1 : 4
        case .fixed: 16
        case .best: 4
        case .beams(let width, _): width
        case .forest: 0
        }
    }

    /// What to evaluate next, within `room` nodes: the text as far as it is not cached, then nodes to draft below.
    package mutating func work(room: Int, free: inout [SequenceID]) -> Work {
        guard forest == nil else { return forestWork(room: room, free: &free) }
        var work = Work()
        cache.beginPass()
        if uncached == 0, growth.isRootOpen { cache.repeatLast(of: length) }
        let (start, pending) = (cache.cached(upTo: length), uncached)
        let part = tokens[start.rawValue...].prefix(room)
        if !part.isEmpty {
            cache.extend(by: part.count, edits: &work.edits)
            for (offset, token) in part.enumerated() {
                work.nodes.append(ForestNode(token: token, position: start + offset, sequence: cache.trunk))
            }
        }
        guard part.count == pending else { return work }
        let most = min(expansionsMax, max(0, room - pending) + (pending > 0 ? 1 : 0))
        var isPostponed = isPaused
        // Where nothing can be placed others are tried: a stream that may draft and has no part in a pass would wait
        // for ever.
        while !isPostponed, work.expansions.isEmpty, case let wanted = growth.next(most), !wanted.isEmpty {
            for expansion in wanted {
                switch place(expansion, room: room, free: &free, into: &work) {
                case .done: work.expansions.append(expansion)
                case .later:
                    isPostponed = true
                    growth.abandon(expansion)
                // The tree stays as it is there. How many sequences are free does not depend on any token.
                case .never: if beams == nil { growth.supply([], for: expansion) } else { take(nil, for: expansion) }
                }
            }
        }
        return work
    }

    private enum Placing { case done, later, never }

    /// Adds the node of an expansion, and what is not cached above it.
    private mutating func place(
        _ expansion: TreeGrowth.Expansion, room: Int, free: inout [SequenceID], into work: inout Work
    ) -> Placing {
        guard let node = expansion.node else {
            // The last token of the text: it was just added.
            guard let last = work.nodes.indices.last else { return .later }
            work.nodes[last].score = request(at: length + (-1), width: expansion.width)
            return .done
        }
        let tree = growth.proposed
        let missing = tree.path(to: node).filter { !cache.isCached($0) }
        for above in missing {
            // A path longer than a pass takes several: what is cached of it then is not computed again.
            guard work.nodes.count < room else { return .later }
            let sequence: SequenceID
            switch cache.place(above, in: tree, free: &free, edits: &work.edits) {
            case .at(let place): sequence = place
            case .later: return .later
            case .full: return .never
            }
            let position = tree.position(of: above)
            work.nodes.append(
                ForestNode(
                    token: tree[above].token, position: position, sequence: sequence,
                    score: above == node ? request(at: position, width: expansion.width) : nil))
        }
        return missing.isEmpty ? .later : .done
    }

    /// What is wanted of the row behind `position`.
    private func request(at position: Position, width: Int) -> ScoreRequest {
        let index = position.next - promptLength
        if beams != nil { return ScoreRequest(key: key, index: index, policy: sampling.jointScoring, kind: .law) }
        if draws { return ScoreRequest(key: key, index: index, policy: sampling, kind: .weights(entriesMax: 64)) }
        // Without the noise, proposals are functions of the text, as rules that do not couple need them.
        let policy = rule == .coupled ? sampling : .greedy
        return ScoreRequest(
            key: key, index: index, policy: policy,
            kind: pace == nil && !isMeasured ? .candidates(width) : .measured(width))
    }

    /// Whether drafts are draws from q.
    var draws: Bool {
        Speculation(.stream, rule: rule, shape: shape, branches: branches).draws(under: sampling)
    }

    /// Takes the score of an expansion.
    package mutating func take(_ score: Score, for expansion: TreeGrowth.Expansion) {
        guard let node = growth.node(of: expansion) else { return }
        if beams != nil {
            // A drafter over a bridge may have no row: then the beam goes no further.
            guard case .law(let law) = score else { return take(nil, for: expansion) }
            return take(DraftBeams.Row(scoring: law, sampling), for: expansion)
        }
        switch score {
        case .candidates(let candidates): supply(candidates, for: expansion)
        case .measured(let measured):
            guard mayDraft(measured.statistics, score, for: expansion),
                mayKeep(measured.statistics, probability: measured.probability, score, for: expansion)
            else { return }
            if isMeasured { self.measured[node] = DraftMeasure(measured.statistics, probability: measured.probability) }
            supply(measured.candidates, for: expansion)
        case .choice(let choice):
            growth.supply([TreeGrowth.Proposal(token: choice.token, probability: 1)], for: expansion)
        case .weights(let row):
            guard mayDraft(TokenStatistics(row), score, for: expansion) else { return }
            // A static tree's siblings go out together: those without a place now have none later.
            let count = if case .fixed = shape { min(expansion.width, growth.room) } else { expansion.width }
            let tokens = draw(count, from: row, below: node)
            // A drawn token is a draft whatever it is: a policy that would drop it is refused with the job.
            if pace != nil, let first = tokens.first {
                _ = mayKeep(TokenStatistics(row), probability: row[first], score, for: expansion)
                pace?.heldBack = nil
            }
            if !tokens.isEmpty { drawn[node] = Drawn(row: row, tokens: tokens) }
            if isMeasured, let first = tokens.first {
                measured[node] = DraftMeasure(TokenStatistics(row), probability: row[first])
            }
            var seen: Set<TokenID> = []
            let distinct = tokens.filter { seen.insert($0).inserted }
            growth.supply(
                distinct.map { TreeGrowth.Proposal(token: $0, probability: row[$0]) }, for: expansion)
        case .law, .likelihood: growth.supply([], for: expansion)
        }
    }

    mutating func supply(_ candidates: [Candidate], for expansion: TreeGrowth.Expansion) {
        growth.supply(
            candidates.map { TreeGrowth.Proposal(token: $0.token, probability: $0.probability) }, for: expansion)
    }

    /// Draws children as the job asks for, each at a place of its own. How many are drawn is known before the first:
    /// independent draws that stopped where the room for new tokens ends would be as many as they repeat.
    private mutating func draw(_ count: Int, from row: WeightRow, below node: NodeIndex?) -> [TokenID] {
        let chance = KeyedChance(key: key)
        let index = length - promptLength + growth.proposed.depth(of: node)
        var rest: WeightRow? = row
        var tokens: [TokenID] = []
        while tokens.count < count, let left = rest {
            drawCount += 1
            let place = ChancePlace(index, .draft, sibling: drawCount, epoch: Int(epoch.rawValue & 0xFF_FFFF))
            let token = chance.token(from: left, at: place)
            tokens.append(token)
            if siblings == .withoutReplacement { rest = left.removing(token) }
        }
        return tokens
    }

    // MARK: - Messages

    /// What is to be said now: drafts that were not sent yet, and whether more will come; `nil` if nothing is new.
    package mutating func message(as stream: StreamID, microseconds: Int) -> Draft? {
        guard hasContext else { return nil }
        guard forest == nil else { return forestMessage(as: stream, microseconds: microseconds) }
        let tree = growth.tree
        let end = end
        let news = numbers.count..<tree.count
        guard !news.isEmpty || end != .open && (lastEnd != end || lastHeard != heard) else { return nil }
        let first = nextNumber
        let measures = measuresInTree
        var draft = Draft(
            stream: stream, epoch: epoch, heard: heard, root: root, firstNode: first, tokens: [], end: end,
            microseconds: UInt32(clamping: microseconds))
        for index in news {
            let node = tree[NodeIndex(rawValue: index)]
            draft.tokens.append(node.token)
            draft.parents.append(node.parent.map { numbers[$0.rawValue] } ?? rootNumber)
            draft.probabilities.append(UInt8(clamping: Int((node.probability * 255).rounded())))
            if isMeasured { draft.measures.append(measures[node.parent] ?? .unknown) }
            nextNumber += 1
            numbers.append(nextNumber)
        }
        if draft.parents.enumerated().allSatisfy({ $1 == first + $0 }) { draft.parents = [] }
        if draws { describe(&draft) }
        if beams != nil, !news.isEmpty { draft.references = references(of: news) }
        lastEnd = end
        lastHeard = heard
        return draft
    }

    /// `measured` by nodes of `growth.tree`.
    private var measuresInTree: [NodeIndex?: DraftMeasure] {
        var measures: [NodeIndex?: DraftMeasure] = [:]
        for (node, measure) in measured {
            let place = node.flatMap { growth.placeInTree($0) }
            if node == nil || place != nil { measures[place] = measure }
        }
        return measures
    }

    /// Adds the rows that the drafts of the message were drawn from.
    private mutating func describe(_ draft: inout Draft) {
        let first = draft.firstNode
        for (node, drawing) in drawn {
            let (row, tokens) = (drawing.row, drawing.tokens)
            let place = node.flatMap { growth.placeInTree($0) }
            guard node == nil || place != nil else { continue }
            let number = place.map { numbers[$0.rawValue] } ?? rootNumber
            let draws = tokens.compactMap { growth.tree.child(of: place, token: $0) }.map { numbers[$0.rawValue] - 1 }
            guard let eldest = tokens.first, draws.count == tokens.count, draws.allSatisfy({ $0 >= first }) else {
                continue
            }
            drawn[node] = nil
            var sent = DraftPayload.row(row, siblings)
            let weight = row.weight(of: eldest)
            if payload == .scalar, let scalar = try? DraftPayload.Scalar(weight: weight, total: row.total) {
                sent = .scalar(scalar, siblings)
                rows[number] = row
            }
            draft.proposals.append(Draft.Proposal(node: number, payload: sent, draws: draws))
        }
        draft.proposals.sort { $0.node < $1.node }
    }

    private var end: DraftEnd {
        guard growth.isComplete || isPaused else { return .open }
        if growth.endsGeneration { return .endOfGeneration }
        return positionLimit.rawValue > contextMax ? .contextFull : .windowFull
    }
}

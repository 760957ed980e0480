package import NacreCore

/// One job's drafting: the committed text, the tree that grows on it, what of both is cached, and what was sent.
///
/// | state | leaves on | to |
/// |---|---|---|
/// | receiving | the last part of the context | drafting |
/// | drafting | all that limits and shape allow is drafted | waiting (derived: `isComplete`) |
/// | drafting, waiting | a verdict whose tokens are among the drafts sent | drafting, same epoch, the tree re-rooted |
/// | drafting, waiting | a verdict with a token that is not | drafting, the verdict's `nextEpoch` |
///
/// Every verdict is answered by at least one `Draft`, an empty one if there is nothing to add: so a verifier knows what
/// it is still owed.
package struct DraftStream: Sendable {
    package let key: StreamKey
    package let sampling: SamplingPolicy
    package let promptLength: Position
    package let contextTotal: Int
    private let rule: VerifyRuleKind
    private let shape: DraftShape
    private let branches: Int
    private let payload: PayloadKind
    private let contextMax: Int
    private let endTokens: Set<TokenID>
    /// The committed text.
    package private(set) var tokens: [TokenID]
    package private(set) var epoch: Epoch
    /// The `nextEpoch` of the last verdict.
    private var heard: Epoch
    /// The committed length that the epoch stands on.
    private var root: Position
    private var positionLimit: Position
    private var nodesMax: Int
    package private(set) var growth: TreeGrowth
    package var cache: TreeCache
    /// For each node of `growth.tree` that was sent its number + 1, and that of the last committed token.
    private var numbers: [Int] = []
    private var rootNumber = 0
    private var nextNumber = 0
    /// What was said last.
    private var lastEnd = DraftEnd.open
    private var lastHeard: Epoch
    /// Raised by every rollback: a score asked for before it belongs to a tree that is no more.
    package private(set) var rollbacks = 0
    /// Whether `DraftReady` was sent.
    package private(set) var isReady = false
    /// What was drawn below nodes of `growth.proposed` and not sent yet.
    private var drawn: [NodeIndex?: WeightRow] = [:]
    /// Rows that stay here until they are asked for, by the number + 1 of their node.
    private var rows: [Int: WeightRow] = [:]
    /// Draws so far: no two draws of the stream take the same number.
    private var drawCount = 0

    package init(_ open: DraftOpen, sequence: SequenceID, contextMax: Int, endTokens: Set<TokenID>) {
        key = open.key
        sampling = open.sampling
        promptLength = open.promptLength
        contextTotal = open.contextTotal
        rule = open.rule
        shape = open.shape
        branches = open.branches
        payload = open.payload
        self.contextMax = contextMax
        self.endTokens = endTokens
        tokens = open.context
        epoch = open.epoch
        heard = open.epoch
        lastHeard = open.epoch
        root = Position(rawValue: open.contextTotal)
        positionLimit = open.positionLimit
        nodesMax = open.nodesMax
        growth = TreeGrowth(root: root, plan: .bestFirst(.init(nodesMax: 0, width: 1)), endTokens: endTokens)
        cache = TreeCache(trunk: sequence)
        growth.replan(plan)
    }

    package var length: Position { Position(rawValue: tokens.count) }
    package var hasContext: Bool { tokens.count >= contextTotal }
    /// Tokens of the text that are not cached.
    package var uncached: Int { tokens.count - cache.cached(upTo: length).rawValue }
    package var canDraft: Bool { hasContext && !growth.isComplete }

    /// Takes the next part of the context.
    package mutating func receive(_ open: DraftOpen) throws(ProtocolFault) {
        guard open.contextOffset == tokens.count, tokens.count + open.context.count <= contextTotal else {
            throw ProtocolFault("DraftOpen part at \(open.contextOffset) does not continue \(tokens.count) tokens")
        }
        tokens += open.context
    }

    package mutating func markReady() { isReady = true }

    /// How the tree may grow from the text that is committed now.
    private var plan: TreePlan {
        let depth = max(0, min(positionLimit.rawValue, contextMax) - max(tokens.count, contextTotal))
        let most = min(nodesMax == 0 ? TreeShape.nodesMax : nodesMax, TreeShape.nodesMax)
        switch shape {
        case .chain where branches == 0:
            return .bestFirst(.init(nodesMax: min(depth, most), width: 1, depthMax: depth))
        case .chain:
            let spine = min(depth, most)
            return .outcomes(.init(spineMax: spine, fanOut: Self.fanOut, branchesMax: branches, depthMax: depth))
        case .fixed(let whole):
            guard depth > 0, let part = try? TreeShape(Array(whole.widths.prefix(depth))) else {
                return .bestFirst(.init(nodesMax: 0, width: 1))
            }
            return .fixed(part)
        case .best(_, let width):
            let nodes = min(most + branches, TreeShape.nodesMax)
            return .bestFirst(.init(nodesMax: nodes, width: width, depthMax: depth))
        }
    }

    /// Other tokens considered at each position of a chain with branches.
    private static let fanOut = 3

    // MARK: - Verdicts

    /// Takes what the target decided: stays in the epoch if the drafts sent hold every committed token, else goes on in
    /// `nextEpoch`, with what was prepared for those tokens and not sent.
    package mutating func receive(
        _ verdict: Verdict, releases: inout [CacheEdit], free: inout [SequenceID]
    ) throws(ProtocolFault) {
        guard hasContext, length + verdict.tokens.count == verdict.committed else {
            throw ProtocolFault(
                "Verdict commits up to \(verdict.committed) with \(verdict.tokens.count) tokens, at \(length)")
        }
        positionLimit = max(positionLimit, verdict.positionLimit)
        nodesMax = verdict.nodesMax
        heard = verdict.nextEpoch
        let before = growth
        let wasSent = before.tree.follow(verdict.tokens).matched == verdict.tokens.count
        tokens += verdict.tokens
        if let commit = growth.commit(verdict.tokens) {
            let path = before.proposed.path(to: commit.root)
            cache.commit(path: path, moved: commit.proposed, of: before.proposed, releases: &releases, free: &free)
            move(drawnBy: commit)
            if wasSent { renumber(commit) } else { begin(verdict.nextEpoch) }
        } else {
            let (reached, matched) = before.proposed.follow(verdict.tokens)
            cache.abandon(
                keeping: before.proposed.root + matched, path: before.proposed.path(to: reached), of: before.proposed,
                releases: &releases, free: &free)
            growth = TreeGrowth(root: length, plan: plan, endTokens: endTokens)
            drawn = [:]
            rollbacks += 1
            begin(verdict.nextEpoch)
        }
        growth.replan(plan)
    }

    private mutating func begin(_ next: Epoch) {
        epoch = next
        root = length
        numbers = []
        rootNumber = 0
        nextNumber = 0
        rows = [:]
    }

    private mutating func renumber(_ commit: TreeGrowth.Commit) {
        if let root = commit.rootInTree { rootNumber = numbers[root.rawValue] }
        var kept: [Int] = []
        for (old, number) in numbers.enumerated() where commit.tree[old] != nil { kept.append(number) }
        numbers = kept
        let alive = Set(kept + [rootNumber])
        rows = rows.filter { alive.contains($0.key) }
    }

    private mutating func move(drawnBy commit: TreeGrowth.Commit) {
        guard !drawn.isEmpty else { return }
        var kept: [NodeIndex?: WeightRow] = [:]
        for (node, row) in drawn {
            if node == commit.root {
                kept[nil] = row
            } else if let node, let new = commit.proposed[node.rawValue] {
                kept[new] = row
            }
        }
        drawn = kept
    }

    /// The row that a scalar stands for.
    package func row(for request: RowRequest) -> WeightRow? { request.epoch == epoch ? rows[request.node] : nil }

    /// The pass that was to score this did not.
    package mutating func abandon(_ expansion: TreeGrowth.Expansion) { growth.abandon(expansion) }

    /// What is cached can be relied on no more.
    package mutating func forgetCache(releases: inout [CacheEdit], free: inout [SequenceID]) {
        cache.reset(releases: &releases, free: &free)
    }

    // MARK: - Passes

    /// A stream's part in a pass.
    package struct Work: Sendable {
        package var edits: [CacheEdit] = []
        package var nodes: [ForestNode] = []
        /// One for each node that asks for a score, in order.
        package var expansions: [TreeGrowth.Expansion] = []
    }

    /// Expansions of one stream in one pass.
    private var expansionsMax: Int {
        switch shape {
        case .chain: branches == 0 ? 1 : 4
        case .fixed: 16
        case .best: 4
        }
    }

    /// What to evaluate next, within `room` nodes: the text as far as it is not cached, then nodes to draft below.
    package mutating func work(room: Int, free: inout [SequenceID]) -> Work {
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
        var isPostponed = false
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
                case .never: growth.supply([], for: expansion)
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
            // What is cached above it by then is not computed again.
            guard work.nodes.count < room else { return .later }
            let sequence: SequenceID
            switch cache.place(above, in: tree, free: &free, edits: &work.edits) {
            case .sequence(let found): sequence = found
            case .nextPass: return .later
            case .none: return .never
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
        if draws { return ScoreRequest(key: key, index: index, policy: sampling, kind: .weights(entriesMax: 64)) }
        // Without the noise, proposals are functions of the text, as rules that do not couple need them.
        let policy = rule == .coupled ? sampling : .greedy
        return ScoreRequest(key: key, index: index, policy: policy, kind: .candidates(width))
    }

    /// Whether drafts are draws from q.
    private var draws: Bool {
        Speculation(.stream, rule: rule, shape: shape, branches: branches).draws(under: sampling)
    }

    /// Takes the score of an expansion.
    package mutating func take(_ score: Score, for expansion: TreeGrowth.Expansion) {
        guard let node = growth.node(of: expansion) else { return }
        switch score {
        case .candidates(let candidates):
            growth.supply(
                candidates.map { TreeGrowth.Proposal(token: $0.token, probability: $0.probability) }, for: expansion)
        case .choice(let choice):
            growth.supply([TreeGrowth.Proposal(token: choice.token, probability: 1)], for: expansion)
        case .weights(let row):
            drawn[node] = row
            growth.supply(draw(expansion.width, from: row, below: node), for: expansion)
        case .law: growth.supply([], for: expansion)
        }
    }

    /// Draws children without replacement, each at a place of its own.
    private mutating func draw(_ width: Int, from row: WeightRow, below node: NodeIndex?) -> [TreeGrowth.Proposal] {
        let chance = KeyedChance(key: key)
        let index = length - promptLength + growth.proposed.depth(of: node)
        var rest: WeightRow? = row
        var proposals: [TreeGrowth.Proposal] = []
        while proposals.count < width, let left = rest {
            drawCount += 1
            let place = ChancePlace(index, .draft, sibling: drawCount, epoch: Int(epoch.rawValue & 0xFF_FFFF))
            let token = chance.token(from: left, at: place)
            proposals.append(TreeGrowth.Proposal(token: token, probability: row[token]))
            rest = left.removing(token)
        }
        return proposals
    }

    // MARK: - Messages

    /// What is to be said now: drafts that were not sent yet, and whether more will come; `nil` if nothing is new.
    package mutating func message(as stream: StreamID, microseconds: Int) -> Draft? {
        guard hasContext else { return nil }
        let tree = growth.tree
        let end = end
        let news = numbers.count..<tree.count
        guard !news.isEmpty || end != .open && (lastEnd != end || lastHeard != heard) else { return nil }
        let first = nextNumber
        var draft = Draft(
            stream: stream, epoch: epoch, heard: heard, root: root, firstNode: first, tokens: [], end: end,
            microseconds: UInt32(clamping: microseconds))
        for index in news {
            let node = tree[NodeIndex(rawValue: index)]
            draft.tokens.append(node.token)
            draft.parents.append(node.parent.map { numbers[$0.rawValue] } ?? rootNumber)
            draft.probabilities.append(UInt8(clamping: Int((node.probability * 255).rounded())))
            nextNumber += 1
            numbers.append(nextNumber)
        }
        if draft.parents.enumerated().allSatisfy({ $1 == first + $0 }) { draft.parents = [] }
        if draws { describe(&draft) }
        lastEnd = end
        lastHeard = heard
        return draft
    }

    /// Adds the rows that the drafts of the message were drawn from.
    private mutating func describe(_ draft: inout Draft) {
        let first = draft.firstNode
        for (node, row) in drawn {
            let place = node.flatMap { growth.placeInTree($0) }
            guard node == nil || place != nil else { continue }
            let number = place.map { numbers[$0.rawValue] } ?? rootNumber
            let children = Array(growth.tree.children(of: place))
            guard let eldest = children.first else { continue }
            let draws = children.map { numbers[$0.rawValue] - 1 }
            guard draws.allSatisfy({ $0 >= first }) else { continue }
            drawn[node] = nil
            var sent = DraftPayload.row(row, .withoutReplacement)
            let weight = row.weight(of: growth.tree[eldest].token)
            if payload == .scalar, let scalar = try? DraftPayload.Scalar(weight: weight, total: row.total) {
                sent = .scalar(scalar, .withoutReplacement)
                rows[number] = row
            }
            draft.proposals.append(Draft.Proposal(node: number, payload: sent, draws: draws))
        }
        draft.proposals.sort { $0.node < $1.node }
    }

    private var end: DraftEnd {
        guard growth.isComplete else { return .open }
        if growth.endsGeneration { return .endOfGeneration }
        return positionLimit.rawValue > contextMax ? .contextFull : .windowFull
    }
}

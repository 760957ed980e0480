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
    let rule: VerifyRuleKind
    let shape: DraftShape
    let branches: Int
    let payload: PayloadKind
    let siblings: SiblingDraw
    let merge: Int
    /// Whether drafts go out with what q was like: the job is recorded.
    let isMeasured: Bool
    let contextMax: Int
    /// Behind these nothing is drafted; none where the job goes on behind them.
    let endTokens: Set<TokenID>
    /// The committed text.
    package internal(set) var tokens: [TokenID]
    package internal(set) var epoch: Epoch
    /// The `nextEpoch` of the last verdict.
    var heard: Epoch
    /// The committed length that the epoch stands on.
    var root: Position
    var positionLimit: Position
    var nodesMax: Int
    package internal(set) var growth: TreeGrowth
    package var cache: TreeCache
    /// For each node of `growth.tree` that was sent its number + 1, and that of the last committed token.
    var numbers: [Int] = []
    var rootNumber = 0
    var nextNumber = 0
    /// What was said last.
    var lastEnd = DraftEnd.open
    var lastHeard: Epoch
    /// Raised by every rollback: a score asked for before it belongs to a tree that is no more.
    package internal(set) var rollbacks = 0
    /// Whether `DraftReady` was sent.
    package internal(set) var isReady = false
    /// What was drawn below a node, and from what.
    struct Drawn: Sendable {
        var row: WeightRow
        /// In the order of drawing; independent draws may repeat one.
        var tokens: [TokenID]
    }
    /// What was drawn below nodes of `growth.proposed` and not sent yet.
    var drawn: [NodeIndex?: Drawn] = [:]
    /// Rows that stay here until they are asked for, by the number + 1 of their node.
    var rows: [Int: WeightRow] = [:]
    /// Where the stream is measured: what q was like below nodes of `growth.proposed`.
    var measured: [NodeIndex?: DraftMeasure] = [:]
    /// Where the policy decides token by token.
    var pace: TokenPace?
    /// The forest that is drafted in place of a tree, if one is.
    package internal(set) var forest: ForestRound?
    /// The beam search that grows the tree, if one does.
    var beams: BeamRound?
    /// Where drafts, or some of them, come without a model.
    var lookup: StreamLookup?
    /// Draws so far: no two draws of the stream take the same number.
    var drawCount = 0

    /// - Parameters:
    ///   - lookups: what drafts without a model.
    ///   - hasModel: whether there is one beside them.
    package init(
        _ open: DraftOpen, sequence: SequenceID, contextMax: Int, endTokens: Set<TokenID>, lookups: [LookupKind] = [],
        hasModel: Bool = true
    ) {
        key = open.key
        sampling = open.sampling
        promptLength = open.promptLength
        contextTotal = open.contextTotal
        rule = open.rule
        shape = open.shape
        branches = open.branches
        payload = open.payload
        siblings = open.siblings
        merge = open.merge
        isMeasured = open.isMeasured
        let endTokens = open.ignoresEnds ? [] : endTokens
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
        restart(at: root)
        forest = ForestRound(open, trunk: sequence, contextMax: contextMax, ends: endTokens)
        // Beams are compared by the model's own probabilities, which what is looked up has not.
        if !lookups.isEmpty, beams == nil, forest == nil { lookup = StreamLookup(lookups, isAlone: !hasModel) }
        adopt(open.policy)
    }

    package var length: Position { Position(rawValue: tokens.count) }
    package var hasContext: Bool { tokens.count >= contextTotal }
    /// Tokens of the text that are not cached.
    package var uncached: Int { tokens.count - cache.cached(upTo: length).rawValue }
    package var canDraft: Bool {
        if let forest { return hasContext && (unreadPrompt > 0 || !forest.isComplete) }
        return hasContext && !growth.isComplete && !isPaused
    }

    /// Takes the next part of the context.
    package mutating func receive(_ open: DraftOpen) throws(ProtocolFault) {
        guard open.contextOffset == tokens.count, tokens.count + open.context.count <= contextTotal else {
            throw ProtocolFault("DraftOpen part at \(open.contextOffset) does not continue \(tokens.count) tokens")
        }
        tokens += open.context
    }

    package mutating func markReady() { isReady = true }

    /// How the tree may grow from the text that is committed now.
    var plan: TreePlan {
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
        case .forest: return .bestFirst(.init(nodesMax: 0, width: 1))
        case .beams(let width, let onePath):
            return .beams(width: width, depth: min(depth, TreeShape.nodesMax / width), byChoice: onePath)
        case .best(_, let width):
            let nodes = min(most + branches, TreeShape.nodesMax)
            return .bestFirst(.init(nodesMax: nodes, width: width, depthMax: depth))
        }
    }

    private mutating func restart(at root: Position) {
        beams = BeamRound(shape, root: root, index: root - promptLength, sampling, siblings, ends: endTokens)
        // A layer of beams waits for a row of each: none may be spared, whatever the verifier asks for.
        let isSharing = merge > 0 && beams == nil
        growth = TreeGrowth(root: root, plan: plan, endTokens: endTokens, sharingRecent: isSharing ? merge : nil)
    }

    /// Other tokens considered at each position of a chain with branches.
    static let fanOut = 3

    // MARK: - Verdicts

    /// Takes what the target decided: stays in the epoch if the drafts sent hold every committed token, else goes on in
    /// `nextEpoch`, with what was prepared for those tokens and not sent.
    package mutating func receive(
        _ verdict: Verdict, releases: inout [CacheEdit], free: inout [SequenceID]
    ) throws(ProtocolFault) {
        guard forest == nil else { return try receiveForest(verdict, releases: &releases, free: &free) }
        guard hasContext, verdict.beams.isEmpty, length + verdict.tokens.count == verdict.committed else {
            throw ProtocolFault(
                "Verdict commits up to \(verdict.committed) with \(verdict.tokens.count) tokens, at \(length)")
        }
        positionLimit = max(positionLimit, verdict.positionLimit)
        nodesMax = verdict.nodesMax
        heard = verdict.nextEpoch
        let before = growth
        let sent = before.tree.follow(verdict.tokens)
        // Where several verdicts come at once, what the first one let grow was not sent when the next one was written.
        let isInSent = sent.node.map { $0.rawValue < numbers.count } ?? true
        let wasSent = sent.matched == verdict.tokens.count && isInSent
        pace?.observe(
            accepted: sent.matched, rejected: !wasSent && before.tree.firstChild(of: sent.node) != nil,
            committed: verdict.tokens.count, hitLimit: before.isComplete)
        noteRejection(verdict, of: before.tree)
        tokens += verdict.tokens
        // A beam search is verified as a whole; the next begins at what is committed.
        if beams == nil, let commit = growth.commit(verdict.tokens) {
            let path = before.proposed.path(to: commit.root)
            cache.commit(path: path, moved: commit.proposed, of: before.proposed, releases: &releases, free: &free)
            drawn = Self.moved(drawn, by: commit)
            measured = Self.moved(measured, by: commit)
            if wasSent { renumber(commit) } else { begin(verdict.nextEpoch) }
        } else {
            let (reached, matched) = before.proposed.follow(verdict.tokens)
            cache.abandon(
                keeping: before.proposed.root + matched, path: before.proposed.path(to: reached), of: before.proposed,
                releases: &releases, free: &free)
            restart(at: length)
            drawn = [:]
            measured = [:]
            rollbacks += 1
            pace?.forget()
            begin(verdict.nextEpoch)
        }
        // Lookups may know more by now of what follows a leaf of their tree.
        if draftsWithoutModel, growth.proposed.count == 0 { restart(at: length) }
        growth.replan(plan)
        resume()
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

    /// What belongs to nodes of `growth.proposed`, by what a commit made of them.
    private static func moved<Value>(
        _ values: [NodeIndex?: Value], by commit: TreeGrowth.Commit
    ) -> [NodeIndex?: Value] {
        guard !values.isEmpty else { return values }
        var kept: [NodeIndex?: Value] = [:]
        for (node, value) in values {
            if node == commit.root {
                kept[nil] = value
            } else if let node, let new = commit.proposed[node.rawValue] {
                kept[new] = value
            }
        }
        return kept
    }

    /// The row that a scalar stands for.
    package func row(for request: RowRequest) -> WeightRow? { request.epoch == epoch ? rows[request.node] : nil }

    /// The pass that was to score this did not.
    package mutating func abandon(_ expansion: TreeGrowth.Expansion) { growth.abandon(expansion) }

    /// What is cached can be relied on no more.
    package mutating func forgetCache(releases: inout [CacheEdit], free: inout [SequenceID]) {
        forest?.reset(releases: &releases, free: &free)
        cache.reset(releases: &releases, free: &free)
    }
}

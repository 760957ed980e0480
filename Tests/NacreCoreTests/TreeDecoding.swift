import NacreCore

/// How a test's drafter proposes the children of every node.
struct Proposing: Sendable, CustomStringConvertible {
    enum Kind: Sendable {
        case greedy
        case row(SiblingDraw, entriesMax: Int)
        /// As `row`, but the rows stay with the drafter until they are asked for.
        case lazy(SiblingDraw, entriesMax: Int)
        /// Rows for the root's children, point masses below.
        case mixed(SiblingDraw)
    }
    let kind: Kind
    /// Children of a node, from its depth and token; 0 makes it a leaf.
    let shape: Shape

    enum Shape: Sendable {
        case layers([Int])
        /// Legal: after token 0 two children, after any other one, to this depth.
        case afterToken(depth: Int)

        func children(depth: Int, token: TokenID) -> Int {
            switch self {
            case .layers(let widths): depth < widths.count ? widths[depth] : 0
            case .afterToken(let limit): depth >= limit ? 0 : token == 0 ? 2 : 1
            }
        }
    }

    init(_ kind: Kind, _ shape: Shape) {
        self.kind = kind
        self.shape = shape
    }

    var description: String { "\(kind) \(shape)" }

    var isLazy: Bool { if case .lazy = kind { true } else { false } }

    /// The drafter's tree behind `context`, rows included.
    func tree<Source: ChanceSource>(
        _ tables: Tables, after context: [TokenID], epoch: Int, chance: inout Source
    ) -> ProposedTree {
        var tree = ProposedTree(behind: context)
        tree.visit { tree, node in
            let token = node.map { tree.drafts[$0].token } ?? 0
            let width = shape.children(depth: tree.drafts.depth(of: node), token: token)
            guard width > 0 else { return }
            let q = tables.q(after: context + tree.drafts.tokens(to: node))
            switch kind {
            case .row(let draw, let entriesMax), .lazy(let draw, let entriesMax):
                tree.grow(node, width, .row(WeightRow(q, entriesMax: entriesMax), draw), epoch, &chance)
            case .mixed(let draw) where node == nil:
                tree.grow(node, width, .row(WeightRow(q, entriesMax: 64), draw), epoch, &chance)
            case .greedy, .mixed:
                tree.must { tree throws(PayloadFault) in
                    try tree.propose(.deterministic, under: node)
                    for token in q.likeliest(width) { try tree.append(token, under: node) }
                }
            }
        }
        return tree
    }
}

extension ProposedTree {
    /// Behind tokens that were all generated.
    init(behind context: [TokenID]) { self.init(root: Position(rawValue: context.count), index: context.count) }

    /// The root, then every draft, those too that come to be on the way.
    mutating func visit(_ each: (inout ProposedTree, NodeIndex?) -> Void) {
        each(&self, nil)
        var number = 0
        while number < drafts.count {
            each(&self, NodeIndex(rawValue: number))
            number += 1
        }
    }

    /// Draws `width` children, fewer if the row runs out.
    mutating func grow<Source: ChanceSource>(
        _ node: NodeIndex?, _ width: Int, _ payload: DraftPayload, _ epoch: Int, _ chance: inout Source
    ) {
        must { tree throws(PayloadFault) in try tree.propose(payload, under: node) }
        for _ in 0..<width { _ = drawChild(of: node, epoch: epoch, chance: &chance) }
    }

    /// What a well-meaning test does to a tree is never refused.
    mutating func must(_ change: (inout ProposedTree) throws(PayloadFault) -> Void) {
        do { try change(&self) } catch { preconditionFailure("\(error)") }
    }

    /// A chain of tokens, each with its payload.
    static func chain(_ drafts: [(TokenID, DraftPayload)], index: Int = 0) -> ProposedTree {
        var tree = ProposedTree(root: Position(rawValue: index), index: index)
        var last: NodeIndex?
        for (token, payload) in drafts {
            tree.must { tree throws(PayloadFault) in
                try tree.propose(payload, under: last)
                last = try tree.append(token, under: last)
            }
        }
        return tree
    }
}

/// Scores and selects; rows that stayed with the drafter are taken from `drafted` when the rule asks for them.
func verify<Rule: VerifyRule, Source: ChanceSource>(
    _ rule: Rule, _ tree: ProposedTree, drafted: ProposedTree? = nil, _ tables: Tables, after context: [TokenID],
    chance: inout Source
) -> Selection {
    var tree = tree
    func score(_ node: NodeIndex?, _ chance: inout Source) -> Rule.Score {
        let p = tables.p(after: context + tree.drafts.tokens(to: node))
        return rule.score(node, of: tree, p: p, chance: &chance)
    }
    precondition(rule.refusal(of: tree) == nil)
    var selection = rule.select(tree, chance: &chance, score: score)
    while case .needsRow(let pending) = selection.end {
        guard let rejection = rule as? RejectionRule, case .row(let row, _) = drafted?.payload(pending.node) else {
            preconditionFailure("only the rejection rule asks for rows, and the drafter keeps them")
        }
        tree.must { tree throws(PayloadFault) in try tree.resolve(pending.node, to: row) }
        let rest = rejection.resume(pending, in: tree, chance: &chance) { node, chance in
            let p = tables.p(after: context + tree.drafts.tokens(to: node))
            return rejection.score(node, of: tree, p: p, chance: &chance)
        }
        selection = Selection(path: selection.path + rest.path, end: rest.end)
    }
    return selection
}

/// One round: what is committed behind `context`.
func treeRound<Rule: VerifyRule, Source: ChanceSource>(
    _ rule: Rule, _ proposing: Proposing, _ tables: Tables, after context: [TokenID], epoch: Int = 0,
    chance: inout Source
) -> [TokenID] {
    let drafted = proposing.tree(tables, after: context, epoch: epoch, chance: &chance)
    let sent = proposing.isLazy ? drafted.withScalars : drafted
    return verify(rule, sent, drafted: drafted, tables, after: context, chance: &chance).tokens(of: sent)
}

/// Rounds until `length` tokens are committed; every round is an epoch of its own.
func treeDecoding<Rule: VerifyRule, Source: ChanceSource>(
    _ rule: Rule, _ proposing: Proposing, _ tables: Tables, length: Int, chance: inout Source
) -> [TokenID] {
    var committed: [TokenID] = []
    var epoch = 0
    while committed.count < length {
        committed += treeRound(rule, proposing, tables, after: committed, epoch: epoch, chance: &chance)
        epoch += 1
    }
    return Array(committed.prefix(length))
}

/// A lossless rule of verification: which drafts of a tree stand, and the target's own token behind them.
///
/// Verifying has two parts. `score` looks at the target's row behind one node and needs nothing of any other node, so
/// it may run where that row is, on any core or host. `select` walks the tree with the scores. Both take their chance
/// from named places, so it makes no difference whether all nodes are scored ahead or only those that the walk reaches.
///
///     let selection = rule.select(tree, chance: &chance) { node, chance in
///         rule.score(node, of: tree, p: rows[node.rawValue], chance: &chance)
///     }
package protocol VerifyRule: Sendable {
    /// What `select` needs to know of the row behind one node.
    associatedtype Score: Sendable

    /// Why this rule cannot judge `tree`; `nil` if it can. To be asked before anything is scored.
    func refusal(of tree: DraftTree) -> DraftFault?

    /// Scores `node`; `p` is the target's law behind it, after the sampler transform.
    func score<Source: ChanceSource>(
        _ node: NodeIndex, of tree: DraftTree, p: Distribution, chance: inout Source
    ) -> Score

    /// Walks from the root; `score` is asked for each node at most once, parents first.
    func select<Source: ChanceSource>(
        _ tree: DraftTree, chance: inout Source, score: (NodeIndex, inout Source) -> Score
    ) -> Selection
}

extension VerifyRule {
    package func refusal(of tree: DraftTree) -> DraftFault? { nil }
}

/// What a rule selected: the accepted nodes from the root down, and what comes behind them.
package struct Selection: Sendable, Hashable {
    package var path: [NodeIndex]
    package var end: End

    /// How a walk ends.
    package enum End: Sendable, Hashable {
        /// The target's token: the correction, or the bonus where the path ends at a leaf.
        case token(TokenID)
        /// The path stands and may be committed; the token behind it waits for a row of q.
        case needsRow(PendingRow)
    }

    package init(path: [NodeIndex], end: End) {
        self.path = path
        self.end = end
    }

    /// The tokens to commit: those of the path, and the target's own if it is known.
    package func tokens(of tree: DraftTree) -> [TokenID] {
        guard case .token(let token) = end else { return tree.tokens(path) }
        return tree.tokens(path) + [token]
    }
}

/// A selection that stopped at the first rejection below `node`, whose row of q is still with the drafter
/// (SCALAR + LAZY of ALGORITHMS 0.6). It keeps the target's law, so the pass need not be repeated.
package struct PendingRow: Sendable, Hashable {
    /// The node whose children's row is needed: `DraftTree.resolve`, then `RejectionRule.resume`.
    package let node: NodeIndex
    let p: Distribution
}

/// What is decided behind one node.
package enum NodeVerdict: Sendable, Hashable {
    /// This child stands.
    case accepted(NodeIndex)
    /// No child stands; the target's token.
    case token(TokenID)
    case needsRow(PendingRow)
}

extension DraftTree {
    /// The path that the verdicts lay from `start` down.
    func walk(from start: NodeIndex = .root, verdict: (NodeIndex) -> NodeVerdict) -> Selection {
        var path: [NodeIndex] = []
        while true {
            switch verdict(path.last ?? start) {
            case .accepted(let child): path.append(child)
            case .token(let token): return Selection(path: path, end: .token(token))
            case .needsRow(let pending): return Selection(path: path, end: .needsRow(pending))
            }
        }
    }

    /// The first child of `node` with this token.
    func child(of node: NodeIndex, with token: TokenID) -> NodeIndex? {
        children(node).first { self.token($0) == token }
    }
}

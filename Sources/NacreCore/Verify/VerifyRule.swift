/// A lossless rule of verification: which drafts of a tree stand, and the target's own token behind them.
///
/// Verifying has two parts. `score` looks at the target's row behind one node and needs nothing of any other node, so
/// it may run where that row is, on any core or host. `select` walks the tree with the scores. Both take their chance
/// from named places, so it makes no difference whether all nodes are scored ahead or only those that the walk reaches.
///
///     let selection = rule.select(tree, chance: &chance) { node, chance in
///         rule.score(node, of: tree, p: p(behind: node), chance: &chance)
///     }
package protocol VerifyRule: Sendable {
    /// What `select` needs to know of the row behind one node.
    associatedtype Score: Sendable

    /// Why this rule cannot judge `tree`; `nil` if it can. To be asked before anything is scored.
    func refusal(of tree: ProposedTree) -> RuleRefusal?

    /// Scores `node`, `nil` being the root; `p` is the target's law behind it, after the sampler transform.
    func score<Source: ChanceSource>(
        _ node: NodeIndex?, of tree: ProposedTree, p: Distribution, chance: inout Source
    ) -> Score

    /// Walks from the root; `score` is asked for each node at most once, parents first.
    func select<Source: ChanceSource>(
        _ tree: ProposedTree, chance: inout Source, score: (NodeIndex?, inout Source) -> Score
    ) -> Selection
}

extension VerifyRule {
    package func refusal(of tree: ProposedTree) -> RuleRefusal? { nil }
}

/// Why a rule has no answer for a tree with which nothing else is wrong.
package enum RuleRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// Several candidates were drawn where the rule judges chains.
    case branches(below: NodeIndex?)
    /// The row of q stayed with the drafter where the rule needs it from the start.
    case noRow(below: NodeIndex?)

    package var description: String {
        switch self {
        case .branches(let node): "\(node.name) branches, and this rule judges chains: draft one, or use `rejection`"
        case .noRow(let node): "there is no row of q below \(node.name), and this rule needs all: send rows"
        }
    }
}

/// What a rule selected: the accepted drafts from the root down, and what comes behind them.
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
    package func tokens(of tree: ProposedTree) -> [TokenID] {
        let drafts = path.map { tree.drafts[$0].token }
        guard case .token(let token) = end else { return drafts }
        return drafts + [token]
    }
}

/// A selection that stopped at the first rejection below `node`, whose row of q is still with the drafter
/// (SCALAR + LAZY of ALGORITHMS 0.6). It keeps the target's law, so the pass need not be repeated.
package struct PendingRow: Sendable, Hashable {
    /// The node whose children's row is needed: `ProposedTree.resolve`, then `RejectionRule.resume`.
    package let node: NodeIndex?
    let p: Distribution

    /// The target's law behind the node, the failed test not taken out.
    package var law: Distribution { p }
}

/// What is decided behind one node.
package enum NodeVerdict: Sendable, Hashable {
    /// This child stands.
    case accepted(NodeIndex)
    /// No child stands; the target's token.
    case token(TokenID)
    case needsRow(PendingRow)
}

extension Selection {
    /// The path that the verdicts lay from `start` down.
    init(from start: NodeIndex? = nil, verdict: (NodeIndex?) -> NodeVerdict) {
        var path: [NodeIndex] = []
        while true {
            switch verdict(path.last ?? start) {
            case .accepted(let child): path.append(child)
            case .token(let token):
                self.init(path: path, end: .token(token))
                return
            case .needsRow(let pending):
                self.init(path: path, end: .needsRow(pending))
                return
            }
        }
    }
}

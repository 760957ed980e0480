// What a pass judges of a tree that is larger or grows on.
extension ProposedTree {
    /// The chosen drafts and what was proposed of them, as a tree of their own.
    ///
    /// Of draws without replacement the first ones may be chosen; independent ones stay or go together. Cut behind
    /// their first nodes they would keep a further draw if and only if it is a repeat, and that changes the law.
    ///
    /// - Parameter chosen: nodes of `drafts`, each with all its ancestors and the siblings that go with it. Whether the
    ///   choice itself was legal: `TreePlan`.
    /// - Returns: the tree, and for every node of the whole its index there; `nil` if it was not chosen.
    package func keeping(_ chosen: some Sequence<NodeIndex>) -> (tree: ProposedTree, moved: [NodeIndex?]) {
        let part = drafts.keeping(chosen)
        var kept: [NodeIndex?: Proposal] = [:]
        for (node, proposal) in proposals {
            let place = node.flatMap { part.moved[$0.rawValue] }
            guard node == nil || place != nil else { continue }
            let moved = proposal.draws.map { part.moved[$0.rawValue] }
            let draws = moved.compactMap(\.self)
            switch proposal.payload.draw {
            case .independent:
                precondition(draws.count == moved.count || draws.isEmpty, "some draws below \(node.name)")
            case .withoutReplacement:
                precondition(!moved.prefix(draws.count).contains(nil), "a hole in the draws below \(node.name)")
            case nil: break
            }
            kept[place] = Proposal(proposal.payload, draws: draws)
        }
        return (ProposedTree(part.tree, index: index, checked: kept), part.moved)
    }
}

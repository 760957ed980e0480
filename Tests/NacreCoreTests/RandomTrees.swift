import NacreCore

extension DraftTree {
    /// A tree of `nodes` drafts in which every shape is possible; siblings' probabilities need not sum to 1.
    static func random(_ nodes: Int, root: Position = 5, tokens: UInt32 = 8, using random: inout SplitMix) -> DraftTree
    {
        var tree = DraftTree(root: root)
        while tree.count < nodes {
            let pick = Int(random.next() % UInt64(tree.count + 1))
            let parent = pick == 0 ? nil : NodeIndex(rawValue: pick - 1)
            let token = TokenID(rawValue: UInt32(random.next() % UInt64(tokens)))
            guard tree.child(of: parent, token: token) == nil else { continue }
            tree.append(token, under: parent, probability: random.uniform())
        }
        return tree
    }

    /// All sets of nodes that hold each node's ancestors.
    var closedSets: [Set<NodeIndex>] {
        precondition(count < 16, "2^\(count) sets")
        return (0..<1 << count).compactMap { bits in
            let set = Set(indices.filter { bits >> $0.rawValue & 1 == 1 })
            return set.allSatisfy { self[$0].parent.map(set.contains) ?? true } ? set : nil
        }
    }

    /// The paths from the root to every node, as tokens.
    var allPaths: Set<[TokenID]> { Set(indices.map { tokens(to: $0) }) }
}

/// The first `count` of the tokens 0, 1, 2 …, the j-th with the j-th probability.
func proposals(_ probabilities: [Double]) -> [TreeGrowth.Proposal] {
    probabilities.enumerated().map { .init(token: TokenID(rawValue: UInt32($0)), probability: $1) }
}

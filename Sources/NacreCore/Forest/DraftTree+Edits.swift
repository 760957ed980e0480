// What becomes of a tree when the text grows or another drafter has its own.
extension DraftTree {
    /// A part of a tree as a tree of its own.
    package struct Part: Sendable, Hashable {
        package var tree: DraftTree
        /// For every node of the whole its index in the part; `nil` if it is not in it.
        package var moved: [NodeIndex?]
    }

    /// The drafts below `node`, which has been committed and becomes the root; the whole tree for the root.
    ///
    /// Estimates of single drafts stay, path probabilities start at 1 again. Takes linear time.
    package func below(_ node: NodeIndex?) -> Part {
        guard let node else { return Part(tree: self, moved: indices) }
        return part(below: node) { _ in true }
    }

    /// The chosen drafts as they are now, whatever the whole grows to: what one pass judges. Takes linear time.
    ///
    /// - Parameter chosen: nodes of this tree, each with all its ancestors.
    package func keeping(_ chosen: some Sequence<NodeIndex>) -> Part {
        let chosen = Set(chosen)
        let part = part(below: nil, where: chosen.contains)
        precondition(part.tree.count == chosen.count, "chosen drafts without their ancestors")
        return part
    }

    /// The drafts below `node` that are wanted, as are all between.
    private func part(below node: NodeIndex?, where isWanted: (NodeIndex) -> Bool) -> Part {
        let root = node.map { position(of: $0).next } ?? root
        var part = Part(tree: DraftTree(root: root), moved: Array(repeating: nil, count: count))
        for (index, draft) in zip(indices, nodes).dropFirst(node.map { $0.rawValue + 1 } ?? 0) where isWanted(index) {
            let parent = draft.parent.flatMap { part.moved[$0.rawValue] }
            guard draft.parent == node || parent != nil else { continue }
            part.moved[index.rawValue] = part.tree.append(draft.token, under: parent, probability: draft.probability)
        }
        return part
    }

    /// What survives when `tokens` have been committed at the root; `nil` when they leave the tree.
    ///
    /// That a token is not in the tree ends a drafter's epoch only if no draft for it can still come: whoever streams
    /// drafts asks `follow` how far the text matched, and decides.
    package func surviving(_ tokens: some Collection<TokenID>) -> Part? {
        let reached = follow(tokens)
        return reached.matched == tokens.count ? below(reached.node) : nil
    }

    /// Adds the drafts of another tree on the same root. Common prefixes are merged: a path that both have is judged
    /// once, under its one true prefix. Where both hold a node, this tree's estimate stays.
    ///
    /// The union of candidates is legal when drafts are functions of their context or coupled to the target's noise
    /// (ALGORITHMS 9.3): payloads `.deterministic` and `.coupled`. Drafts that were *drawn* (`.row`, `.scalar`) lose
    /// their order of drawing in a union, and may not be united.
    package mutating func unite(with other: DraftTree) {
        precondition(other.root == root, "a tree on \(other.root) for one on \(root)")
        var moved: [NodeIndex] = []
        moved.reserveCapacity(other.count)
        for draft in other.nodes {
            let parent = draft.parent.map { moved[$0.rawValue] }
            moved.append(
                child(of: parent, token: draft.token)
                    ?? append(draft.token, under: parent, probability: draft.probability))
        }
    }
}

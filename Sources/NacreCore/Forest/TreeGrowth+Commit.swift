// What is left of a growing tree when the text has grown.
extension TreeGrowth {
    /// What a commit makes of the nodes there were: for each its new index; `nil` if it is gone or became the root.
    package struct Commit: Sendable {
        /// By the index in `proposed`.
        package var proposed: [NodeIndex?]
        /// By the index in `tree`.
        package var tree: [NodeIndex?]
        /// The node of the old `proposed` that is the root now; `nil` if nothing was committed.
        package var root: NodeIndex?
        /// The same node's index in the old `tree`; `nil` also if it had not entered.
        package var rootInTree: NodeIndex?
    }

    /// `tokens` were committed at the root: keeps what was proposed below them, also where it was not in the tree, so
    /// that a prepared continuation costs nothing. The plan's levels and nodes count from the new root.
    ///
    /// - Parameter onlySent: the text must lie in `tree`, which is all that the other side knows of.
    /// - Returns: what became of the nodes; `nil`, and nothing changes, if the text left what was proposed.
    @discardableResult
    package mutating func commit(_ tokens: some Collection<TokenID>, onlySent: Bool = false) -> Commit? {
        guard let part = proposed.surviving(tokens), !onlySent || tree.follow(tokens).matched == tokens.count else {
            return nil
        }
        let accepted = proposed.follow(tokens).node
        let nothing = DraftTree.Part(tree: DraftTree(root: part.tree.root), moved: tree.nodes.map { _ in nil })
        let sent = tree.surviving(tokens) ?? nothing
        let result = Commit(
            proposed: part.moved, tree: sent.moved, root: accepted,
            rootInTree: accepted.flatMap { self.placed[$0.rawValue] })
        rootState = state(of: accepted)
        var states = Array(repeating: State.untouched, count: part.tree.count)
        var placed = Array(repeating: NodeIndex?.none, count: part.tree.count)
        for (old, new) in part.moved.enumerated() {
            guard let new else { continue }
            states[new.rawValue] = self.states[old]
            placed[new.rawValue] = self.placed[old].flatMap { sent.moved[$0.rawValue] }
        }
        tickets = tickets.compactMapValues { node -> NodeIndex?? in
            if node == accepted { return .some(nil) }
            guard let node, let new = part.moved[node.rawValue] else { return nil }
            return .some(new)
        }
        proposed = part.tree
        tree = sent.tree
        self.states = states
        self.placed = placed
        onSpine = spine(of: proposed)
        entered = Array(repeating: 0, count: tree.count)
        candidates = []
        memory?.forget()
        for index in proposed.nodes.indices {
            let node = NodeIndex(rawValue: index)
            if let place = placed[index] { entered[place.rawValue] = node } else { queue(node) }
        }
        enter()
        return result
    }

    /// For each node whether only first children lead to it.
    private func spine(of tree: DraftTree) -> [Bool] {
        var spine = Array(repeating: false, count: tree.count)
        var node: NodeIndex?
        while let child = tree.firstChild(of: node) {
            spine[child.rawValue] = true
            node = child
        }
        return spine
    }
}

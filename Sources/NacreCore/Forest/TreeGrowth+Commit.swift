// What is left of a growing tree when the text has grown.
extension TreeGrowth {
    /// `tokens` were committed at the root: keeps what was proposed below them, also where it was not in the tree, so
    /// that a prepared continuation costs nothing. Expansions that are under way are void. The plan's levels and
    /// nodes count from the new root.
    ///
    /// - Returns: for each node of the tree its new index; `nil`, and nothing changes, if the text left what was
    ///   proposed.
    @discardableResult
    package mutating func commit(_ tokens: some Collection<TokenID>) -> [NodeIndex?]? {
        guard let part = proposed.surviving(tokens) else { return nil }
        let accepted = proposed.follow(tokens).node
        let nothing = DraftTree.Part(tree: DraftTree(root: part.tree.root), moved: tree.nodes.map { _ in nil })
        let sent = tree.surviving(tokens) ?? nothing
        rootState = state(of: accepted)
        var states = Array(repeating: State.untouched, count: part.tree.count)
        var placed = Array(repeating: NodeIndex?.none, count: part.tree.count)
        for (old, new) in part.moved.enumerated() {
            guard let new else { continue }
            states[new.rawValue] = self.states[old]
            placed[new.rawValue] = self.placed[old].flatMap { sent.moved[$0.rawValue] }
        }
        proposed = part.tree
        tree = sent.tree
        self.states = states
        self.placed = placed
        entered = Array(repeating: 0, count: tree.count)
        candidates = []
        generation += 1
        memory?.forget()
        if rootState == .asked { rootState = .untouched }
        for index in proposed.nodes.indices {
            if states[index] == .asked { self.states[index] = .untouched }
            let node = NodeIndex(rawValue: index)
            if let place = placed[index] { entered[place.rawValue] = node } else { queue(node) }
        }
        enter()
        return sent.moved
    }
}

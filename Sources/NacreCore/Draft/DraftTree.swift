/// A node of a draft tree: 0 is the root, the last committed token; drafts count from 1.
package struct NodeIndex: Ordinal {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let root: NodeIndex = 0
}

/// Drafted continuations of one text, parent before child. A chain is the tree in which every node has one child.
///
///     var tree = DraftTree(index: 7)                              // the drafts below the root decide token 7
///     try tree.propose(.deterministic, under: .root)
///     let likely = try tree.append(11, under: .root)
///     try tree.append(12, under: .root)                           // its sibling, the second in draw order
///
/// A tree that exists is well-formed: every token could have been drawn as its payload says. What it cannot know is
/// whether the drafter chose *which* draws to send by looking at them, which rejection-type rules forbid
/// (ALGORITHMS 0.5): drop no sampled node, reorder none, and let the number of a node's children depend on its
/// ancestors only.
///
/// - Source: Miao et al., "SpecInfer", ASPLOS 2024 (the token tree).
package struct DraftTree: Sendable, Hashable {
    /// The logical index of the generated token that the root's children stand for (ALGORITHMS I5).
    package let index: Int
    private var nodes: [Node] = [Node(token: 0, parent: .root, depth: 0)]

    private struct Node: Sendable, Hashable {
        var token: TokenID
        var parent: NodeIndex
        var depth: Int
        var children: [NodeIndex] = []
        var payload: DraftPayload?
    }

    package init(index: Int) { self.index = index }

    /// Drafted tokens, the root not counted.
    package var count: Int { nodes.count - 1 }

    package func token(_ node: NodeIndex) -> TokenID { nodes[node.rawValue].token }
    /// The root is its own parent.
    package func parent(_ node: NodeIndex) -> NodeIndex { nodes[node.rawValue].parent }
    /// Edges from the root.
    package func depth(_ node: NodeIndex) -> Int { nodes[node.rawValue].depth }
    /// In draw order.
    package func children(_ node: NodeIndex) -> [NodeIndex] { nodes[node.rawValue].children }
    /// How the node's children were drawn; `nil` if nothing was proposed there.
    package func payload(_ node: NodeIndex) -> DraftPayload? { nodes[node.rawValue].payload }
    /// The logical index of the token that the row behind `node` decides.
    package func indexDecided(by node: NodeIndex) -> Int { index + depth(node) }

    /// Whether an earlier sibling has the same token. Such a node is never accepted, so that neither it nor what is
    /// below it needs a place in the pass; it must stay in the tree, because its failed test changes what is left.
    package func repeatsSibling(_ node: NodeIndex) -> Bool {
        node != .root && children(parent(node)).contains { $0 < node && token($0) == token(node) }
    }

    /// The tokens of `path`.
    package func tokens(_ path: [NodeIndex]) -> [TokenID] { path.map(token) }

    // MARK: - Growing

    /// Says how the children of `node` are drawn; comes before the first of them.
    ///
    /// - Throws: `.tree` if there is no such node or it has a payload already.
    package mutating func propose(_ payload: DraftPayload, under node: NodeIndex) throws(DraftFault) {
        try check(node)
        guard nodes[node.rawValue].payload == nil else { throw .tree("node \(node) has two payloads: send one") }
        nodes[node.rawValue].payload = payload
    }

    /// Adds a child behind its siblings.
    ///
    /// - Throws: `.tree` if there is no such parent or it has no payload, `.token` if the payload excludes the token.
    @discardableResult
    package mutating func append(_ token: TokenID, under parent: NodeIndex) throws(DraftFault) -> NodeIndex {
        try check(parent)
        guard let payload = payload(parent) else {
            throw .tree("node \(parent) has a child but no payload: send how its children were drawn")
        }
        if !payload.mayRepeat, children(parent).contains(where: { self.token($0) == token }) {
            throw .token("token \(token) comes twice under node \(parent): send it once")
        }
        if case .row(let row, _) = payload, row.weight(of: token) == 0 {
            throw .token("token \(token) under node \(parent) is not in its row of q: draw from the row that is sent")
        }
        let node = NodeIndex(rawValue: nodes.count)
        nodes.append(Node(token: token, parent: parent, depth: depth(parent) + 1))
        nodes[parent.rawValue].children.append(node)
        return node
    }

    /// Puts the row that a scalar came from in the scalar's place.
    ///
    /// - Throws: `.tree` if `node` has no scalar, `.mismatch` if its row is another one, `.token` if a child is not
    ///   in it.
    package mutating func resolve(_ node: NodeIndex, to row: WeightRow) throws(DraftFault) {
        try check(node)
        guard case .scalar(let scalar, let draw) = payload(node), let first = children(node).first else {
            throw .tree("node \(node) waits for no row: send one only when asked")
        }
        guard row.total == scalar.total, row.weight(of: token(first)) == scalar.weight else {
            throw .mismatch(
                "the row of node \(node) says q = \(row.weight(of: token(first))) / \(row.total) where the draft said "
                    + "\(scalar.weight) / \(scalar.total): keep the row that was drawn from")
        }
        for child in children(node) where row.weight(of: token(child)) == 0 {
            throw .token("token \(token(child)) under node \(node) is not in its row of q")
        }
        nodes[node.rawValue].payload = .row(row, draw)
    }

    /// The tree with a scalar in the place of every row, and nothing else changed: what a drafter sends that keeps
    /// its rows until it is asked for them.
    package var withScalars: DraftTree {
        var tree = self
        for place in nodes.indices {
            guard case .row(let row, let draw) = nodes[place].payload, let first = nodes[place].children.first,
                let scalar = try? DraftPayload.Scalar(weight: row.weight(of: token(first)), total: row.total)
            else { continue }
            tree.nodes[place].payload = .scalar(scalar, draw)
        }
        return tree
    }

    private func check(_ node: NodeIndex) throws(DraftFault) {
        guard nodes.indices.contains(node.rawValue) else {
            throw .tree("there is no node \(node) yet: send parents before children")
        }
    }
}

extension DraftPayload {
    /// Whether the same token may stand among siblings twice.
    fileprivate var mayRepeat: Bool {
        switch self {
        case .deterministic, .coupled: false
        case .row(_, let draw), .scalar(_, let draw): draw == .independent
        }
    }
}

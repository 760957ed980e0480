/// Draft tokens as a tree below the committed text: every path from the root is one guess at how the text goes on.
///
/// Nodes are only ever appended, parents before children, so index order is a topological order, and a loop over
/// `nodes` meets each parent before its children. The root is the last committed token. It is no node; where a node
/// is asked for, `nil` names it. Siblings differ in their tokens and keep the order in which they were appended:
/// under recursive rejection sampling that is the order of drawing, in which they must be judged (ALGORITHMS 6.1).
/// How they were drawn, and what was drawn twice, is no part of it: `ProposedTree`.
///
///     var tree = DraftTree(root: 12)                             // 12 tokens are committed
///     let first = tree.append(7, under: nil, probability: 0.8)   // a guess at the token of position 12
///     tree.append(9, under: first, probability: 0.5)             // and at that of position 13
package struct DraftTree: Sendable, Hashable {
    /// One draft token and its place.
    package struct Node: Sendable, Hashable {
        /// `nil`: the root.
        package let parent: NodeIndex?
        package let token: TokenID
        /// Drafts on the path from the root, this one included: 1 for a child of the root.
        package let depth: Int
        /// The estimated probability that this token is accepted, given that its parent is; 0 ... 1.
        package let probability: Double
        /// The product of `probability` along the path: never more than the parent's, also after rounding.
        package let pathProbability: Double
        fileprivate(set) var firstChild: NodeIndex?
        fileprivate var lastChild: NodeIndex?
        fileprivate(set) var nextSibling: NodeIndex?
    }

    /// The committed length that the tree stands on, and the position of the root's children.
    package let root: Position
    package private(set) var nodes: [Node] = []
    private var firstRoot: NodeIndex?
    private var lastRoot: NodeIndex?

    package init(root: Position) { self.root = root }

    package var count: Int { nodes.count }
    package var isEmpty: Bool { nodes.isEmpty }
    package var indices: [NodeIndex] { nodes.indices.map(NodeIndex.init) }
    package subscript(node: NodeIndex) -> Node { nodes[node.rawValue] }

    /// Drafts on the path from the root to `node`; 0 for the root.
    package func depth(of node: NodeIndex?) -> Int { node.map { self[$0].depth } ?? 0 }

    /// The position in the text that `node` is a guess at.
    package func position(of node: NodeIndex) -> Position { root + (self[node].depth - 1) }

    /// Appends a draft and returns its index, which is the number of nodes before it.
    ///
    /// For drafts of our own making; what a peer sent goes through `receive`.
    @discardableResult
    package mutating func append(_ token: TokenID, under parent: NodeIndex?, probability: Double) -> NodeIndex {
        precondition(parent.map { nodes.indices.contains($0.rawValue) } ?? true, "parent of \(count) nodes")
        precondition((0...1).contains(probability), "probability \(probability)")
        precondition(child(of: parent, token: token) == nil, "a second sibling with token \(token)")
        let index = NodeIndex(rawValue: count)
        let above = parent.map { self[$0] }
        nodes.append(
            Node(
                parent: parent, token: token, depth: depth(of: parent) + 1, probability: probability,
                pathProbability: (above?.pathProbability ?? 1) * probability))
        if let elder = parent == nil ? lastRoot : above?.lastChild { nodes[elder.rawValue].nextSibling = index }
        if let parent {
            if above?.firstChild == nil { nodes[parent.rawValue].firstChild = index }
            nodes[parent.rawValue].lastChild = index
        } else {
            if firstRoot == nil { firstRoot = index }
            lastRoot = index
        }
        return index
    }

    // MARK: - Looking around

    /// The children of a node in the order of appending.
    package func children(of parent: NodeIndex?) -> Siblings {
        Siblings(tree: self, eldest: parent.map { self[$0].firstChild } ?? firstRoot)
    }

    /// The child that was appended first.
    package func firstChild(of parent: NodeIndex?) -> NodeIndex? { parent.map { self[$0].firstChild } ?? firstRoot }

    /// The child of a node that holds `token`.
    package func child(of parent: NodeIndex?, token: TokenID) -> NodeIndex? {
        children(of: parent).first { self[$0].token == token }
    }

    /// The nodes from the root's child down to `node`; none for the root.
    package func path(to node: NodeIndex?) -> [NodeIndex] {
        var path: [NodeIndex] = []
        var next = node
        while let node = next {
            path.append(node)
            next = self[node].parent
        }
        return path.reversed()
    }

    /// The path of first children.
    package var spine: [NodeIndex] {
        var spine: [NodeIndex] = []
        while let next = firstChild(of: spine.last) { spine.append(next) }
        return spine
    }

    /// The tokens from the root's child down to `node`; none for the root.
    package func tokens(to node: NodeIndex?) -> [TokenID] { path(to: node).map { self[$0].token } }

    /// Walks down from the root along `tokens` as far as the tree has them: the last node reached and the steps made.
    package func follow(_ tokens: some Sequence<TokenID>) -> (node: NodeIndex?, matched: Int) {
        var reached: (node: NodeIndex?, matched: Int) = (nil, 0)
        for token in tokens {
            guard let child = child(of: reached.node, token: token) else { break }
            reached = (child, reached.matched + 1)
        }
        return reached
    }

    /// The children of one node.
    package struct Siblings: Sequence, IteratorProtocol {
        fileprivate let tree: DraftTree
        /// The first of those still to come.
        fileprivate var eldest: NodeIndex?

        package mutating func next() -> NodeIndex? {
            guard let node = eldest else { return nil }
            eldest = tree[node].nextSibling
            return node
        }
    }
}

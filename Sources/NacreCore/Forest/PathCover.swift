/// A job's part in a pass: its last committed tokens and the drafts chosen for it, laid out so that every path lies in
/// a sequence of its own.
///
///     let cover = PathCover(tree, chosen: chosen, lead: [last], at: cursor.valid, owner: sequence, branches: free)
///     pass.nodes += cover.nodes { position in request(for: position) }
///     …
///     let settlement = cover.settle(accepting: verdict.node)       // when the verdict is there
///     next.adoptions += settlement.adoptions
///     next.edits += settlement.releases
///
/// Nodes stand depth first, the likeliest child first. So parents come before children, the cells of every path lie in
/// the order of its positions, and if the likeliest path wins its cells are the first of the job in the batch. That
/// path, the *spine*, is in the job's own sequence: when it wins the cache needs no more than a rewind, as after a
/// chain. Every other leaf needs one branch.
package struct PathCover: Sendable, Hashable {
    /// A chosen draft in the pass.
    package struct Draft: Sendable, Hashable {
        /// Its index in the tree.
        package var node: NodeIndex
        package var token: TokenID
        package var position: Position
        /// The first is the one in which it is the leftmost path; the others are its `ForestNode.branches`.
        package var sequences: [SequenceID]
    }

    /// The job's sequence.
    package let owner: SequenceID
    /// The branches in use, in the order of the leaves.
    package let branches: [SequenceID]
    /// Committed tokens that are evaluated before the drafts, the last committed one last.
    package let lead: [TokenID]
    /// The position of the first of `lead`: where the owner's cache ends.
    package let start: Position
    package let drafts: [Draft]
    /// For each draft, by its place in `drafts`, that of its parent; `nil` for children of the root.
    package let parents: [Int?]

    /// - Parameters:
    ///   - chosen: nodes of `tree`, each with all its ancestors.
    ///   - lead: committed tokens that are not cached, at least one.
    ///   - start: where the owner's cache ends; `lead` ends where the tree begins.
    ///   - branches: ids of empty sequences, at least one less than the chosen part of the tree has leaves.
    package init(
        _ tree: DraftTree, chosen: [NodeIndex], lead: [TokenID], at start: Position, owner: SequenceID,
        branches free: [SequenceID]
    ) {
        precondition(!lead.isEmpty && start + lead.count == tree.root, "\(lead.count) tokens before \(tree.root)")
        var layout = Layout(tree, chosen)
        layout.visit(nil, parent: nil)
        precondition(layout.drafts.count == chosen.count, "chosen drafts without their ancestors")
        precondition(layout.leaves <= free.count + 1, "\(layout.leaves) leaves, \(free.count) branches")
        let ids = [owner] + free.prefix(max(0, layout.leaves - 1))
        for place in layout.drafts.indices { layout.drafts[place].sequences = Array(ids[layout.spans[place]]) }
        self.owner = owner
        self.branches = Array(ids.dropFirst())
        self.lead = lead
        self.start = start
        drafts = layout.drafts
        parents = layout.parents
    }

    /// Rows of the pass that belong to this job: the last committed token's, then one per draft.
    package var rows: Int { 1 + drafts.count }

    /// The place of each draft in `drafts` by its index in the tree; its row is the one after.
    package var places: [NodeIndex: Int] {
        Dictionary(uniqueKeysWithValues: drafts.enumerated().map { ($1.node, $0) })
    }

    /// The children of a node that take part in the pass, in the order of `tree`, which it was made from.
    package func children(of node: NodeIndex?, in tree: DraftTree) -> [NodeIndex] {
        tree.children(of: node).filter { child in drafts.contains { $0.node == child } }
    }

    /// Drafts on the spine: with the lead, what the owner's sequence grows by in the pass.
    package var spine: Int { drafts.count { $0.sequences.contains(owner) } }

    /// The nodes of the pass. Every draft and the last committed token ask for a row, with the request that `score`
    /// makes for their position; committed tokens before it ask for none.
    package func nodes(score: (Position) -> ScoreRequest) -> [ForestNode] {
        scoredNodes { position, _ in score(position) }
    }

    /// The same with requests that are made for the draft too; `nil` is the last committed token.
    package func scoredNodes(_ score: (Position, NodeIndex?) -> ScoreRequest) -> [ForestNode] {
        let known = lead.enumerated().map { offset, token in
            ForestNode(
                token: token, position: start + offset, sequence: owner,
                score: offset == lead.count - 1 ? score(start + offset, nil) : nil, branches: branches)
        }
        return known
            + drafts.map {
                ForestNode(
                    token: $0.token, position: $0.position, sequence: $0.sequences[0],
                    score: score($0.position, $0.node),
                    branches: Array($0.sequences.dropFirst()))
            }
    }
}

/// Walks the chosen part of a tree depth first.
private struct Layout {
    private let tree: DraftTree
    private let isChosen: [Bool]
    var drafts: [PathCover.Draft] = []
    var parents: [Int?] = []
    /// For each draft the numbers of the leaves below it, from left to right.
    var spans: [Range<Int>] = []
    var leaves = 0

    init(_ tree: DraftTree, _ chosen: [NodeIndex]) {
        self.tree = tree
        var isChosen = Array(repeating: false, count: tree.count)
        for node in chosen { isChosen[node.rawValue] = true }
        self.isChosen = isChosen
    }

    /// The depth of a tree bounds the recursion.
    mutating func visit(_ node: NodeIndex?, parent: Int?) {
        let children = tree.children(of: node).filter { isChosen[$0.rawValue] }
        // Stable: of equally likely children the first proposed goes first.
        let likeliestFirst = children.sorted { (tree[$1].probability, $0) < (tree[$0].probability, $1) }
        if children.isEmpty { leaves += 1 }
        for child in likeliestFirst {
            let place = drafts.count
            let first = leaves
            drafts.append(
                .init(node: child, token: tree[child].token, position: tree.position(of: child), sequences: []))
            parents.append(parent)
            spans.append(0..<0)
            visit(child, parent: place)
            spans[place] = first..<leaves
        }
    }
}

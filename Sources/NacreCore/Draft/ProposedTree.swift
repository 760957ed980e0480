/// A draft tree with what says how its tokens were drawn: all that a verify rule judges.
///
///     var tree = ProposedTree(root: length, index: 7)               // the drafts below the root decide token 7
///     try tree.propose(.deterministic, under: nil)
///     let likely = try tree.append(11, under: nil)
///     try tree.append(12, under: nil)                               // its sibling, the second in draw order
///
/// `drafts` is the tree that is grown, packed and evaluated, and gives the nodes their indices; this layer adds the
/// payloads and the order of drawing. A token that independent draws yield twice among siblings is one node drawn
/// twice: the second draw never passes, so that it needs no place in the pass, but its failed test changes what is
/// left.
///
/// A proposed tree that exists is consistent: every token could have been drawn as its payload says. What it cannot
/// know is whether the drafter chose *which* draws to send by looking at them, which rejection-type rules forbid
/// (ALGORITHMS 0.5, `TreePlan`): drop no draw and reorder none. The number of draws below a node must be fixed before
/// the first of them, and may depend on nothing that they decide: not on their tokens, nor on how many nodes these
/// make.
///
/// - Source: Miao et al., "SpecInfer", ASPLOS 2024 (the token tree).
package struct ProposedTree: Sendable, Hashable {
    /// What was proposed below one node.
    package struct Proposal: Sendable, Hashable {
        package var payload: DraftPayload
        /// The children in the order in which they were drawn; one that came again stands there again.
        package var draws: [NodeIndex]

        package init(_ payload: DraftPayload, draws: [NodeIndex] = []) {
            self.payload = payload
            self.draws = draws
        }
    }

    package private(set) var drafts: DraftTree
    /// The logical index of the generated token that the root's children stand for (ALGORITHMS I5).
    package let index: Int
    /// Draws in the whole tree; at least as many as drafts.
    package private(set) var drawCount: Int
    private(set) var proposals: [NodeIndex?: Proposal]

    package init(root: Position, index: Int) { self.init(DraftTree(root: root), index: index, checked: [:]) }

    init(_ drafts: DraftTree, index: Int, checked proposals: [NodeIndex?: Proposal]) {
        self.drafts = drafts
        self.index = index
        self.proposals = proposals
        drawCount = proposals.values.reduce(0) { $0 + $1.draws.count }
    }

    /// How the node's children were drawn; `nil` if nothing was proposed there.
    package func payload(_ node: NodeIndex?) -> DraftPayload? { proposals[node]?.payload }
    /// The node's children in draw order, one that was drawn again as often.
    package func draws(_ node: NodeIndex?) -> [NodeIndex] { proposals[node]?.draws ?? [] }
    /// The logical index of the token that the row behind `node` decides.
    package func indexDecided(by node: NodeIndex?) -> Int { index + drafts.depth(of: node) }

    // MARK: - Growing

    /// Says how the children of `node` are drawn; comes before the first of them.
    ///
    /// - Throws: `.place` if there is no such node or it has a payload already.
    package mutating func propose(_ payload: DraftPayload, under node: NodeIndex?) throws(PayloadFault) {
        try check(node)
        guard proposals[node] == nil else { throw .place("\(node.name) has two payloads: send one") }
        proposals[node] = Proposal(payload)
    }

    /// Takes the next draw below `parent`, and returns the node that holds it: a new one behind its siblings, or the
    /// one that an earlier draw of the same token made.
    ///
    /// - Parameter probability: as `DraftTree.Node.probability`; 1 tells nothing.
    /// - Throws: `.place` if there is no such parent or it has no payload, `.token` if the payload excludes the token.
    @discardableResult
    package mutating func append(
        _ token: TokenID, under parent: NodeIndex?, probability: Double = 1
    ) throws(PayloadFault) -> NodeIndex {
        try check(parent)
        guard let payload = payload(parent) else { throw Self.missing(below: parent) }
        let known = drafts.child(of: parent, token: token)
        try payload.check(token, below: parent, isRepeated: known != nil)
        let node = known ?? drafts.append(token, under: parent, probability: probability)
        proposals[parent]?.draws.append(node)
        drawCount += 1
        return node
    }

    // MARK: - From a peer

    /// Lays `proposals` over drafts that came with them and are a tree (`DraftTree.receive`).
    ///
    /// - Parameters:
    ///   - proposals: one for each node that has children; `nil` is the root.
    ///   - drawsMax: most draws of the tree, repeated ones included.
    /// - Throws: `.place` if a proposal or its node is missing, `.draws` if the draws are too many or do not name each
    ///   child in the order of the tree, `.token` if a payload excludes a token.
    package init(
        _ drafts: DraftTree, index: Int, _ proposals: [NodeIndex?: Proposal], drawsMax: Int
    ) throws(PayloadFault) {
        self.init(drafts, index: index, checked: proposals)
        for node in proposals.keys.compactMap(\.self).sorted() { try check(node) }
        guard drawCount <= drawsMax else {
            throw .draws("\(drawCount) draws pass the limit of \(drawsMax): draw fewer")
        }
        for node in [nil] + drafts.indices.map(Optional.some) {
            var children = Array(drafts.children(of: node))[...]
            guard let proposal = proposals[node] else {
                if children.isEmpty { continue }
                throw Self.missing(below: node)
            }
            var seen: Set<NodeIndex> = []
            for draw in proposal.draws {
                let isRepeated = !seen.insert(draw).inserted
                guard isRepeated || draw == children.popFirst() else { throw Self.disordered(below: node) }
                try proposal.payload.check(drafts[draw].token, below: node, isRepeated: isRepeated)
            }
            guard children.isEmpty else { throw Self.disordered(below: node) }
        }
    }

    /// Drafts that all came to be in one way that needs no numbers: `.deterministic` or `.coupled`.
    package init(_ drafts: DraftTree, index: Int, all payload: DraftPayload) throws(PayloadFault) {
        var proposals: [NodeIndex?: Proposal] = [:]
        for node in drafts.indices { proposals[drafts[node].parent, default: Proposal(payload)].draws.append(node) }
        try self.init(drafts, index: index, proposals, drawsMax: drafts.count)
    }

    // MARK: - Rows that come late

    /// Puts the row that a scalar came from in the scalar's place.
    ///
    /// - Throws: `.place` if `node` has no scalar, `.mismatch` if its row is another one, `.token` if a child is not
    ///   in it.
    package mutating func resolve(_ node: NodeIndex?, to row: WeightRow) throws(PayloadFault) {
        try check(node)
        guard case .scalar(let scalar, let draw) = payload(node), let first = draws(node).first else {
            throw .place("\(node.name) waits for no row: send one only when asked")
        }
        let weight = row.weight(of: drafts[first].token)
        guard row.total == scalar.total, weight == scalar.weight else {
            throw .mismatch(
                "the row of \(node.name) says q = \(weight) / \(row.total) where the draft said "
                    + "\(scalar.weight) / \(scalar.total): keep the row that was drawn from")
        }
        let resolved = DraftPayload.row(row, draw)
        for child in drafts.children(of: node) {
            try resolved.check(drafts[child].token, below: node, isRepeated: false)
        }
        proposals[node]?.payload = resolved
    }

    /// The tree with a scalar in the place of every row, and nothing else changed: what a drafter sends that keeps
    /// its rows until it is asked for them.
    package var withScalars: ProposedTree {
        var tree = self
        for (node, proposal) in proposals {
            guard case .row(let row, let draw) = proposal.payload, let first = proposal.draws.first,
                let scalar = try? DraftPayload.Scalar(weight: row.weight(of: drafts[first].token), total: row.total)
            else { continue }
            tree.proposals[node]?.payload = .scalar(scalar, draw)
        }
        return tree
    }

    private func check(_ node: NodeIndex?) throws(PayloadFault) {
        guard let node, !(0..<drafts.count).contains(node.rawValue) else { return }
        throw .place("there is no \(Optional(node).name) yet: send nodes before what was drawn below them")
    }

    private static func missing(below node: NodeIndex?) -> PayloadFault {
        .place("\(node.name) has a child but no payload: send how its children were drawn")
    }

    private static func disordered(below node: NodeIndex?) -> PayloadFault {
        .draws("the draws below \(node.name) are not its children in order: send them as they were drawn")
    }
}

extension DraftPayload {
    /// Whether `token` can have been drawn.
    fileprivate func check(_ token: TokenID, below node: NodeIndex?, isRepeated: Bool) throws(PayloadFault) {
        guard !isRepeated || draw == .independent else {
            throw .token("token \(token) comes twice below \(node.name): send it once")
        }
        if case .row(let row, _) = self, row.weight(of: token) == 0 {
            throw .token("token \(token) below \(node.name) is not in its row of q: draw from the row that is sent")
        }
    }
}

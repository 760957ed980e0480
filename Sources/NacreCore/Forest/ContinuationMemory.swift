/// What was proposed after which recent tokens: hypotheses that meet again, in the same last tokens at the same
/// position, are continued once.
///
/// **What is exact about it.** Only *proposals* are shared: the tokens to try and how probable they are thought to be.
/// A transformer's row and its cache entries depend on the whole prefix, so two nodes with different prefixes remain
/// two nodes. The target scores each under its own prefix, in cells of its own, and there is no attention over a
/// merged graph. Hence:
///
/// - Under greedy and coupled decoding no token of the output changes, as with any other drafts. Under coupling the
///   noise is the same for all nodes of a position anyway, so only q is taken from the other node.
/// - Proposals that are functions of their context stay such functions: the law is kept.
/// - Drawn proposals keep the law if they are judged with the row that they were drawn from, the other node's. The walk
///   of a verdict enters one of the two nodes at most, and whether it does was decided by earlier draws.
/// - Approximate is how good the proposals are: they are the other prefix's. If the drafter looks back no more than
///   `recent` tokens (an n-gram model) they are exactly its own.
///
/// - Source: the merging of hypotheses is that of Gong et al., "Graph-structured speculative decoding", 2024
///   (2407.16207), restricted to proposals.
struct ContinuationMemory: Sendable {
    /// Recent tokens of a path, and where they stand. The committed text before a path is the same for all paths, so
    /// a path shorter than `recent` is compared as a whole.
    private struct Key: Hashable, Sendable {
        let depth: Int
        let recent: [TokenID]
    }

    private let recent: Int
    private var known: [Key: [TreeGrowth.Proposal]] = [:]
    private var awaited: Set<Key> = []

    /// - Parameter recent: the tokens that must agree, at least 1: the node's own is the first.
    init(recent: Int) {
        precondition(recent >= 1, "\(recent) recent tokens")
        self.recent = recent
    }

    /// What was proposed below a node like this one.
    func proposals(below node: NodeIndex?, in tree: DraftTree) -> [TreeGrowth.Proposal]? { known[key(node, tree)] }

    /// Notes that proposals below `node` are asked for; false if those below a node like it are on their way.
    mutating func await(_ node: NodeIndex?, in tree: DraftTree) -> Bool { awaited.insert(key(node, tree)).inserted }

    /// The proposals asked for below `node` will not come: another node like it may be asked about.
    mutating func giveUp(_ node: NodeIndex?, in tree: DraftTree) { awaited.remove(key(node, tree)) }

    mutating func remember(_ proposals: [TreeGrowth.Proposal], below node: NodeIndex?, in tree: DraftTree) {
        known[key(node, tree)] = proposals
    }

    mutating func forget() {
        known.removeAll()
        awaited.removeAll()
    }

    private func key(_ node: NodeIndex?, _ tree: DraftTree) -> Key {
        var tokens: [TokenID] = []
        var next = node
        while let node = next, tokens.count < recent {
            tokens.append(tree[node].token)
            next = tree[node].parent
        }
        return Key(depth: tree.depth(of: node), recent: tokens)
    }
}

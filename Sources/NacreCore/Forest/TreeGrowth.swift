/// The growth of one draft tree: says below which nodes the drafter should draft next, and takes what it proposes.
///
///     var growth = TreeGrowth(root: length, plan: .bestFirst(.init(nodesMax: 16, width: 4)))
///     while case let wanted = growth.next(4), !wanted.isEmpty {
///         // One pass of the draft model: a row for each wanted node, behind growth.proposed.tokens(to: it.node).
///         for expansion in wanted { growth.supply(topK(rows[expansion.node]), for: expansion) }
///     }
///     send(growth.tree)
///
/// A node enters `tree` as soon as nothing that may still be proposed can come before it, so under a best-first plan
/// the first n nodes of the tree are at any moment the n most probable of the whole unbounded tree of candidates:
/// a path never gains by growing longer, so the most probable candidate that is left is the next to enter once
/// everything in the tree has been expanded. How many nodes are expanded at a time changes the work, not the tree
/// (up to ties between equal path probabilities). What is legal under which verify rule: `TreePlan`.
///
/// - Source: the choice by path product is that of EAGLE-2 (Li et al. 2024) and OPT-Tree (Wang et al. 2024); they
///   grow level by level and choose at the end, which this does not need.
package struct TreeGrowth: Sendable {
    /// A node to draft below.
    package struct Expansion: Sendable, Hashable {
        /// Its index in `proposed` when it was asked for; `nil` for the root.
        package let node: NodeIndex?
        /// Children asked for.
        package let width: Int
        /// Finds the node again after commits.
        fileprivate let ticket: Int
    }

    /// One draft below an expanded node.
    package struct Proposal: Sendable, Hashable {
        package var token: TokenID
        /// As `DraftTree.Node.probability`.
        package var probability: Double

        package init(token: TokenID, probability: Double) {
            self.token = token
            self.probability = probability
        }
    }

    enum State: Sendable { case untouched, asked, expanded }

    /// Everything proposed so far; `tree` and what has not entered it.
    package internal(set) var proposed: DraftTree
    /// The tree to send. Only ever appended to, until a commit.
    package internal(set) var tree: DraftTree
    /// Nodes that took over their proposals from another node instead of a row of their own.
    package private(set) var sharedExpansions = 0

    private var plan: TreePlan
    private let endTokens: Set<TokenID>
    var memory: ContinuationMemory?
    var rootState = State.untouched
    var states: [State] = []
    /// For each proposed node its index in `tree`.
    var placed: [NodeIndex?] = []
    /// For each node of `tree` its index in `proposed`.
    var entered: [NodeIndex] = []
    /// Proposed nodes outside the tree, the next to enter first.
    var candidates: [NodeIndex] = []
    /// For each proposed node whether only first children lead to it.
    var onSpine: [Bool] = []
    /// Expansions under way.
    var tickets: [Int: NodeIndex?] = [:]
    private var nextTicket = 0

    /// - Parameters:
    ///   - endTokens: tokens that end a generation; nothing is drafted below them.
    ///   - sharingRecent: let nodes at one position whose last so many tokens agree share their proposals, see
    ///     `ContinuationMemory`.
    package init(root: Position, plan: TreePlan, endTokens: Set<TokenID> = [], sharingRecent: Int? = nil) {
        proposed = DraftTree(root: root)
        tree = DraftTree(root: root)
        self.plan = plan
        self.endTokens = endTokens
        memory = sharingRecent.map { ContinuationMemory(recent: $0) }
    }

    // MARK: - Driving

    /// The nodes to expand next, at most `most`, those first without which the tree cannot grow; none when the tree is
    /// complete, or waits for expansions that were asked for before.
    package mutating func next(_ most: Int = 1) -> [Expansion] {
        while let (node, proposals) = remembered() {
            sharedExpansions += 1
            accept(Array(proposals.prefix(width(below: node))), below: node)
        }
        var wanted: [Expansion] = []
        for node in expandable() where wanted.count < most {
            // Whoever waits for another's proposals must not draft them a second time.
            guard memory?.await(node, in: proposed) ?? true else { continue }
            setState(of: node, .asked)
            wanted.append(Expansion(node: node, width: width(below: node), ticket: nextTicket))
            tickets[nextTicket] = .some(node)
            nextTicket += 1
        }
        return wanted
    }

    /// Whether nothing is left to draft, under way or not, before a commit or a larger plan.
    package var isComplete: Bool { tickets.isEmpty && expandable().isEmpty }

    /// Whether nothing was drafted behind the committed text yet.
    package var isRootOpen: Bool { rootState == .untouched && plan.nodesMax > 0 && width(below: nil) > 0 }

    /// Whether the likeliest path ends the generation.
    package var endsGeneration: Bool {
        var node = proposed.firstChild(of: nil)
        while let child = node {
            if endTokens.contains(proposed[child].token) { return true }
            node = proposed.firstChild(of: child)
        }
        return false
    }

    /// The index in `tree` of a node of `proposed`; `nil` if it has not entered.
    package func placeInTree(_ node: NodeIndex) -> NodeIndex? { placed[node.rawValue] }

    /// Whether an expansion is still of use, and the index of its node now; the outer `nil` if a commit made it void.
    package func node(of expansion: Expansion) -> NodeIndex?? { tickets[expansion.ticket] }

    /// Gives an expansion back: its node may be asked for again.
    package mutating func abandon(_ expansion: Expansion) {
        guard let node = tickets.removeValue(forKey: expansion.ticket) else { return }
        memory?.giveUp(node, in: proposed)
        setState(of: node, .untouched)
    }

    /// Nodes that can still enter the tree.
    package var room: Int { max(0, plan.nodesMax - tree.count) }

    /// Takes the proposals for a node, in the order of drawing or of falling probability; fewer than asked for will
    /// do. Those for a node that a commit has left behind are dropped.
    package mutating func supply(_ proposals: some Sequence<Proposal>, for expansion: Expansion) {
        guard let node = tickets.removeValue(forKey: expansion.ticket) else { return }
        let taken = Array(proposals.prefix(expansion.width))
        // That there was no place for one node says nothing about another's.
        if taken.isEmpty {
            memory?.giveUp(node, in: proposed)
        } else {
            memory?.remember(taken, below: node, in: proposed)
        }
        accept(taken, below: node)
    }

    /// Lets a path of `proposed` enter, from the root's child down: what a plan of beams by choice sends.
    package mutating func admit(_ path: [NodeIndex]) {
        for node in path where placed[node.rawValue] == nil { enter(node) }
        candidates.removeAll { placed[$0.rawValue] != nil }
    }

    /// Goes on under another plan of the same kind; nodes that have entered stay, and stay first.
    package mutating func replan(_ plan: TreePlan) {
        guard plan != self.plan else { return }
        self.plan = plan
        candidates.sort(by: precedes)
        enter()
    }

    // MARK: - Workings

    /// Nodes that may be expanded now, in the order of their use. A candidate counts only if it can still enter.
    private func expandable() -> [NodeIndex?] {
        guard room > 0 else { return [] }
        func isOpen(_ node: NodeIndex?) -> Bool { state(of: node) == .untouched && width(below: node) > 0 }
        guard case .outcomes = plan else {
            return ([nil] + (entered + candidates.prefix(room)).map(Optional.some)).filter(isOpen)
        }
        // The spine before all else; beside it only what has a place already.
        let tip = spineEnd
        guard tip.isComplete else { return isOpen(tip.node) ? [tip.node] : [] }
        let likeliestFirst = entered.sorted { precedes($0, $1) }
        return ([nil] + likeliestFirst.map(Optional.some)).filter(isOpen)
    }

    /// The end of the spine, and whether it goes no further before branches are drafted.
    private var spineEnd: (node: NodeIndex?, isComplete: Bool) {
        guard case .outcomes(let bounds) = plan else { return (nil, true) }
        var node: NodeIndex?
        while proposed.depth(of: node) < bounds.spineMax, let child = proposed.firstChild(of: node) { node = child }
        return (
            node, proposed.depth(of: node) >= bounds.spineMax || state(of: node) == .expanded || width(below: node) == 0
        )
    }

    private func remembered() -> (node: NodeIndex?, [Proposal])? {
        guard let memory else { return nil }
        for node in expandable() {
            if let proposals = memory.proposals(below: node, in: proposed) { return (node, proposals) }
        }
        return nil
    }

    private mutating func accept(_ proposals: [Proposal], below parent: NodeIndex?) {
        setState(of: parent, .expanded)
        let reach = parent.map { proposed[$0].pathProbability } ?? 1
        let parentOnSpine = isOnSpine(parent)
        // Of the draws below one node those that have no room now never come: siblings go out together, with the row
        // that they were drawn from.
        var taken = proposals[...]
        if case .fixed = plan { taken = taken.prefix(room) }
        for proposal in taken {
            if case .bestFirst(let bounds) = plan {
                let path = reach * proposal.probability
                guard path > 0, path >= bounds.pathMin else { continue }
            }
            let isFirst = proposed.firstChild(of: parent) == nil
            let node = proposed.append(proposal.token, under: parent, probability: proposal.probability)
            states.append(.untouched)
            onSpine.append(parentOnSpine && isFirst)
            placed.append(nil)
            queue(node)
        }
        enter()
    }

    mutating func queue(_ node: NodeIndex) {
        var (low, high) = (0, candidates.count)
        while low < high {
            let middle = (low + high) / 2
            if precedes(candidates[middle], node) { low = middle + 1 } else { high = middle }
        }
        candidates.insert(node, at: low)
    }

    /// The order of entry. A parent comes before its children: its path is no less probable and it is less deep.
    private func precedes(_ left: NodeIndex, _ right: NodeIndex) -> Bool {
        let (a, b) = (proposed[left], proposed[right])
        switch plan {
        case .fixed, .beams: return left < right
        case .bestFirst: return (-a.pathProbability, a.depth, left) < (-b.pathProbability, b.depth, right)
        case .outcomes(let bounds):
            func isSpine(_ node: NodeIndex, _ depth: Int) -> Bool { isOnSpine(node) && depth <= bounds.spineMax }
            let (first, second) = (isSpine(left, a.depth), isSpine(right, b.depth))
            guard first == second else { return first }
            return first
                ? a.depth < b.depth : (-a.pathProbability, a.depth, left) < (-b.pathProbability, b.depth, right)
        }
    }

    mutating func enter() {
        while let node = candidates.first, tree.count < plan.nodesMax, !isBlocked(node) {
            candidates.removeFirst()
            enter(node)
        }
    }

    private mutating func enter(_ node: NodeIndex) {
        let draft = proposed[node]
        let parent = draft.parent.flatMap { placed[$0.rawValue] }
        placed[node.rawValue] = tree.append(draft.token, under: parent, probability: draft.probability)
        entered.append(node)
    }

    /// Whether something that is still to be drafted comes before all candidates, of which `next` is the first.
    private func isBlocked(_ next: NodeIndex) -> Bool {
        switch plan {
        case .fixed: return false
        case .beams(_, _, let byChoice): return byChoice
        case .bestFirst:
            func isOpen(_ node: NodeIndex?) -> Bool { state(of: node) != .expanded && width(below: node) > 0 }
            return isOpen(nil) || entered.contains(where: isOpen)
        case .outcomes(let bounds):
            let isSpine = isOnSpine(next) && proposed[next].depth <= bounds.spineMax
            return !isSpine && !spineEnd.isComplete
        }
    }

    private func width(below node: NodeIndex?) -> Int {
        guard let node else { return plan.width(below: 0, onSpine: true) }
        return endTokens.contains(proposed[node].token)
            ? 0 : plan.width(below: proposed[node].depth, onSpine: isOnSpine(node))
    }

    private func isOnSpine(_ node: NodeIndex?) -> Bool { node.map { onSpine[$0.rawValue] } ?? true }

    func state(of node: NodeIndex?) -> State { node.map { states[$0.rawValue] } ?? rootState }

    private mutating func setState(of node: NodeIndex?, _ state: State) {
        if let node { states[node.rawValue] = state } else { rootState = state }
    }
}

import DequeModule
package import NacreCore

/// The verifier's view of one draft stream: which epoch the drafter is in, what it sent, and what of that is still
/// unjudged.
///
/// The nodes of an epoch are numbered in the order in which they are sent. An epoch ends when a committed token is not
/// among the drafts that the drafter had sent when it heard of it. The drafter says so by going on in another epoch,
/// one that a verdict has offered; until then its nodes count from where they pass the committed end. So a token may be
/// committed before the drafter's copy of it arrives, and the copy still be of use (ALGORITHMS 9.3).
///
/// Every draft names the last verdict that its sender had taken in, and every verdict is answered: what a drafter owes
/// follows from that alone.
package struct DraftInbox: Sendable {
    /// Draft tokens that the target's own tokens have just been compared with.
    package struct Judgement: Sendable, Equatable {
        /// Equal to the target's own; of a lossy method, kept by its rule.
        package var accepted = 0
        /// Whether the run ended where drafts were and none was accepted.
        package var rejected = false
    }

    private struct Offer: Sendable {
        var epoch: Epoch
        var root: Position
    }

    package private(set) var epoch: Epoch
    /// The drafts behind the last committed token that the drafter has; of no use while `ahead` is not empty.
    var tree: DraftTree
    /// How the children of the tree's nodes were drawn, where they were.
    var proposals: [NodeIndex?: ProposedTree.Proposal] = [:]
    /// Nodes of `tree` by their number + 1, and the number + 1 of the node that its root was; 0 the epoch's root.
    var nodes: [Int: NodeIndex] = [:]
    var rootNumber = 0
    /// Nodes of the epoch so far.
    private var count = 0
    /// The committed length that the epoch stands on.
    private var root: Position
    /// Committed tokens behind `tree`'s root of which the drafter's copies have not come.
    private var ahead: [TokenID] = []
    private var offers: Deque<Offer> = []
    private var lastOffered: Epoch
    private var heard: Epoch
    /// Of a beam search that nothing is committed of: what each layer is compared with.
    package private(set) var references: [Double] = []
    /// The highest limit granted so far; grants never shrink, so that one in flight cannot make a sender a culprit.
    package private(set) var positionLimit: Position
    /// What the drafter's last message said.
    package private(set) var end: DraftEnd = .open
    /// Nodes that came for nothing: their epoch was over, or their parent not taken.
    package private(set) var staleNodes = 0
    package private(set) var received = 0
    /// Time that the drafter's passes took, as it says.
    package private(set) var microseconds: UInt64 = 0
    /// `nil` where the job is not recorded.
    private var log: DecisionLog?
    /// Of a stream of forests the one of this epoch, and those of epochs that were offered.
    var forest: ExpectedForest?
    var forests: [Epoch: ExpectedForest] = [:]

    /// Verdicts a drafter may leave unanswered before it is too slow to be worth more.
    package static let offersMax = 4_096
    /// Drafts behind the committed text that a drafter may have here.
    package static let nodesMax = 2 * TreeShape.nodesMax
    /// As wide as a static shape may be.
    private static let widthMax = TreeShape.nodesMax

    package init(epoch: Epoch, root: Position, positionLimit: Position, isRecorded: Bool = false) {
        log = isRecorded ? DecisionLog() : nil
        self.epoch = epoch
        self.root = root
        self.positionLimit = positionLimit
        tree = DraftTree(root: root)
        lastOffered = epoch
        heard = epoch
    }

    // MARK: - Drafts

    /// Takes nodes. `committed` is the job's committed text.
    /// - Returns: what nodes that came late say about agreement.
    /// - Throws: `ProtocolFault` if no honest drafter could have sent this.
    package mutating func receive(
        _ draft: Draft, committed: [TokenID], vocabularySize: Int
    ) throws(ProtocolFault) -> Judgement {
        guard draft.heard >= heard, draft.heard <= lastOffered else {
            throw ProtocolFault("Draft answers verdict \(draft.heard), not one of \(heard) to \(lastOffered)")
        }
        guard draft.epoch >= epoch else { throw ProtocolFault("Draft goes back from epoch \(epoch) to \(draft.epoch)") }
        if draft.epoch > epoch { try enter(draft, committed) }
        heard = draft.heard
        while let offer = offers.first, offer.epoch <= heard { offers.removeFirst() }
        guard draft.root == root, draft.firstNode == count else {
            throw ProtocolFault(
                "Draft node \(draft.firstNode) at root \(draft.root) does not continue \(count) at \(root)")
        }
        guard draft.parents.isEmpty || draft.parents.count == draft.tokens.count,
            draft.probabilities.isEmpty || draft.probabilities.count == draft.tokens.count,
            draft.measures.isEmpty || draft.measures.count == draft.tokens.count
        else { throw ProtocolFault("Draft of \(draft.tokens.count) tokens with \(draft.parents.count) parents") }
        var judgement = Judgement()
        try takeLayers(draft, vocabularySize)
        for index in draft.tokens.indices {
            try take(index, of: draft, vocabularySize, &judgement)
        }
        try lay(draft.proposals)
        try note(draft.references)
        received += draft.count
        microseconds += UInt64(draft.microseconds)
        end = draft.end
        return judgement
    }

    private mutating func enter(_ draft: Draft, _ committed: [TokenID]) throws(ProtocolFault) {
        guard draft.epoch <= draft.heard, let offer = offers.first(where: { $0.epoch == draft.epoch }),
            offer.root == draft.root
        else { throw ProtocolFault("Draft of epoch \(draft.epoch) at root \(draft.root), which was not offered") }
        epoch = offer.epoch
        root = offer.root
        count = 0
        rootNumber = 0
        guard forest == nil else { return enterForest() }
        ahead = Array(committed[root.rawValue...])
        clear(at: root)
    }

    private mutating func clear(at root: Position) {
        tree = DraftTree(root: root)
        nodes = [:]
        proposals = [:]
        log?.clear()
        references = []
    }

    private mutating func note(_ news: [Double]) throws(ProtocolFault) {
        guard !news.isEmpty, ahead.isEmpty, rootNumber == 0 else { return }
        references += news
        if (try? JointDraft(tree, index: 0, references: references)) == nil {
            throw ProtocolFault("Draft: \(news) are no joint log-probabilities of its layers")
        }
    }

    private mutating func take(
        _ index: Int, of draft: Draft, _ vocabularySize: Int, _ judgement: inout Judgement
    ) throws(ProtocolFault) {
        let token = draft.tokens[index]
        let number = draft.parents.isEmpty ? count : draft.parents[index]
        count += 1
        guard Int(token.rawValue) < vocabularySize else {
            throw ProtocolFault("Draft holds a token outside the vocabulary of \(vocabularySize)")
        }
        guard (0..<count).contains(number) else {
            throw ProtocolFault("Draft node \(count - 1) stands on node \(number - 1)")
        }
        let isChildOfRoot = number == rootNumber
        guard isChildOfRoot || nodes[number] != nil else {
            staleNodes += 1
            return
        }
        let parent = isChildOfRoot ? nil : nodes[number]
        let position = tree.root + tree.depth(of: parent)
        guard position < positionLimit else { throw ProtocolFault("Draft passes the limit \(positionLimit)") }
        guard tree.count < Self.nodesMax else { throw ProtocolFault("more than \(Self.nodesMax) drafts wait here") }
        guard tree.child(of: parent, token: token) == nil, Array(tree.children(of: parent)).count < Self.widthMax else {
            throw ProtocolFault("Draft node \(count - 1) repeats a sibling or is one too many")
        }
        // What is committed already decides about the children of the root.
        let measure = draft.measures.isEmpty ? .unknown : draft.measures[index]
        if parent == nil, let next = ahead.first {
            log?.late(at: position, agrees: token == next, measure)
            guard token == next else {
                judgement.rejected = judgement.accepted == 0
                staleNodes += 1
                return
            }
            judgement.accepted += 1
            judgement.rejected = false
            ahead.removeFirst()
            rootNumber = count
            clear(at: tree.root.next)
            return
        }
        let probability = draft.probabilities.isEmpty ? 1 : Double(draft.probabilities[index]) / 255
        let node = tree.append(token, under: parent, probability: probability)
        nodes[count] = node
        log?.arrived(node, measure)
    }

    // MARK: - Verdicts

    /// The job committed `tokens` behind what it had.
    /// - Returns: what the comparison says about agreement.
    package mutating func commit(_ tokens: some Collection<TokenID>) -> Judgement {
        var judgement = Judgement()
        if !tokens.isEmpty { references = [] }
        guard ahead.isEmpty else {
            ahead += tokens
            return judgement
        }
        let (reached, matched) = tree.follow(tokens)
        log?.committed(on: tree, to: reached, whole: matched == tokens.count)
        judgement.accepted = matched
        if matched < tokens.count {
            judgement.rejected = tree.firstChild(of: reached) != nil
            ahead = Array(tokens.dropFirst(matched))
        }
        guard let reached else {
            if !ahead.isEmpty { clear(at: tree.root) }
            return judgement
        }
        rootNumber = number(of: reached)
        move(to: tree.below(reached), from: reached)
        if !ahead.isEmpty { clear(at: tree.root) }
        return judgement
    }

    private mutating func move(to part: DraftTree.Part, from root: NodeIndex) {
        tree = part.tree
        nodes = nodes.compactMapValues { part.moved[$0.rawValue] }
        log?.move(to: part)
        guard !proposals.isEmpty else { return }
        var kept: [NodeIndex?: ProposedTree.Proposal] = [:]
        for (node, proposal) in proposals {
            guard let node, node == root || part.moved[node.rawValue] != nil else { continue }
            kept[part.moved[node.rawValue]] = ProposedTree.Proposal(
                proposal.payload, draws: proposal.draws.compactMap { part.moved[$0.rawValue] })
        }
        proposals = kept
    }

    /// What was compared since the last time, in order; of a job that is recorded.
    package mutating func takeDecisions() -> [DecidedDraft] { log?.take() ?? [] }

    /// A verdict is about to tell the drafter of everything committed so far.
    /// - Returns: the number to offer in it.
    package mutating func offer(committed: Position, positionLimit limit: Position) -> Epoch {
        positionLimit = max(positionLimit, limit)
        lastOffered = lastOffered.next
        offers.append(Offer(epoch: lastOffered, root: committed))
        return lastOffered
    }

    // MARK: - What there is

    /// The drafts behind the committed text.
    package var drafts: DraftTree { ahead.isEmpty ? tree : DraftTree(root: tree.root + ahead.count) }

    /// Whether the drafter's drafts hold all that is committed: it need not start anew.
    package var isAbreast: Bool { ahead.isEmpty }

    /// The last epoch that was offered: a later stream of the job begins behind it.
    package var lastEpoch: Epoch { lastOffered }

    /// Whether something is to come from the drafter: an answer to a verdict, or more of what it began.
    package var owes: Bool { heard < lastOffered || end == .open }

    package var isOverdue: Bool { offers.count > DraftInbox.offersMax }

    /// Whether the drafter has said that no more drafts will come until another verdict.
    package var isExhausted: Bool { heard == lastOffered && end != .open }
}

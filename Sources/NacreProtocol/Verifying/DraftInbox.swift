import DequeModule
package import NacreCore

/// The verifier's view of one draft stream: which epoch the drafter is in, what it sent, and what of that is still
/// unjudged.
///
/// An epoch has one root, the committed length it stands on, and ends exactly when a committed token is not in the
/// drafter's chain. Both ends compare the same two tokens, so they agree without another message; the number to go
/// on with was offered by the verdict. A token may be committed before the drafter's copy of it arrives: if the two
/// are equal the epoch lives on, and the late nodes count from where they pass the committed end (ALGORITHMS 9.3).
package struct DraftInbox: Sendable {
    /// Draft tokens that the target's own tokens have just been compared with.
    package struct Judgement: Sendable, Equatable {
        /// Equal to the target's own.
        package var accepted = 0
        /// Whether the run ended in a draft token that differs.
        package var rejected = false
    }

    private struct Offer: Sendable {
        var epoch: Epoch
        var root: Position
    }

    package private(set) var epoch: Epoch
    private var root: Position
    /// The epoch's nodes: positions `root ...`.
    private var nodes: [TokenID] = []
    /// A committed token contradicts this epoch: what still comes of it is dropped.
    private var isDead = false
    private var offers: Deque<Offer> = []
    private var lastOffered: Epoch
    /// The epoch was dead when the last verdict went out: only one that was offered can answer it.
    private var awaitsEpoch = false
    /// The highest limit granted so far; grants never shrink, so that one in flight cannot make a sender a culprit.
    package private(set) var positionLimit: Position
    /// How the drafter's last run ended.
    package private(set) var end: DraftEnd = .open
    /// Nodes that arrived for an epoch that was over.
    package private(set) var staleNodes = 0
    package private(set) var received = 0

    /// Verdicts a drafter may leave unanswered before it is too slow to be worth more.
    package static let offersMax = 4_096

    package init(epoch: Epoch, root: Position, positionLimit: Position) {
        self.epoch = epoch
        self.root = root
        self.positionLimit = positionLimit
        lastOffered = epoch
    }

    /// Takes nodes. `committed` is the job's committed text.
    /// - Returns: what nodes that came late say about agreement.
    /// - Throws: `ProtocolFault` if no honest drafter could have sent this.
    package mutating func receive(
        _ draft: Draft, committed: [TokenID], vocabularySize: Int
    ) throws(ProtocolFault) -> Judgement {
        guard !draft.tokens.isEmpty else { throw ProtocolFault("Draft without tokens") }
        guard draft.epoch >= epoch else {
            staleNodes += draft.tokens.count
            return Judgement()
        }
        if draft.epoch > epoch { try enter(draft) }
        guard draft.root == root, draft.firstNode == nodes.count else {
            throw ProtocolFault(
                "Draft node \(draft.firstNode) at root \(draft.root) does not continue \(nodes.count) at \(root)")
        }
        guard draft.root + (draft.firstNode + draft.tokens.count) <= positionLimit else {
            throw ProtocolFault("Draft passes the limit \(positionLimit)")
        }
        guard draft.tokens.allSatisfy({ Int($0.rawValue) < vocabularySize }) else {
            throw ProtocolFault("Draft holds a token outside the vocabulary of \(vocabularySize)")
        }
        received += draft.tokens.count
        let firstPosition = root.rawValue + nodes.count
        nodes += draft.tokens
        end = draft.end
        if isDead {
            staleNodes += draft.tokens.count
            return Judgement()
        }
        let judgement = judge(from: firstPosition, committed: committed)
        dropSettledOffers()
        return judgement
    }

    private mutating func enter(_ draft: Draft) throws(ProtocolFault) {
        while let offer = offers.first, offer.epoch < draft.epoch { offers.removeFirst() }
        guard let offer = offers.first, offer.epoch == draft.epoch, offer.root == draft.root else {
            throw ProtocolFault("Draft of epoch \(draft.epoch) at root \(draft.root), which was not offered")
        }
        offers.removeFirst()
        epoch = offer.epoch
        root = offer.root
        nodes = []
        isDead = false
        awaitsEpoch = false
    }

    /// The job committed tokens up to the end of `committed`, from `start` on.
    /// - Returns: what the comparison says about agreement.
    package mutating func commit(from start: Position, committed: [TokenID]) -> Judgement {
        isDead ? Judgement() : judge(from: start.rawValue, committed: committed)
    }

    /// A verdict is about to tell the drafter of everything committed so far.
    /// - Returns: the number to offer in it.
    package mutating func offer(committed: Position, positionLimit limit: Position) -> Epoch {
        positionLimit = max(positionLimit, limit)
        lastOffered = lastOffered.next
        offers.append(Offer(epoch: lastOffered, root: committed))
        awaitsEpoch = isDead
        dropSettledOffers()
        return lastOffered
    }

    /// Compares nodes from `position` on with the committed text, as far as both reach.
    private mutating func judge(from position: Int, committed: [TokenID]) -> Judgement {
        var judgement = Judgement()
        var index = position
        while index < committed.count, index - root.rawValue < nodes.count {
            guard index >= root.rawValue else {
                index = root.rawValue
                continue
            }
            guard nodes[index - root.rawValue] == committed[index] else {
                isDead = true
                judgement.rejected = true
                return judgement
            }
            judgement.accepted += 1
            index += 1
        }
        return judgement
    }

    /// A verdict whose committed end the living chain already passes cannot end the epoch.
    private mutating func dropSettledOffers() {
        guard !isDead else { return }
        while let offer = offers.first, offer.root <= root + nodes.count { offers.removeFirst() }
    }

    /// Whether the last thing the drafter was told lets it draft further, and it has neither done so nor said why not.
    /// What was committed since then is no matter: the drafter does not know of it.
    package var owes: Bool {
        if awaitsEpoch { return offers.last.map { $0.root < positionLimit } ?? false }
        return !hasStopped && root + nodes.count < positionLimit
    }

    private var hasStopped: Bool { end == .endOfGeneration || end == .contextFull }

    package var isOverdue: Bool { offers.count > DraftInbox.offersMax }

    /// The chain beyond the committed text: the token for position `committed` first.
    package func unjudged(after committed: Position) -> ArraySlice<TokenID> {
        let index = committed - root
        guard !isDead, index >= 0, index < nodes.count else { return [] }
        return nodes[index...]
    }

    /// Whether the drafter has said that no more nodes will come until a verdict opens the way.
    package var isExhausted: Bool {
        !isDead && hasStopped
    }
}

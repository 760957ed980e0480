import NacreCore
import NacreProtocol
import Testing

/// Epochs and limits as the verifier holds them. The committed text is [1, 2] at first.
@Suite struct DraftInboxTests {
    private func draft(
        _ tokens: [TokenID], epoch: Epoch = 0, heard: Epoch? = nil, root: Position = 2, node: Int = 0,
        end: DraftEnd = .open
    ) -> Draft {
        Draft(
            stream: 0, epoch: epoch, heard: heard ?? epoch, root: root, firstNode: node, tokens: tokens, end: end)
    }

    private func drafts(_ inbox: DraftInbox) -> [TokenID] { inbox.drafts.nodes.map(\.token) }

    private func receive(
        _ draft: Draft, _ inbox: inout DraftInbox, committed: [TokenID] = [1, 2]
    ) throws -> DraftInbox.Judgement {
        try inbox.receive(draft, committed: committed, vocabularySize: 100)
    }

    /// A commit that the drafter is told of at once.
    private func commit(
        _ inbox: inout DraftInbox, _ tokens: [TokenID], to length: Position, limit: Position = 20
    ) -> (next: Epoch, judgement: DraftInbox.Judgement) {
        let judgement = inbox.commit(tokens)
        return (inbox.offer(committed: length, positionLimit: limit), judgement)
    }

    @Test("what is said of the beams before a verdict is no answer to it")
    func oldForest() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 4)
        inbox.expect(ExpectedForest(DraftForest(roots: 1, root: 2, index: 0), layersMax: 2, drawsMax: 2))
        let beams = ExpectedForest(DraftForest(roots: 2, root: 3, index: 1), layersMax: 2, drawsMax: 2)
        let next = inbox.offer(beams, positionLimit: 5)
        #expect(throws: ProtocolFault.self) {
            var other = inbox
            _ = try receive(draft([], heard: next, end: .windowFull), &other)
        }
        // It had not heard of the verdict yet.
        _ = try receive(draft([], end: .windowFull), &inbox)
        #expect(inbox.owes && inbox.wholeForest == nil)
        _ = try receive(draft([], epoch: next, root: 3, end: .windowFull), &inbox)
        #expect(!inbox.owes && inbox.wholeForest?.trees.count == 2)
    }

    @Test("one offer may follow several commits, and stands at the end of them")
    func laterOffer() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        _ = try receive(draft([11, 12]), &inbox)
        #expect(inbox.commit([50]).rejected)
        let again = inbox.commit([51])
        #expect(again.accepted == 0 && !again.rejected, "a chain is rejected once")
        #expect(inbox.offer(committed: 4, positionLimit: 20) == 1)
        #expect(throws: ProtocolFault.self) {
            var other = inbox
            _ = try receive(draft([60], epoch: 1, root: 3), &other, committed: [1, 2, 50, 51])
        }
        _ = try receive(draft([60], epoch: 1, root: 4), &inbox, committed: [1, 2, 50, 51])
        #expect(drafts(inbox) == [60] && inbox.drafts.root == 4)
    }

    @Test("nodes of an epoch that is over are dropped and counted")
    func stale() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        _ = try receive(draft([11, 12]), &inbox)
        let (next, judgement) = commit(&inbox, [50], to: 3)
        #expect(next == 1 && judgement.rejected && judgement.accepted == 0)
        #expect(inbox.drafts.isEmpty && !inbox.isAbreast)
        _ = try receive(draft([13], node: 2), &inbox, committed: [1, 2, 50])
        #expect(inbox.staleNodes == 1 && inbox.drafts.isEmpty)
        _ = try receive(draft([60], epoch: 1, root: 3), &inbox, committed: [1, 2, 50])
        #expect(drafts(inbox) == [60] && inbox.isAbreast)
        #expect(throws: ProtocolFault.self, "back to an epoch that it left itself") {
            try receive(draft([14], heard: 1, node: 3), &inbox, committed: [1, 2, 50])
        }
    }

    @Test("an epoch that was not offered is a protocol error")
    func newer() {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        #expect(throws: ProtocolFault.self) { try receive(draft([11], epoch: 1), &inbox) }
        _ = commit(&inbox, [50], to: 3)
        var other = inbox
        #expect(throws: ProtocolFault.self) { try receive(draft([11], epoch: 2, root: 3), &inbox) }
        #expect(throws: ProtocolFault.self) { try receive(draft([11], epoch: 1, root: 4), &other) }
    }

    @Test("gaps, repetitions, foreign roots, foreign tokens and passed limits are protocol errors")
    func faults() {
        let wrong = [
            draft([11], node: 1), draft([11], root: 3), draft([100]), draft([11, 12, 13, 14]), draft([11], node: -1),
        ]
        for draft in wrong {
            var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 5)
            #expect(throws: ProtocolFault.self) { try receive(draft, &inbox) }
        }
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 5)
        #expect(throws: Never.self) { try receive(draft([11, 12, 13]), &inbox) }
        #expect(throws: ProtocolFault.self) { try receive(draft([11, 12, 13]), &inbox) }
    }

    @Test("an answer to a verdict that was not sent, or to one before the last that was answered, is an error")
    func answers() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        _ = try receive(draft([11, 12, 13]), &inbox)
        _ = commit(&inbox, [11], to: 3)
        _ = commit(&inbox, [12], to: 4)
        #expect(throws: ProtocolFault.self) {
            var other = inbox
            _ = try receive(draft([14], heard: 3, node: 3), &other)
        }
        _ = try receive(draft([14], heard: 2, node: 3), &inbox)
        #expect(throws: ProtocolFault.self) { try receive(draft([15], heard: 1, node: 4), &inbox) }
    }

    @Test("a verdict that was answered within the epoch opens no other any more; a later one may")
    func settledOffers() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        _ = try receive(draft([11, 12]), &inbox)
        let covered = commit(&inbox, [11], to: 3)
        #expect(covered.next == 1 && covered.judgement.accepted == 1)
        _ = try receive(draft([], heard: 1, node: 2, end: .windowFull), &inbox)
        var settled = inbox
        #expect(throws: ProtocolFault.self) { try receive(draft([9], epoch: 1, root: 3), &settled) }
        let text: [TokenID] = [1, 2, 11, 12, 50]
        _ = commit(&inbox, [12, 50], to: 5)
        // The drafter may have drawn 50 itself before it hears of it ...
        var sameChain = inbox
        let late = try receive(draft([50, 60], heard: 1, node: 2), &sameChain, committed: text)
        #expect(late.accepted == 1 && drafts(sameChain) == [60])
        // ... or not, and then goes on behind it.
        _ = try receive(draft([61], epoch: 2, root: 5), &inbox, committed: text)
        #expect(drafts(inbox) == [61])
    }

    @Test("a drafter owes until it says that it stops, and an answer to every verdict")
    func debts() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 6)
        #expect(inbox.owes && !inbox.isExhausted)
        _ = try receive(draft([11, 12, 13]), &inbox)
        #expect(inbox.owes)
        _ = try receive(draft([14], node: 3, end: .windowFull), &inbox)
        #expect(!inbox.owes && inbox.isExhausted)
        let text: [TokenID] = [1, 2, 50]
        _ = inbox.commit([50])
        #expect(!inbox.owes, "it was not told")
        _ = inbox.offer(committed: 3, positionLimit: 5)
        #expect(inbox.owes && !inbox.isExhausted)
        _ = try receive(draft([15], node: 4, end: .windowFull), &inbox, committed: text)
        #expect(inbox.owes, "what it said before it heard of the verdict is no answer")
        _ = try receive(draft([60, 61, 62], epoch: 1, root: 3, end: .windowFull), &inbox, committed: text)
        #expect(!inbox.owes)
        _ = inbox.commit([60])
        _ = inbox.offer(committed: 4, positionLimit: 9)
        #expect(inbox.owes)
        _ = try receive(
            draft([], epoch: 1, heard: 2, root: 3, node: 3, end: .endOfGeneration), &inbox, committed: text + [60])
        #expect(!inbox.owes && inbox.isExhausted, "an empty draft is an answer")
    }

    @Test("limits only grow")
    func limits() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 8)
        _ = commit(&inbox, [50], to: 3, limit: 5)
        #expect(inbox.positionLimit == 8)
        _ = commit(&inbox, [51], to: 4, limit: 9)
        #expect(inbox.positionLimit == 9)
    }

    @Test("a drafter that leaves more verdicts unanswered than may be is overdue")
    func overdue() {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 8)
        for verdict in 1...DraftInbox.offersMax {
            _ = inbox.commit([50])
            _ = inbox.offer(committed: Position(rawValue: 2 + verdict), positionLimit: 8)
        }
        #expect(!inbox.isOverdue)
        _ = inbox.offer(committed: 9, positionLimit: 8)
        #expect(inbox.isOverdue)
    }
}

import NacreCore
import NacreProtocol
import Testing

/// Epochs and limits as the verifier holds them. The committed text is [1, 2] at first.
@Suite struct DraftInboxTests {
    private func draft(
        _ tokens: [TokenID], epoch: Epoch = 0, root: Position = 2, node: Int = 0, end: DraftEnd = .open
    ) -> Draft {
        Draft(stream: 0, epoch: epoch, root: root, firstNode: node, tokens: tokens, end: end)
    }

    private func receive(
        _ draft: Draft, _ inbox: inout DraftInbox, committed: [TokenID] = [1, 2]
    ) throws -> DraftInbox.Judgement {
        try inbox.receive(draft, committed: committed, vocabularySize: 100)
    }

    /// A commit that the drafter is told of at once.
    private func commit(
        _ inbox: inout DraftInbox, from start: Position, _ text: [TokenID], limit: Position = 20
    ) -> (next: Epoch, judgement: DraftInbox.Judgement) {
        let judgement = inbox.commit(from: start, committed: text)
        return (inbox.offer(committed: Position(rawValue: text.count), positionLimit: limit), judgement)
    }

    @Test("one offer may follow several commits, and stands at the end of them")
    func laterOffer() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        _ = try receive(draft([11, 12]), &inbox)
        #expect(inbox.commit(from: 2, committed: [1, 2, 50]).rejected)
        let again = inbox.commit(from: 3, committed: [1, 2, 50, 51])
        #expect(again.accepted == 0 && !again.rejected, "a chain is rejected once")
        #expect(inbox.offer(committed: 4, positionLimit: 20) == 1)
        #expect(throws: ProtocolFault.self) {
            var other = inbox
            _ = try receive(draft([60], epoch: 1, root: 3), &other, committed: [1, 2, 50, 51])
        }
        _ = try receive(draft([60], epoch: 1, root: 4), &inbox, committed: [1, 2, 50, 51])
        #expect(Array(inbox.unjudged(after: 4)) == [60])
    }

    @Test("nodes of an epoch that is over are dropped and counted")
    func stale() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        _ = try receive(draft([11, 12]), &inbox)
        let (next, judgement) = commit(&inbox, from: 2, [1, 2, 50])
        #expect(next == 1 && judgement.rejected && judgement.accepted == 0)
        #expect(inbox.unjudged(after: 3).isEmpty)
        _ = try receive(draft([13], node: 2), &inbox, committed: [1, 2, 50])
        #expect(inbox.staleNodes == 1 && inbox.unjudged(after: 3).isEmpty)
        _ = try receive(draft([60], epoch: 1, root: 3), &inbox, committed: [1, 2, 50])
        #expect(Array(inbox.unjudged(after: 3)) == [60])
        _ = try receive(draft([14], node: 3), &inbox, committed: [1, 2, 50])
        #expect(inbox.staleNodes == 2 && Array(inbox.unjudged(after: 3)) == [60])
    }

    @Test("an epoch that was not offered is a protocol error")
    func newer() {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        #expect(throws: ProtocolFault.self) { try receive(draft([11], epoch: 1), &inbox) }
        _ = commit(&inbox, from: 2, [1, 2, 50])
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

    @Test("a verdict that the living chain covers ends no epoch; one it does not reach may")
    func settledOffers() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        _ = try receive(draft([11, 12]), &inbox)
        let covered = commit(&inbox, from: 2, [1, 2, 11])
        #expect(covered.next == 1 && covered.judgement.accepted == 1)
        var settled = inbox
        #expect(throws: ProtocolFault.self) { try receive(draft([9], epoch: 1, root: 3), &settled) }
        let text: [TokenID] = [1, 2, 11, 12, 50]
        _ = commit(&inbox, from: 3, text)
        // The drafter may have drawn 50 itself ...
        var sameChain = inbox
        let late = try receive(draft([50, 60], node: 2), &sameChain, committed: text)
        #expect(late.accepted == 1 && Array(sameChain.unjudged(after: 5)) == [60])
        // ... or not, and then goes on behind it.
        _ = try receive(draft([61], epoch: 2, root: 5), &inbox, committed: text)
        #expect(Array(inbox.unjudged(after: 5)) == [61])
    }

    @Test("a drafter owes what it was told it may draft, and a new epoch for a verdict against its chain")
    func debts() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 6)
        #expect(inbox.owes)
        _ = try receive(draft([11, 12, 13]), &inbox)
        #expect(inbox.owes)
        _ = try receive(draft([14], node: 3), &inbox)
        #expect(!inbox.owes)
        let text: [TokenID] = [1, 2, 50]
        _ = inbox.commit(from: 2, committed: text)
        #expect(!inbox.owes, "it was not told")
        _ = inbox.offer(committed: 3, positionLimit: 5)
        #expect(inbox.owes, "its old chain reaches the limit, but stands no more")
        _ = try receive(draft([60, 61, 62], epoch: 1, root: 3), &inbox, committed: text)
        #expect(!inbox.owes)
        _ = inbox.commit(from: 3, committed: text + [60])
        _ = inbox.offer(committed: 4, positionLimit: 9)
        #expect(inbox.owes)
    }

    @Test("limits only grow")
    func limits() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 8)
        _ = commit(&inbox, from: 2, [1, 2, 50], limit: 5)
        #expect(inbox.positionLimit == 8)
        _ = commit(&inbox, from: 3, [1, 2, 50, 51], limit: 9)
        #expect(inbox.positionLimit == 9)
    }
}

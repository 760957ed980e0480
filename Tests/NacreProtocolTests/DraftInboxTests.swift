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

    @Test("nodes of an epoch that is over are dropped and counted")
    func stale() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
        _ = try receive(draft([11, 12]), &inbox)
        let (next, judgement) = inbox.commit(from: 2, committed: [1, 2, 50], positionLimit: 20)
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
        _ = inbox.commit(from: 2, committed: [1, 2, 50], positionLimit: 20)
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
        let covered = inbox.commit(from: 2, committed: [1, 2, 11], positionLimit: 20)
        #expect(covered.nextEpoch == 1 && covered.judgement.accepted == 1)
        var settled = inbox
        #expect(throws: ProtocolFault.self) { try receive(draft([9], epoch: 1, root: 3), &settled) }
        let text: [TokenID] = [1, 2, 11, 12, 50]
        _ = inbox.commit(from: 3, committed: text, positionLimit: 20)
        // The drafter may have drawn 50 itself ...
        var sameChain = inbox
        let late = try receive(draft([50, 60], node: 2), &sameChain, committed: text)
        #expect(late.accepted == 1 && Array(sameChain.unjudged(after: 5)) == [60])
        // ... or not, and then goes on behind it.
        _ = try receive(draft([61], epoch: 2, root: 5), &inbox, committed: text)
        #expect(Array(inbox.unjudged(after: 5)) == [61])
    }

    @Test("limits only grow")
    func limits() throws {
        var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 8)
        _ = inbox.commit(from: 2, committed: [1, 2, 50], positionLimit: 5)
        #expect(inbox.positionLimit == 8)
        _ = inbox.commit(from: 3, committed: [1, 2, 50, 51], positionLimit: 9)
        #expect(inbox.positionLimit == 9)
    }
}

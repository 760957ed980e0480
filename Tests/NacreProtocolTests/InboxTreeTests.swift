import NacreCore
import NacreProtocol
import Testing

/// Trees as the verifier takes them in. The committed text is [1, 2] at first.
@Suite struct InboxTreeTests {
    private var inbox = DraftInbox(epoch: 0, root: 2, positionLimit: 20)
    private var text: [TokenID] = [1, 2]
    private var count = 0
    private var heard: Epoch = 0

    @discardableResult
    private mutating func say(
        _ tokens: [TokenID], _ parents: [Int], _ proposals: [Draft.Proposal] = []
    ) throws -> DraftInbox.Judgement {
        let draft = Draft(
            stream: 0, epoch: 0, heard: heard, root: 2, firstNode: count, tokens: tokens, parents: parents,
            proposals: proposals, end: .open)
        count += tokens.count
        return try inbox.receive(draft, committed: text, vocabularySize: 1_000)
    }

    private mutating func commit(_ tokens: [TokenID]) -> DraftInbox.Judgement {
        text += tokens
        let judgement = inbox.commit(tokens)
        _ = inbox.offer(committed: Position(rawValue: text.count), positionLimit: 20)
        return judgement
    }

    private var paths: [[TokenID]] { inbox.drafts.indices.map { inbox.drafts.tokens(to: $0) } }

    @Test("siblings in the order in which they came, and numbers that go on behind a commit")
    mutating func numbering() throws {
        try say([11, 12, 21, 22], [0, 0, 1, 2])
        #expect(paths == [[11], [12], [11, 21], [12, 22]])
        #expect(commit([12]).accepted == 1)
        #expect(paths == [[22]] && inbox.drafts.root == 3 && inbox.isAbreast)
        // Node 1 is the root now, node 3 its child; a late sibling still comes below the old number.
        try say([23, 31], [2, 4])
        #expect(paths == [[22], [23], [22, 31]])
        #expect(inbox.number(of: nil) == 2 && inbox.number(of: NodeIndex(rawValue: 0)) == 4)
    }

    @Test("what stands on drafts that fell is dropped and counted")
    mutating func staleParents() throws {
        try say([11, 12], [0, 0])
        _ = commit([12])
        try say([21, 22, 31], [1, 2, 3])
        #expect(paths == [[22]] && inbox.staleNodes == 2)
    }

    @Test("copies of what was committed without drafts are taken one after the other, whatever stands beside them")
    mutating func lateCopies() throws {
        _ = commit([12, 22])
        #expect(!inbox.isAbreast)
        let judgement = try say([11, 12, 21, 22, 23, 31], [0, 0, 1, 2, 2, 4])
        #expect(judgement.accepted == 2 && !judgement.rejected)
        #expect(inbox.isAbreast && paths == [[31]] && inbox.staleNodes == 3)
    }

    @Test("no honest drafter repeats a sibling, stands on what is to come or passes limits of width and size")
    mutating func faults() throws {
        let before = self
        #expect(throws: ProtocolFault.self) { try say([11, 11], [0, 0]) }
        self = before
        #expect(throws: ProtocolFault.self) { try say([11], [1]) }
        self = before
        #expect(throws: ProtocolFault.self) { try say([11, 12], [0]) }
        self = before
        #expect(throws: ProtocolFault.self) { try say([11], [-1]) }
        self = before
        // As wide as a shape may be, and one more.
        let wide = (0..<256).map { TokenID(rawValue: $0) }
        try say(wide, wide.map { _ in 0 })
        #expect(throws: ProtocolFault.self) { try say([500], [0]) }
        self = before
        #expect(throws: ProtocolFault.self) {
            for parent in 0..<20 {
                let tokens = (0..<30).map { TokenID(rawValue: $0) }
                try say(tokens, tokens.map { _ in parent })
            }
        }
    }

    @Test("draws come with their row, all of them in one message, and stay when the text passes them")
    mutating func proposals() throws {
        let row = DraftPayload.row(try WeightRow([.init(11, 1), .init(12, 2), .init(13, 3)]), .withoutReplacement)
        try say([12, 11], [0, 0], [Draft.Proposal(node: 0, payload: row, draws: [0, 1])])
        try say([13], [1], [Draft.Proposal(node: 1, payload: row, draws: [2])])
        let whole = try inbox.proposed(index: 0)
        #expect(whole.payload(nil) == row && whole.draws(nil).map(\.rawValue) == [0, 1])
        _ = commit([12])
        let rest = try inbox.proposed(index: 1)
        #expect(rest.payload(nil) == row && rest.drafts.nodes.map(\.token) == [13])
        let before = self
        #expect(throws: ProtocolFault.self, "not in the row") {
            try say([50], [3], [Draft.Proposal(node: 3, payload: row, draws: [3])])
        }
        self = before
        #expect(throws: ProtocolFault.self, "a second word about one node") {
            try say([11], [1], [Draft.Proposal(node: 1, payload: row, draws: [3])])
        }
    }
}

import NacreCore
import NacreProtocol
import Testing

/// Rows of q that stay with the drafter until a test fails (SCALAR + LAZY), and what a verifier refuses of draws.
@Suite struct RowTests {
    /// A law over the vocabulary of the rig.
    private func law(_ weights: [Int: Double]) throws -> Score {
        try .law(#require(Distribution(weights: (0..<100).map { weights[$0] ?? 0 })))
    }

    private func row(_ tokens: TokenID...) throws -> WeightRow { try WeightRow(tokens.map { .init($0, 1) }) }

    /// A job whose first draft, 11, was drawn with q = ½ and cannot stand: the target's law is 12 for certain.
    private func failed(_ method: DecodingMethod, gamma: Int) throws -> VerifierRig {
        var rig = VerifierRig()
        rig.begin(
            Speculation(method, gamma: gamma, rule: .rejection, payload: .scalar), sampling: VerifierRig.policy)
        let scalar = try DraftPayload.scalar(.init(weight: 1, total: 2), .withoutReplacement)
        var tokens: [TokenID] = []
        var proposals: [Draft.Proposal] = []
        for place in 0..<gamma {
            tokens.append(TokenID(rawValue: UInt32(11 + 10 * place)))
            proposals.append(Draft.Proposal(node: place, payload: scalar, draws: [place]))
        }
        rig.say(tokens, proposals: proposals, end: .windowFull)
        let rows = rig.pass?.nodes.count { $0.score != nil } ?? 0
        let answer = rig.answer(try (0..<rows).map { _ in try law([12: 1]) })
        #expect(answer.commits.isEmpty && answer.rowRequests == [RowRequest(stream: 0, epoch: 0, node: 0)])
        #expect(rig.pass == nil, "nothing can be decided before the row is here")
        return rig
    }

    @Test("a failed test asks for the row, and goes on with it")
    func resumes() throws {
        var rig = try failed(.speculative, gamma: 1)
        let answer = rig.step(rig.data(.draftRow(DraftRow(stream: 0, epoch: 0, node: 0, row: try row(11, 12)))))
        #expect(answer.commits == [[12]] && answer.verdicts.map(\.committed) == [3])
    }

    @Test("a test that fails before verification leaves PEARL in pre-verify")
    func pearl() throws {
        var rig = try failed(.pearl, gamma: 2)
        let answer = rig.step(rig.data(.draftRow(DraftRow(stream: 0, epoch: 0, node: 0, row: try row(11, 12)))))
        #expect(answer.commits == [[12]])
        #expect(answer.verdicts.map(\.positionLimit) == [5], "a window of γ, not the rest of one")
        #expect(rig.pass?.line == "12@2?")
    }

    @Test("the job goes on without the row when its drafter is lost, tells nothing or tells of another row")
    func lost() throws {
        var gone = try failed(.speculative, gamma: 1)
        #expect(gone.step(.drafterLost(address: VerifierRig.drafter)).commits == [[12]])
        var silent = try failed(.speculative, gamma: 1)
        silent.now = silent.now + Instant.milliseconds(900)
        #expect(silent.step(.tick).goodbyes.isEmpty)
        silent.now = silent.now + Instant.milliseconds(200)
        let answer = silent.step(.tick)
        #expect(answer.goodbyes == [.tooSlow] && answer.commits == [[12]])
        var liar = try failed(.speculative, gamma: 1)
        let lie = DraftRow(stream: 0, epoch: 0, node: 0, row: try row(11, 12, 13))
        let words = liar.step(liar.data(.draftRow(lie)))
        #expect(words.goodbyes == [.protocolError] && words.commits == [[12]])
    }

    @Test("a drafter that is lost during the pass takes its row with it, and the job goes on", arguments: [1, 2])
    func lostMidPass(gamma: Int) throws {
        var rig = VerifierRig()
        rig.begin(
            Speculation(.speculative, gamma: gamma, rule: .rejection, payload: .scalar), sampling: VerifierRig.policy)
        let scalar = try DraftPayload.scalar(.init(weight: 1, total: 2), .withoutReplacement)
        let proposals = (0..<gamma).map { Draft.Proposal(node: $0, payload: scalar, draws: [$0]) }
        rig.say(Array([21, 11].suffix(gamma)), proposals: proposals, end: .windowFull)
        rig.step(.drafterLost(address: VerifierRig.drafter))
        // 21 stands, 11 does not.
        let laws = gamma == 1 ? [12, 50] : [21, 12, 50]
        #expect(rig.answer(try laws.map { try law([$0: 1]) }).commits == [gamma == 1 ? [12] : [21, 12]])
        #expect(rig.pass?.line == "12@\(1 + gamma)?")
    }

    @Test("a row that nobody waits for changes nothing")
    func unasked() throws {
        var rig = try failed(.speculative, gamma: 1)
        for (epoch, node) in [(1, 0), (0, 1)] as [(Epoch, Int)] {
            let other = DraftRow(stream: 0, epoch: epoch, node: node, row: try row(11, 12))
            #expect(rig.step(rig.data(.draftRow(other))).commits.isEmpty)
        }
    }

    @Test("a block takes one draw below each node, with its row", arguments: [false, true])
    func block(isIndependent: Bool) throws {
        var rig = VerifierRig(branches: 4)
        rig.begin(Speculation(.speculative, gamma: 2, rule: .block), sampling: VerifierRig.policy)
        let draw: SiblingDraw = isIndependent ? .independent : .withoutReplacement
        let proposal = Draft.Proposal(node: 0, payload: .row(try row(11, 12), draw), draws: [0, 1])
        let answer = rig.say([11, 12], parents: [0, 0], proposals: [proposal], end: .windowFull)
        #expect(answer.goodbyes == [.protocolError])
        #expect(rig.pass?.line == "2@1?", "the job goes on alone")
    }
}

import NacreCore
import NacreProtocol
import Testing

/// What a drafter makes of a `DraftOpen` that says how siblings are drawn and which hypotheses are merged.
@Suite struct DrafterSiblingTests {
    /// A drafter with one stream; its context is [1, 2].
    private func opened(
        _ widths: Int..., key: StreamKey = 5, rule: VerifyRuleKind = .coupled, sampling: SamplingPolicy = .greedy,
        siblings: SiblingDraw = .withoutReplacement, merge: Int = 0
    ) throws -> DrafterRig {
        var rig = DrafterRig(branches: 4)
        let open = DraftOpen(
            stream: 0, job: JobID(high: 0, low: 0), attempt: 1, epoch: 0, key: key, sampling: sampling,
            promptLength: 2, positionLimit: 9, rule: rule, shape: .fixed(try TreeShape(widths)), siblings: siblings,
            merge: merge, contextTotal: 2, contextOffset: 0, context: [1, 2])
        rig.step(.received(1, .draftOpen(open)))
        return rig
    }

    /// Two draws from a row of two tokens, under sixteen keys: the proposals sent, and the tokens with them.
    private func draws(
        _ siblings: SiblingDraw, from row: WeightRow
    ) throws -> [(proposal: Draft.Proposal, nodes: Int)] {
        var drawn: [(proposal: Draft.Proposal, nodes: Int)] = []
        for key in 1...16 as ClosedRange<UInt64> {
            var rig = try opened(
                2, key: StreamKey(rawValue: key), rule: .rejection, sampling: SamplingPolicy(temperature: 1),
                siblings: siblings)
            rig.pass = nil
            rig.step(.passed(.done([.weights(row)], started: 0, ended: 1_000)))
            let draft = try #require(rig.drafts.first)
            #expect(draft.proposals.count == 1 && draft.end == .windowFull)
            drawn.append((try #require(draft.proposals.first), draft.tokens.count))
        }
        return drawn
    }

    @Test("independent candidates are sent as such, and a token that was drawn again stands there again")
    func independent() throws {
        let row = try WeightRow([.init(11, 1), .init(12, 1)])
        let drawn = try draws(.independent, from: row)
        for (proposal, nodes) in drawn {
            #expect(proposal.node == 0 && proposal.payload == .row(row, .independent))
            #expect(proposal.draws.count == 2 && Set(proposal.draws).count == nodes)
        }
        #expect(Set(drawn.map(\.nodes)) == [1, 2], "some keys draw a token twice, some do not")
    }

    @Test("distinct candidates are sent as such and never repeat")
    func distinct() throws {
        let row = try WeightRow([.init(11, 1), .init(12, 1)])
        for (proposal, nodes) in try draws(.withoutReplacement, from: row) {
            #expect(proposal.payload == .row(row, .withoutReplacement) && proposal.draws == [0, 1] && nodes == 2)
        }
    }

    /// Drafts the whole tree of a model that looks at positions alone: the paths sent, and the rows that it took.
    private func grow(merge: Int) throws -> (paths: Set<[TokenID]>, rows: Int) {
        var rig = try opened(2, 1, 1, merge: merge)
        let row: [[TokenID]] = [[11, 12], [21], [31]]
        var rows = 0
        var drafts: [Draft] = []
        for _ in 0..<8 {
            guard let pass = rig.pass else { break }
            let asked = pass.nodes.filter { $0.score != nil }
            rows += asked.count
            drafts += rig.propose(asked.map { row[$0.position.rawValue - 1] })
        }
        #expect(rig.pass == nil && drafts.last?.end == .windowFull, "it has not said that this is all")
        var paths: [[TokenID]] = [[]]
        for draft in drafts {
            for (index, token) in draft.tokens.enumerated() {
                let parent = draft.parents.isEmpty ? draft.firstNode + index : draft.parents[index]
                paths.append(paths[parent] + [token])
            }
        }
        return (Set(paths.dropFirst()), rows)
    }

    @Test("hypotheses that meet again take one row and give the same tree")
    func merged() throws {
        let (own, merged) = (try grow(merge: 0), try grow(merge: 1))
        #expect(own.rows == 5 && merged.rows == 4)
        #expect(own.paths == merged.paths && own.paths.count == 6)
    }
}

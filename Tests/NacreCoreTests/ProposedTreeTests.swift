import NacreCore
import RealModule
import Testing

@Suite("Proposed trees, rows and the sampler transform")
struct ProposedTreeTests {
    private let row = example.row(after: [])

    private func expectFault(_ code: PayloadFault.Code, _ body: () throws -> Void) {
        #expect { try body() } throws: { ($0 as? PayloadFault)?.code == code }
    }

    @Test("A tree refuses what its payload says could not have been drawn, and stays as it was")
    func faults() throws {
        var tree = ProposedTree(behind: [])
        expectFault(.place) { try tree.append(1, under: nil) }
        try tree.propose(.row(row, .withoutReplacement), under: nil)
        expectFault(.place) { try tree.propose(.deterministic, under: nil) }
        expectFault(.place) { try tree.propose(.deterministic, under: 0) }
        expectFault(.token) { try tree.append(3, under: nil) }
        try tree.append(1, under: nil)
        expectFault(.token) { try tree.append(1, under: nil) }
        expectFault(.place) { try tree.append(1, under: 7) }
        for payload in [DraftPayload.deterministic, .coupled] {
            var tree = ProposedTree(behind: [])
            try tree.propose(payload, under: nil)
            try tree.append(1, under: nil)
            expectFault(.token) { try tree.append(1, under: nil) }
        }
        #expect(tree.drafts.count == 1 && tree.draws(nil) == [0] && tree.payload(0) == nil && tree.drawCount == 1)
    }

    @Test("An independent draw may come twice: one node, drawn twice")
    func repeats() throws {
        var tree = ProposedTree(root: 9, index: 4)
        try tree.propose(.row(row, .independent), under: nil)
        for token: TokenID in [2, 0, 2] { try tree.append(token, under: nil) }
        #expect(tree.draws(nil) == [0, 1, 0] && tree.drafts.count == 2 && tree.drawCount == 3)
        #expect(tree.indexDecided(by: nil) == 4 && tree.indexDecided(by: 1) == 5)
        // p / q for the first draw; the second draw of the same token adds nothing to it.
        let law = EnumeratedChance.law { verify(RejectionRule(), tree, example, after: [], chance: &$0).path }
        #expect(abs((law[[0]] ?? 0) - example.p(after: [])[2] / row[2]) < 1e-12 && (law[[1]] ?? 0) > 0)
    }

    /// Three drafts: tokens 2 and 0 below the root, 1 below the first.
    private func received(
        _ proposals: [NodeIndex?: ProposedTree.Proposal], drawsMax: Int = 8
    ) throws -> ProposedTree {
        var drafts = DraftTree(root: 5)
        let limits = DraftTree.Limits(nodesMax: 8, depthMax: 4, widthMax: 3, vocabularySize: 3)
        try drafts.receive(parents: [0, 0, 1], tokens: [2, 0, 1], limits: limits)
        return try ProposedTree(drafts, index: 2, proposals, drawsMax: drawsMax)
    }

    @Test("Payloads laid over a received tree make the tree that was grown, or are refused by name")
    func receives() throws {
        let drawn = DraftPayload.row(row, .independent)
        var grown = ProposedTree(root: 5, index: 2)
        try grown.propose(drawn, under: nil)
        for token: TokenID in [2, 0, 2] { try grown.append(token, under: nil) }
        try grown.propose(.deterministic, under: 0)
        try grown.append(1, under: 0)
        let below = ProposedTree.Proposal(.deterministic, draws: [2])
        #expect(try received([nil: .init(drawn, draws: [0, 1, 0]), 0: below]) == grown)
        #expect(try received([nil: .init(drawn, draws: [0, 0, 1]), 0: below]) != grown)

        expectFault(.place) { _ = try received([nil: .init(drawn, draws: [0, 1])]) }
        expectFault(.place) { _ = try received([0: below]) }
        for stray: NodeIndex in [3, -1] {
            expectFault(.place) {
                _ = try received([nil: .init(drawn, draws: [0, 1]), 0: below, stray: .init(.coupled)])
            }
        }
        for draws: [NodeIndex] in [[], [0], [1, 0], [0, 2], [0, 1, 2], [0, 1, 9], [0, 1, -1]] {
            expectFault(.draws) { _ = try received([nil: .init(drawn, draws: draws), 0: below]) }
        }
        expectFault(.draws) { _ = try received([nil: .init(drawn, draws: [0, 1, 0]), 0: below], drawsMax: 3) }
        for payload in [DraftPayload.row(row, .withoutReplacement), .deterministic, .coupled] {
            #expect(throws: Never.self) { try received([nil: .init(payload, draws: [0, 1]), 0: below]) }
            expectFault(.token) { _ = try received([nil: .init(payload, draws: [0, 1, 0]), 0: below]) }
        }
        let poor = DraftPayload.row(try WeightRow([.init(2, 1)]), .independent)
        expectFault(.token) { _ = try received([nil: .init(poor, draws: [0, 1]), 0: below]) }
    }

    @Test("Drafts of one making need no list of draws")
    func uniform() throws {
        var random = SplitMix(seed: 3)
        let drafts = DraftTree.random(40, using: &random)
        let tree = try ProposedTree(drafts, index: 1, all: .coupled)
        #expect(tree.drafts == drafts && tree.drawCount == 40)
        for node in [nil] + drafts.indices.map(Optional.some) {
            let children = Array(drafts.children(of: node))
            #expect(tree.draws(node) == children && (tree.payload(node) == .coupled) == !children.isEmpty)
        }
    }

    @Test("A part keeps the chosen drafts with their payloads and draws")
    func parts() throws {
        var tree = ProposedTree(root: 5, index: 2)
        try tree.propose(.row(row, .withoutReplacement), under: nil)
        for token: TokenID in [2, 0, 1] { try tree.append(token, under: nil) }
        try tree.propose(.coupled, under: 1)
        for token: TokenID in [7, 8, 9] { try tree.append(token, under: 1) }
        try tree.propose(.row(row, .independent), under: 4)
        for token: TokenID in [1, 1, 2] { try tree.append(token, under: 4) }
        #expect(tree.keeping(tree.drafts.indices).tree == tree)
        #expect(tree.keeping([]).tree.drafts.isEmpty && tree.keeping([]).tree.draws(nil) == [])
        let (part, moved) = tree.keeping([0, 1, 4, 6, 7])
        #expect(moved == [0, 1, nil, nil, 2, nil, 3, 4] && part.drafts.tokens(to: 4) == [0, 8, 2])
        #expect(part.draws(nil) == [0, 1] && part.payload(nil) == tree.payload(nil))
        #expect(part.draws(1) == [2] && part.payload(1) == .coupled && part.payload(0) == nil)
        #expect(part.draws(2) == [3, 3, 4] && part.payload(2) == tree.payload(4))
        #expect(part.index == 2 && part.drafts.root == 5 && part.drawCount == 6)
    }

    @Test("A late row must be the one that the scalar came from")
    func lateRows() throws {
        let sent = ProposedTree.chain([(2, .row(row, .independent))]).withScalars
        let other = WeightRow(distribution(0.3, 0.3, 0.4), entriesMax: 3)
        var tree = sent
        expectFault(.mismatch) { try tree.resolve(nil, to: other) }
        expectFault(.mismatch) { try tree.resolve(nil, to: row.removing(0) ?? row) }
        expectFault(.place) { try tree.resolve(0, to: row) }
        #expect(tree == sent)
        try tree.resolve(nil, to: row)
        #expect(tree.payload(nil) == .row(row, .independent))
        expectFault(.place) { try tree.resolve(nil, to: row) }
        // A sibling outside the row: nothing but the row itself can show it.
        var wide = ProposedTree(behind: [])
        let scalar = try DraftPayload.Scalar(weight: row.weight(of: 2), total: row.total)
        try wide.propose(.scalar(scalar, .independent), under: nil)
        try wide.append(2, under: nil)
        try wide.append(8, under: nil)
        expectFault(.token) { try wide.resolve(nil, to: row) }
    }

    @Test("Rows and scalars that are no law are refused")
    func rows() throws {
        expectFault(.row) { _ = try WeightRow([]) }
        expectFault(.row) { _ = try WeightRow([.init(1, 0)]) }
        expectFault(.row) { _ = try WeightRow([.init(2, 1), .init(1, 1)]) }
        expectFault(.row) { _ = try WeightRow([.init(2, 1), .init(2, 1)]) }
        expectFault(.row) { _ = try DraftPayload.Scalar(weight: 0, total: 4) }
        expectFault(.row) { _ = try DraftPayload.Scalar(weight: 5, total: 4) }
    }

    @Test("A row keeps the likeliest tokens in proportion, the lowest id on a tie")
    func rounding() {
        #expect(row.entries == [.init(0, 26_214), .init(1, 39_321), .init(2, 65_535)])
        let law = distribution(0.2, 0.3, 0.3, 1e-9, 0.2)
        #expect(WeightRow(law, entriesMax: 5).entries.map(\.token) == [0, 1, 2, 4])
        #expect(WeightRow(law, entriesMax: 3).entries.map(\.token) == [0, 1, 2])
        #expect(WeightRow(law, entriesMax: 1).entries == [.init(1, 65_535)])
    }

    @Test("A row draws each token in proportion to its weight, to the last integer")
    func rowDraws() throws {
        let row = try WeightRow([.init(3, 1), .init(5, 4), .init(9, 2)])
        let drawn = (0..<7).map { row.token(at: (Double($0) + 0.5) / 7) }
        #expect(drawn == [3, 5, 5, 5, 5, 9, 9])
        #expect(row.token(at: 1 - 0x1p-53) == 9 && row.token(at: 0) == 3)
        #expect(row.weight(of: 4) == 0 && row[5] == 4.0 / 7 && row.removing(5)?.total == 3)
        #expect(try WeightRow([.init(3, 1)]).removing(3) == nil)
    }

    @Test("The sampler transform is the law of the coupled rule's choices, filters and all", arguments: 0..<3)
    func samplerTransform(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var scratch = CoupledScratch()
        for _ in 0..<300 {
            let row = (0..<1 + Int(random.next() % 60)).map { _ in Float(random.normal() * 3) }
            let policy = SamplingPolicy(
                temperature: [0, 0.4, 1, 2][Int(random.next() % 4)], topK: Int(random.next() % 9),
                topP: random.uniform() < 0.5 ? 1 : 0.9, minP: random.uniform() < 0.5 ? 0 : 0.05)
            let law = Distribution(row.span, policy, scratch: &scratch)
            #expect(abs(law.probabilities.reduce(0, +) - 1) < 1e-12)
            // Perturbing the law itself chooses as perturbing the logits does.
            for key: StreamKey in [1, 2, 3] {
                let request = ScoreRequest(key: key, index: 5, policy: policy)
                let choice = CoupledRule.choose(row.span, request, scratch: &scratch)
                #expect(law[choice.token] > 0)
                #expect(KeyedChance(key: key).choice(from: law, at: 5).token == choice.token || choice.margin < 1e-9)
            }
            if !policy.isGreedy && policy.topK == 0 && policy.topP == 1 && policy.minP == 0 {
                let plain = softmax(row, temperature: policy.temperature).probabilities
                #expect(zip(law.probabilities, plain).allSatisfy { abs($0 - $1) < 1e-12 })
            }
        }
        #expect(Distribution([Float.nan, -.infinity].span, .greedy, scratch: &scratch) == distribution(1, 0))
        let spoilt = Distribution([Float.nan, 0, .infinity].span, SamplingPolicy(temperature: 1), scratch: &scratch)
        #expect(spoilt == distribution(0, 1, 0))
    }
}

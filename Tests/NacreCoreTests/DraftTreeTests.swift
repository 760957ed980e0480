import NacreCore
import RealModule
import Testing

@Suite("Draft trees, rows and the sampler transform")
struct DraftTreeTests {
    private let row = example.row(after: [])

    private func expectFault(_ code: DraftFault.Code, _ body: () throws -> Void) {
        #expect { try body() } throws: { ($0 as? DraftFault)?.code == code }
    }

    @Test("A tree refuses what its payload says could not have been drawn, and stays as it was")
    func faults() throws {
        var tree = DraftTree(index: 0)
        expectFault(.tree) { try tree.append(1, under: .root) }
        try tree.propose(.row(row, .withoutReplacement), under: .root)
        expectFault(.tree) { try tree.propose(.deterministic, under: .root) }
        expectFault(.tree) { try tree.propose(.deterministic, under: 1) }
        expectFault(.token) { try tree.append(3, under: .root) }
        try tree.append(1, under: .root)
        expectFault(.token) { try tree.append(1, under: .root) }
        expectFault(.tree) { try tree.append(1, under: 7) }
        for payload in [DraftPayload.deterministic, .coupled] {
            var tree = DraftTree(index: 0)
            try tree.propose(payload, under: .root)
            try tree.append(1, under: .root)
            expectFault(.token) { try tree.append(1, under: .root) }
        }
        #expect(tree.count == 1 && tree.children(.root) == [1] && tree.payload(1) == nil)
    }

    @Test("An independent draw may come twice, and the second is known never to pass")
    func repeats() throws {
        var tree = DraftTree(index: 4)
        try tree.propose(.row(row, .independent), under: .root)
        for token: TokenID in [2, 0, 2] { try tree.append(token, under: .root) }
        #expect((0...3).map { tree.repeatsSibling(NodeIndex(rawValue: $0)) } == [false, false, false, true])
        let law = EnumeratedChance.law { verify(RejectionRule(), tree, example, after: [], chance: &$0).path }
        #expect(law[[3]] == nil)
        #expect(tree.depth(3) == 1 && tree.parent(3) == .root && tree.indexDecided(by: 3) == 5)
    }

    @Test("A late row must be the one that the scalar came from")
    func lateRows() throws {
        let sent = DraftTree.chain([(2, .row(row, .independent))]).withScalars
        let other = WeightRow(distribution(0.3, 0.3, 0.4), entriesMax: 3)
        var tree = sent
        expectFault(.mismatch) { try tree.resolve(.root, to: other) }
        expectFault(.mismatch) { try tree.resolve(.root, to: row.removing(0) ?? row) }
        expectFault(.tree) { try tree.resolve(1, to: row) }
        #expect(tree == sent)
        try tree.resolve(.root, to: row)
        #expect(tree.payload(.root) == .row(row, .independent))
        expectFault(.tree) { try tree.resolve(.root, to: row) }
        // A sibling outside the row: nothing but the row itself can show it.
        var wide = DraftTree(index: 0)
        let scalar = try DraftPayload.Scalar(weight: row.weight(of: 2), total: row.total)
        try wide.propose(.scalar(scalar, .independent), under: .root)
        try wide.append(2, under: .root)
        try wide.append(8, under: .root)
        expectFault(.token) { try wide.resolve(.root, to: row) }
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

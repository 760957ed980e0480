import NacreCore
import TestStatistics
import Testing

/// ALGORITHMS 4. Qin et al. 2025.
@Suite("Speculative beam decoding")
struct DSBDTests {
    /// Vocabulary, tokens, round: widths below, at and above the draws; several layers; texts that end; cut rows.
    static let cases: [(vocabulary: Int, length: Int, round: BeamRound)] = [
        (2, 3, BeamRound(width: .fixed(2), draws: [2, 2])), (2, 2, BeamRound(width: .fixed(2), draws: [3])),
        (3, 2, BeamRound(width: .fixed(2), draws: [2])), (3, 3, BeamRound(width: .fixed(1), draws: [2, 1])),
        (2, 2, BeamRound(width: .fixed(3), draws: [2])), (2, 3, BeamRound(width: .fixed(2), draws: [1, 3])),
        (3, 3, BeamRound(width: .fixed(2), draws: [1, 2], ends: [2])),
        (2, 3, BeamRound(width: .fixed(2), draws: [2, 2], ends: [1])),
        (3, 2, BeamRound(width: .fixed(2), draws: [2], entriesMax: 2)), (2, 3, BeamRound(width: .fixed(2), draws: [])),
    ]

    @Test("With a fixed width the beams have exactly the law of beam sampling", arguments: cases)
    func exactLaw(vocabulary: Int, length: Int, round: BeamRound) {
        guard case .fixed(let width) = round.width else { return }
        for seed in 0..<3 {
            let tables = Tables(vocabulary: vocabulary, seed: UInt64(seed), agreement: 0.3)
            let expected = tables.beamSamplingLaw(width: width, length: length, ends: round.ends)
            let law = composedBeamLaw(length: length, ends: round.ends) { beams, chance in
                round.play(tables, &beams, length: length, chance: &chance)
            }
            #expect(totalVariation(law, expected) < 1e-12, "seed \(seed)")
            let direct = composedBeamLaw(length: length, ends: round.ends) { beams, chance in
                let before = beams
                BeamSampling(width: width).step(&beams, chance: &chance) {
                    tables.p(after: before.live[$0].text.tokens)
                }
            }
            #expect(totalVariation(direct, expected) < 1e-12, "beam sampling itself, seed \(seed)")
        }
    }

    @Test("Drawn with keyed noise, the multiset of beams has the law of beam sampling")
    func sampledLaw() {
        for seed in [5, 6] {
            let tables = Tables(vocabulary: 3, seed: UInt64(seed), agreement: 0.3)
            func multiset(_ outcome: BeamOutcome) -> [String] { outcome.live.map { "\($0)" }.sorted() }
            var expected: [[String]: Double] = [:]
            for (outcome, mass) in tables.beamSamplingLaw(width: 2, length: 2) {
                expected[multiset(outcome), default: 0] += mass
            }
            var counts: [[String]: Int] = [:]
            for key in 0..<20_000 {
                var chance = WatchedChance(key: StreamKey(rawValue: UInt64(key)))
                var beams = TargetBeams()
                while beams.index < 2 {
                    BeamRound(draws: [3, 3]).play(tables, &beams, length: 2, chance: &chance)
                }
                #expect(chance.repeated.isEmpty)
                counts[multiset(BeamOutcome(beams)), default: 0] += 1
            }
            #expect(chiSquarePValue(counts: counts, expected: expected) > 1e-4)
        }
    }

    @Test("No place decides twice over many rounds of any width")
    func places() {
        for key in 0..<60 {
            let tables = Tables(vocabulary: 5, seed: UInt64(key % 6), agreement: 0.6)
            let width: DSBDRule.Width = key % 2 == 0 ? .fixed(3) : .dynamic(DynamicWidth(threshold: 0.7))
            var chance = WatchedChance(key: StreamKey(rawValue: UInt64(key)))
            var beams = TargetBeams(ends: [4])
            while beams.index < 12, !beams.live.isEmpty {
                BeamRound(width: width, draws: [4, 4, 4], ends: [4]).play(tables, &beams, length: 12, chance: &chance)
                if key % 3 == 0 { _ = beams.keepOne(.drawn, chance: &chance) }
            }
            #expect(chance.repeated.isEmpty)
        }
    }

    @Test("One beam and one draw per layer is vanilla speculative decoding, token for token under one key")
    func vanilla() {
        for key in 0..<400 {
            let tables = Tables(vocabulary: 4, seed: UInt64(key % 10), agreement: 0.5)
            let round = BeamRound(width: .fixed(1), draws: [1, 1, 1])
            var beamChance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            var chance = beamChance
            var beams = TargetBeams()
            var committed: [TokenID] = []
            while beams.index < 12 {
                // The same chain of drafts, as a vanilla verifier gets it.
                let forest = round.forest(
                    tables, behind: beams, layersMax: 11 - beams.index, chance: &beamChance)
                var tree = ProposedTree(root: Position(rawValue: committed.count), index: committed.count)
                tree.must { tree throws(PayloadFault) in
                    for layer in forest.layers.indices {
                        let leaf = tree.drafts.indices.last
                        try tree.propose(.row(forest.sent(layer).rows[0], .independent), under: leaf)
                        try tree.append(forest.layers[layer][0].token, under: leaf)
                    }
                }
                round.play(tables, &beams, length: 12, chance: &beamChance)
                committed += verify(RejectionRule(), tree, tables, after: committed, chance: &chance).tokens(of: tree)
                #expect(beams.live.map(\.text.tokens) == [committed], "key \(key)")
                guard beams.live[0].text.tokens == committed else { return }
            }
        }
    }

    @Test("A draw behind a beam that fell is rejected, and takes the layer's law out of the rest like any other")
    func orphans() throws {
        // The first layer's draw of token 1 is impossible to the target, so that both draws of the second are orphans
        // or not by their parent alone.
        let p = distribution(0.6, 0, 0.4)
        var forest = DraftForest(roots: 1, root: 0, index: 0)
        let row = WeightRow(distribution(1, 1, 1), entriesMax: 3)
        try forest.receive(
            .init(draws: [BeamToken(beam: 0, token: 0), BeamToken(beam: 0, token: 1)], rows: [row]), drawsMax: 2,
            layersMax: 2)
        let second = try WeightRow([.init(0, 1), .init(2, 4)])
        try forest.receive(
            .init(
                draws: [BeamToken(beam: 1, token: 0), BeamToken(beam: 0, token: 2)],
                rows: [second, second]), drawsMax: 2, layersMax: 2)
        // Width 1: the first draw passes surely (p > q), so beam 0 is token 0. The orphan leaves norm([P − Q̄]₊), with
        // Q̄ half of q: (.5, 0, 0) of P = (.6, 0, .4), Q̄ = (.1, 0, .4). So token 2 of the second draw falls.
        let law = EnumeratedChance.law { chance in
            var beams = TargetBeams()
            let verdict = DSBDRule(width: .fixed(1)).advance(&beams, over: forest, chance: &chance) { _ in p }
            #expect(verdict.kept == [[0], []])
            return beams.live[0].text.tokens
        }
        #expect(law == [[0, 0]: 1])
    }

    @Test("The verdict says where each beam lies: its node decided the last token")
    func origins() {
        for key in 0..<200 {
            let tables = Tables(vocabulary: 4, seed: UInt64(key % 9), agreement: 0.7)
            let round = BeamRound(width: .fixed(3), draws: [4, 4], ends: [3])
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            var beams = TargetBeams(ends: [3])
            while beams.index < 9, !beams.live.isEmpty {
                let before = beams
                let forest = round.forest(tables, behind: beams, layersMax: 8 - beams.index, chance: &chance)
                var replay = chance
                let verdict = round.play(tables, &beams, length: 9, chance: &replay)
                #expect(verdict.beams.count == beams.live.count)
                for (origin, beam) in zip(verdict.beams, beams.live) {
                    #expect(forest.text(origin.place, behind: before) + [origin.token] == beam.text.tokens)
                }
                #expect(verdict.widths.count == beams.index - before.index)
                let weight = beams.live.reduce(0) { $0 + $1.weight }
                #expect(beams.live.isEmpty || abs(weight - 1) < 1e-12)
            }
        }
    }

    @Test("Draws go on in proportion to their own Q, draws of one text each, those that end the text not at all")
    func draftWeights() throws {
        let row = try WeightRow([.init(0, 3), .init(1, 1), .init(2, 4)])
        var forest = DraftForest(roots: 1, root: 5, index: 0, ends: [2])
        let draws = [0, 1, 0, 2].map { BeamToken(beam: 0, token: $0) }
        try forest.receive(.init(draws: draws, rows: [row]), drawsMax: 4, layersMax: 2)
        #expect(forest.open == [BeamPlace(tree: 0, node: 0), BeamPlace(tree: 0, node: 1)])
        let next = try WeightRow([.init(0, 1), .init(1, 1)])
        try forest.receive(
            .init(draws: [BeamToken(beam: 1, token: 0)], rows: [next, next]), drawsMax: 4, layersMax: 2)
        for (beam, weight) in [3.0 / 7, 1.0 / 7, 3.0 / 7, 0].enumerated() {
            #expect(abs(forest.laws[1][BeamToken(beam: beam, token: 1)] - weight / 2) < 1e-12, "draft beam \(beam)")
        }
    }

    @Test("A forest arrives as it was sent, and one that cannot have been drawn is refused")
    func wire() throws {
        let tables = Tables(vocabulary: 4, seed: 1, agreement: 0.5)
        var chance = KeyedChance(key: 9)
        var beams = TargetBeams(ends: [3])
        let round = BeamRound(width: .fixed(3), draws: [4, 5, 3], ends: [3])
        round.play(tables, &beams, length: 2, chance: &chance)
        let forest = round.forest(tables, behind: beams, layersMax: 3, chance: &chance)
        var received = DraftForest(
            roots: beams.live.count, root: forest.trees[0].root, index: forest.index, ends: forest.ends)
        for layer in forest.layers.indices { try received.receive(forest.sent(layer), drawsMax: 5, layersMax: 3) }
        #expect(received == forest)

        let empty = DraftForest(roots: 2, root: 5, index: 0, ends: [3])
        let row = WeightRow(distribution(1, 1, 0, 1), entriesMax: 4)
        func refused(
            _ draws: [(Int, TokenID)], rows: Int = 2, in forest: DraftForest = empty, layersMax: Int = 2,
            _ code: PayloadFault.Code
        ) {
            var forest = forest
            let layer = DraftForest.Layer(
                draws: draws.map { BeamToken(beam: $0.0, token: $0.1) }, rows: Array(repeating: row, count: rows))
            let before = forest
            let fault = #expect(throws: PayloadFault.self) {
                try forest.receive(layer, drawsMax: 3, layersMax: layersMax)
            }
            #expect(fault?.code == code && forest == before)
        }
        refused([(0, 0)], rows: 1, .row)
        refused([], .draws)
        refused([(0, 0), (0, 0), (0, 0), (0, 0)], .draws)
        refused([(2, 0)], .place)
        refused([(-1, 0)], .place)
        refused([(1, 2)], .token)
        refused([(0, 0)], layersMax: 0, .place)
        var ended = empty
        try ended.receive(
            .init(draws: [BeamToken(beam: 0, token: 3), BeamToken(beam: 1, token: 0)], rows: [row, row]), drawsMax: 3,
            layersMax: 2)
        refused([(0, 0)], rows: 1, in: ended, .place)
        #expect(ended.open == [BeamPlace(tree: 1, node: 0)])
    }
}

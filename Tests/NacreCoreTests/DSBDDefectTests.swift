import NacreCore
import RealModule
import TestStatistics
import Testing

/// ALGORITHMS 4, defects 1 to 8 of the published code: one test rules out each.
@Suite("Defects of the published speculative beam decoding code")
struct DSBDDefectTests {
    private let example = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.2, 0.3, 0.5))

    private func law(_ round: BeamRound, _ tables: Tables, length: Int) -> [BeamOutcome: Double] {
        composedBeamLaw(length: length) { round.play(tables, &$0, length: length, chance: &$1) }
    }

    @Test("1: draws are independent, as the rule takes them; drawn without replacement they are caught")
    func independentDraws() {
        let repeats = EnumeratedChance.law { chance in
            let forest = BeamRound(draws: [2]).forest(example, behind: TargetBeams(), layersMax: 1, chance: &chance)
            return forest.layers[0].map(\.token)
        }
        #expect(abs((repeats[[2, 2]] ?? 0) - 0.25) < 1e-9 && abs((repeats[[2, 0]] ?? 0) - 0.1) < 1e-9)
        let tables = Tables(p: distribution(0.7, 0.3), q: distribution(0.4, 0.6))
        let expected = tables.beamSamplingLaw(width: 2, length: 2)
        #expect(totalVariation(law(BeamRound(draws: [2]), tables, length: 2), expected) < 1e-12)
        let illegal = law(BeamRound(draws: [2], drawsDiffer: true), tables, length: 2)
        #expect(totalVariation(illegal, expected) > 0.03)
    }

    @Test("2: tokens rarer than 1 in 1000 are drawn as often as they should be")
    func rareTokens() {
        let tables = Tables(p: distribution(0.9995, 0.0005), q: distribution(0.9, 0.1))
        let law = law(BeamRound(draws: [2]), tables, length: 2)
        let expected = tables.beamSamplingLaw(width: 2, length: 2)
        #expect(totalVariation(law, expected) < 1e-12)
        let rarest = BeamOutcome(live: [[0, 1], [0, 1]], finished: [])
        #expect((expected[rarest] ?? 0) > 0 && abs((law[rarest] ?? 0) / (expected[rarest] ?? 1) - 1) < 1e-6)
        // Drafted too, and by the frequency of its row.
        let rare = Tables(p: distribution(0.5, 0.5), q: distribution(0.9999, 0.0001))
        let drafted = EnumeratedChance.law { chance in
            BeamRound(draws: [1]).forest(rare, behind: TargetBeams(), layersMax: 1, chance: &chance).layers[0][0].token
        }
        #expect(abs((drafted[1] ?? 0) - rare.row(after: [])[1]) < 1e-12 && (drafted[1] ?? 0) > 5e-5)
    }

    @Test("3: the recursion takes Q out once per failed draw: P[K = 0] is the product of what is left")
    func oneSubtraction() {
        // a₀ = .7 leaves (1/3, 2/3, 0), so a₁ = 1/3 + .1: none in two draws with .3 · .56667. A second subtraction
        // would leave the point mass on token 1, and .27.
        let p = JointLaw(weights: [1], rows: [distribution(0.5, 0.3, 0.2)])
        let q = DraftLaw(weights: [1], rows: [WeightRow(distribution(0.4, 0.1, 0.5), entriesMax: 3)])
        #expect(abs(DynamicWidth.acceptances(p: p, q: q, draws: 2)[0] - 0.17) < 1e-9)
    }

    @Test("4: the target's rows are not truncated a second time over the joint: every product is there")
    func truncatedOnce() {
        var beams = TargetBeams()
        var chance = EnumeratedChance()
        BeamSampling(width: 2).step(&beams, chance: &chance) { _ in distribution(0.6, 0.4) }
        let rows = [distribution(0.99, 0.01, 0), distribution(0.001, 0.499, 0.5)]
        let joint = beams.law(rows: rows)
        for beam in 0..<2 {
            for token in 0..<3 {
                let pair = BeamToken(beam: beam, token: TokenID(rawValue: UInt32(token)))
                let expected = beams.live[beam].weight * rows[beam].probabilities[token]
                #expect(abs(joint[pair] - expected) < 1e-15)
            }
        }
    }

    @Test("5: answers are ranked by cumulative log-likelihood per token, not by weights among the beams of a step")
    func ranking() {
        let tables = Tables(vocabulary: 4, seed: 3, agreement: 0.6)
        var compared = 0
        for key in 0..<300 {
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            var beams = TargetBeams(ends: [3])
            let round = BeamRound(width: .fixed(4), draws: [4, 4], ends: [3])
            while beams.index < 6, !beams.live.isEmpty { round.play(tables, &beams, length: 6, chance: &chance) }
            let answers = beams.answers(8)
            for answer in answers {
                #expect(abs(answer.logP - tables.logJoint(answer.tokens, after: [])) < 1e-9)
                #expect(answer.score == answer.logP / Double(answer.tokens.count))
            }
            #expect(zip(answers, answers.dropFirst()).allSatisfy { $0.score >= $1.score })
            #expect(Set(answers.map(\.tokens)).count == answers.count)
            #expect(beams.answers(2) == Array(answers.prefix(2)))
            // Texts that ended at different times are among them.
            if Set(answers.map(\.tokens.count)).count > 1 { compared += 1 }
        }
        #expect(compared > 50)
    }

    @Test("6: every γ is what it says: a round commits up to γ + 1 tokens and no more", arguments: [1, 2, 3])
    func gamma(gamma: Int) {
        let tables = Tables(p: distribution(0.5, 0.5), q: distribution(0.5, 0.5))
        var longest = 0
        for key in 0..<100 {
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            var beams = TargetBeams()
            BeamRound(width: .fixed(2), draws: Array(repeating: 3, count: gamma))
                .play(tables, &beams, length: 100, chance: &chance)
            longest = max(longest, beams.index)
        }
        #expect(longest == gamma + 1)
    }

    @Test("7: a round that ends early ends with the width asked for, not with the number of draws")
    func earlyEnd() {
        var early = 0
        for key in 0..<200 {
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            var beams = TargetBeams()
            let verdict = BeamRound(width: .fixed(2), draws: [4, 4]).play(example, &beams, length: 9, chance: &chance)
            #expect(beams.live.count == 2)
            if verdict.kept.count < 2 || verdict.kept[1].count < 2 { early += 1 }
            var dynamic = TargetBeams()
            let rule = DSBDRule.Width.dynamic(DynamicWidth(threshold: 0.5))
            let widths = BeamRound(width: rule, draws: [4, 4]).play(example, &dynamic, length: 9, chance: &chance)
                .widths
            #expect(dynamic.live.count == widths.last)
        }
        #expect(early > 10)
    }

    @Test("8: after a draw that passes the next is held against P itself again")
    func resetAfterAcceptance() {
        // Three draws, width 2, one layer: a residual that survived an acceptance would show in the second beam.
        let tables = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.05, 0.25, 0.7))
        let law = law(BeamRound(draws: [3]), tables, length: 2)
        #expect(totalVariation(law, tables.beamSamplingLaw(width: 2, length: 2)) < 1e-12)
        func judged(_ tokens: [TokenID]) -> [TokenID: Double] {
            var forest = DraftForest(roots: 1, root: 0, index: 0)
            let layer = DraftForest.Layer(
                draws: tokens.map { BeamToken(beam: 0, token: $0) }, rows: [tables.row(after: [])])
            #expect(throws: Never.self) { try forest.receive(layer, drawsMax: 3, layersMax: 1) }
            // How likely the first of these draws fails and the others pass.
            return EnumeratedChance.law { chance in
                var beams = TargetBeams()
                let verdict = DSBDRule(width: .fixed(3)).advance(&beams, over: forest, chance: &chance) { _ in
                    tables.p(after: [])
                }
                return verdict.kept[0] == [1, 2] ? 1 : 0
            }
        }
        // Draw 2 fails with 1 − .2/.7; then 0 passes surely; against P itself 1 passes surely too (.3 > .25);
        // against the residual, (.9, .1, 0), it would pass with .1/.25.
        #expect(abs((judged([2, 0, 1])[1] ?? 0) - (1 - 0.2 / 0.7)) < 1e-4)
    }
}

import NacreCore
import TestStatistics
import Testing

/// ALGORITHMS 4.4.
@Suite("Dynamic width")
struct DynamicWidthTests {
    /// P and Q over a single beam.
    private func single(_ p: Distribution, _ q: Distribution) -> (p: JointLaw, q: DraftLaw) {
        (JointLaw(weights: [1], rows: [p]), DraftLaw(weights: [1], rows: [WeightRow(q, entriesMax: 64)]))
    }

    private let golden = [0.1536, 0.2016, 0.2136, 0.1911, 0.2401]

    @Test("Four draws of the example are accepted as often as the recursion says: the golden distribution of the width")
    func goldenCounts() {
        let (p, q) = single(distribution(0.5, 0.3, 0.2), distribution(0.2, 0.3, 0.5))
        let counts = DynamicWidth.acceptances(p: p, q: q, draws: 4)
        #expect(counts.count == 5 && zip(counts, golden).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(abs(counts.enumerated().reduce(0) { $0 + Double($1.offset) * $1.element } - 2.1625) < 1e-9)
        for (threshold, width) in [(0.7, 1), (0.9, 1), (0.64, 2), (0.43, 3), (0.24, 4), (1e-9, 4)] {
            #expect(DynamicWidth(threshold: threshold).width(p: p, q: q, draws: 4) == width, "t \(threshold)")
        }
        // A tail that is the threshold itself reaches it, whatever rounding makes of either.
        for (threshold, width) in [(0.2401, 4), (0.4312, 3), (0.6448, 2)] {
            #expect(DynamicWidth(threshold: threshold).width(p: p, q: q, draws: 4) == width, "t \(threshold)")
        }
        #expect(DynamicWidth(threshold: 0.9, widthMin: 3).width(p: p, q: q, draws: 4) == 3)
        #expect(DynamicWidth(threshold: 0.9, widthMin: 2).width(p: p, q: q, draws: 0) == 2)
    }

    /// Acceptances of a first layer of `draws` draws; the width is out of reach, so that all are tested.
    private func accepted<Source: ChanceSource>(
        _ tables: Tables, draws: Int, entriesMax: Int = 64, chance: inout Source
    ) -> Int {
        var beams = TargetBeams()
        let round = BeamRound(width: .fixed(draws + 1), draws: [draws], entriesMax: entriesMax)
        let verdict = round.play(tables, &beams, length: 2, chance: &chance)
        return verdict.kept[0].count
    }

    @Test("The recursion is the law of the rule's own acceptances, enumerated", arguments: [1, 2])
    func enumerated(draws: Int) {
        for seed in 0..<8 {
            for entriesMax in [2, 64] {
                let tables = Tables(vocabulary: 3, seed: UInt64(seed), agreement: 0.3)
                let law = EnumeratedChance.law {
                    accepted(tables, draws: draws, entriesMax: entriesMax, chance: &$0)
                }
                let row = tables.q(after: [])
                let q = DraftLaw(weights: [1], rows: [WeightRow(row, entriesMax: entriesMax)])
                let p = JointLaw(weights: [1], rows: [tables.p(after: [])])
                let counts = DynamicWidth.acceptances(p: p, q: q, draws: draws)
                for (k, probability) in counts.enumerated() { #expect(abs((law[k] ?? 0) - probability) < 1e-12) }
            }
        }
    }

    @Test("Sampled, the acceptances among four draws have the golden distribution")
    func sampled() {
        var counts: [Int: Int] = [:]
        let tables = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.2, 0.3, 0.5))
        for key in 0..<20_000 {
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            counts[accepted(tables, draws: 4, chance: &chance), default: 0] += 1
        }
        let expected = Dictionary(uniqueKeysWithValues: golden.enumerated().map { ($0, $1) })
        #expect(chiSquarePValue(counts: counts, expected: expected) > 1e-4)
    }

    @Test("Against rows of which only some stand, the counts are those of a sub-law")
    func subLaw() {
        // Half of the draws are orphans: acceptance is Σ min(P, Q/2).
        let p = JointLaw(weights: [1], rows: [distribution(0.5, 0.5)])
        let q = DraftLaw(weights: [0.5], rows: [WeightRow(distribution(1, 1), entriesMax: 2)])
        let counts = DynamicWidth.acceptances(p: p, q: q, draws: 2)
        // No draw passes with ½ · ½, and what is left of P stays P.
        #expect(zip(counts, [0.25, 0.5, 0.25]).allSatisfy { abs($0 - $1) < 1e-12 })
    }

    @Test("The width is settled before a draw is looked at: it is the same for all draws of a forest")
    func settledBefore() {
        let tables = Tables(vocabulary: 3, seed: 2, agreement: 0.4)
        let rule = DynamicWidth(threshold: 0.6)
        let widths = EnumeratedChance.law { chance in
            var beams = TargetBeams()
            return BeamRound(width: .dynamic(rule), draws: [3]).play(tables, &beams, length: 2, chance: &chance).widths[
                0]
        }
        let p = JointLaw(weights: [1], rows: [tables.p(after: [])])
        let q = DraftLaw(weights: [1], rows: [tables.row(after: [])])
        #expect(Array(widths.keys) == [rule.width(p: p, q: q, draws: 3)])
    }

    @Test("Each layer is exact given its width: the first one is that many draws of P", arguments: [0.3, 0.8])
    func exactGivenWidth(threshold: Double) {
        let round = BeamRound(width: .dynamic(DynamicWidth(threshold: threshold)), draws: [2])
        for seed in 0..<4 {
            let tables = Tables(vocabulary: 3, seed: UInt64(seed), agreement: 0.4)
            var widths: Set<Int> = []
            let law = EnumeratedChance.law { chance in
                var beams = TargetBeams()
                let forest = round.forest(tables, behind: beams, layersMax: 1, chance: &chance)
                let verdict = DSBDRule(width: round.width).advance(&beams, over: forest, chance: &chance) {
                    tables.p(after: forest.text($0, behind: TargetBeams()))
                }
                widths.insert(verdict.widths[0])
                // A layer that stands as a whole is followed by another; one that does not is the last.
                guard verdict.kept[0].count == verdict.widths[0] else { return BeamOutcome(beams) }
                return BeamOutcome(live: verdict.kept[0].map { [forest.layers[0][$0].token] }, finished: [])
            }
            #expect(widths.count == 1)
            let expected = tables.beamSamplingLaw(width: widths.first ?? 0, length: 1)
            #expect(totalVariation(law, expected) < 1e-12, "seed \(seed)")
        }
    }

    @Test("Behind the last layer the width stays what it is: draws count, not texts")
    func lastWidth() {
        var chance = KeyedChance(key: 1)
        var beams = TargetBeams()
        BeamSampling(width: 3).step(&beams, chance: &chance) { _ in distribution(1, 0) }
        _ = beams.merge()
        let forest = DraftForest(roots: beams.live.count, root: 1, index: 1)
        for (widthMin, width) in [(1, 3), (4, 4)] {
            var next = beams
            let rule = DSBDRule(width: .dynamic(DynamicWidth(widthMin: widthMin)))
            let verdict = rule.advance(&next, over: forest, chance: &chance) { _ in distribution(0.5, 0.5) }
            #expect(verdict.widths == [width] && next.live.count == width)
        }
    }

    @Test("Numbers that mean nothing are refused in words")
    func refusals() {
        #expect(DynamicWidth(threshold: 0).complaint?.contains("threshold") == true)
        #expect(DynamicWidth(threshold: .nan).complaint?.contains("threshold") == true)
        #expect(DynamicWidth(widthMin: 0).complaint?.contains("minimum") == true)
        #expect(DynamicWidth().complaint == nil)
    }
}

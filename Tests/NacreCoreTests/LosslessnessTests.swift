import NacreCore
import TestStatistics
import Testing

@Suite("Losslessness of the published algorithms")
struct LosslessnessTests {
    /// Leviathan et al. 2023, appendix A.1.
    @Test(
        "Speculative decoding has the autoregressive law exactly",
        arguments: [(2, 2, 4), (2, 3, 4), (3, 2, 3), (3, 3, 3), (4, 2, 3), (5, 2, 2)])
    func speculativeDecodingIsExact(vocabulary: Int, gamma: Int, length: Int) {
        for seed in 0..<3 {
            let tables = Tables(vocabulary: vocabulary, seed: UInt64(seed))
            let law = EnumeratedChance.law {
                speculativeDecoding(tables, gamma: gamma, length: length, chance: &$0)
            }
            #expect(totalVariation(law, tables.autoregressiveLaw(length: length)) < 1e-12, "seed \(seed)")
        }
    }

    /// PEARL, ICLR 2025: pre-verify and post-verify together.
    @Test(
        "PEARL has the autoregressive law exactly",
        arguments: [(2, 2, 4), (2, 3, 4), (3, 2, 3), (4, 2, 2), (5, 2, 2)])
    func pearlIsExact(vocabulary: Int, gamma: Int, length: Int) {
        for seed in 0..<3 {
            let tables = Tables(vocabulary: vocabulary, seed: UInt64(seed))
            let law = EnumeratedChance.law { pearl(tables, gamma: gamma, length: length, chance: &$0) }
            #expect(totalVariation(law, tables.autoregressiveLaw(length: length)) < 1e-12, "seed \(seed)")
        }
    }

    /// The p-value of 10⁵ keyed runs against the autoregressive law of the same tables.
    private func pValue(
        _ tables: Tables, length: Int, _ decode: (inout KeyedChance) -> [TokenID]
    ) -> Double {
        var counts: [[TokenID]: Int] = [:]
        for key in 0..<100_000 {
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            counts[decode(&chance), default: 0] += 1
        }
        return chiSquarePValue(counts: counts, expected: tables.autoregressiveLaw(length: length))
    }

    private let example = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.2, 0.3, 0.5))

    @Test("Drawn with keyed noise, speculative decoding has the joint law of three tokens", arguments: [1, 2, 4])
    func speculativeDecodingSamples(gamma: Int) {
        let varied = Tables(vocabulary: 4, seed: 11)
        #expect(
            pValue(example, length: 3) { speculativeDecoding(example, gamma: gamma, length: 3, chance: &$0) } > 1e-4)
        #expect(
            pValue(varied, length: 2) { speculativeDecoding(varied, gamma: gamma, length: 2, chance: &$0) } > 1e-4)
    }

    @Test("Drawn with keyed noise, PEARL has the joint law of three tokens", arguments: [2, 3])
    func pearlSamples(gamma: Int) {
        let varied = Tables(vocabulary: 4, seed: 12)
        #expect(pValue(example, length: 3) { pearl(example, gamma: gamma, length: 3, chance: &$0) } > 1e-4)
        #expect(pValue(varied, length: 2) { pearl(varied, gamma: gamma, length: 2, chance: &$0) } > 1e-4)
    }

    @Test("One uniform used for two of PEARL's checks is caught: this is the defect of its published code")
    func reusedUniformsAreCaught() {
        let p = pValue(example, length: 2) {
            pearl(example, gamma: 2, length: 2, reusesUniforms: true, chance: &$0)
        }
        #expect(p < 1e-12)
        // The enumeration, which takes every place for independent, sees it by the place alone.
        let run = EnumeratedChance.enumerate {
            pearl(example, gamma: 2, length: 2, reusesUniforms: true, chance: &$0)
        }
        #expect(run.repeated == [ChancePlace(0, .accept)])
    }

    @Test("Dropping improbable drafts is caught; keeping them and stopping there passes")
    func anticipationIsCaught() {
        let tables = Tables(p: distribution(0.5, 0.5), q: distribution(0.9, 0.1))
        func law(_ stop: StopRule, length: Int) -> [[TokenID]: Double] {
            EnumeratedChance.law { speculativeDecoding(tables, gamma: 2, length: length, stop: stop, chance: &$0) }
        }
        let legal = StopRule.keepThenStop(below: 0.5)
        let illegal = StopRule.dropThenStop(below: 0.5)
        #expect(totalVariation(law(legal, length: 3), tables.autoregressiveLaw(length: 3)) < 1e-12)
        // ALGORITHMS 0.5: the output is (.55, .45), up to the rounding of q to integers.
        #expect(abs(totalVariation(law(illegal, length: 1), tables.autoregressiveLaw(length: 1)) - 0.05) < 1e-5)
        func sampled(_ stop: StopRule) -> Double {
            pValue(tables, length: 2) { speculativeDecoding(tables, gamma: 2, length: 2, stop: stop, chance: &$0) }
        }
        #expect(sampled(legal) > 1e-4)
        #expect(sampled(illegal) < 1e-12)
    }

    @Test("A distribution refuses weights that have no law and never draws a token of probability 0")
    func distributions() {
        for weights in [[0.0, 0], [], [1, -1], [1, .nan], [1, .infinity]] {
            #expect(Distribution(weights: weights) == nil, "\(weights)")
        }
        let law = distribution(0, 0.5, 0, 0.5, 0)
        #expect(law.token(at: 0) == 1 && law.token(at: 0.5) == 3 && law.token(at: 1 - 0x1p-53) == 3)
        #expect(law.token(at: 1) == 3 && law[7] == 0)
    }
}

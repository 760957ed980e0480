import NacreCore
import RealModule
import TestStatistics
import Testing

/// ALGORITHMS 3. Qin et al. 2025.
@Suite("MTAD and MMTAD, lossy by design")
struct MTADTests {
    private static let forms: [JointDraft.Reference?] = [nil, .layerBest, .finalBest]

    /// The output law for γ = 2, W = 2, drawn without replacement, by ALGORITHMS 3.1 and 3.2 written out: all ordered
    /// pairs of draws of both layers, in plain arithmetic of its own.
    private func lawWrittenOut(_ tables: Tables, threshold: Double) -> [[TokenID]: Double] {
        /// Ordered draws of up to two of the weights, with their probability.
        func draws(_ weights: [Double]) -> [(places: [Int], probability: Double)] {
            let total = weights.reduce(0, +)
            return weights.indices.filter { weights[$0] > 0 }.flatMap { first in
                let rest = weights.indices.filter { $0 != first && weights[$0] > 0 }
                let left = rest.reduce(0) { $0 + weights[$1] }
                if rest.isEmpty { return [([first], 1.0)] }
                return rest.map { ([first, $0], weights[first] / total * weights[$0] / left) }
            }
        }
        let tokens = (0..<tables.vocabulary).map { TokenID(rawValue: UInt32($0)) }
        var law: [[TokenID]: Double] = [:]
        let first = tables.q(after: []).probabilities
        for (places, mass) in draws(first) {
            let kept = places.reduce(0) { $0 + first[$1] }
            let pairs = places.flatMap { place in tokens.map { (path: [tokens[place], $0], b: first[place] / kept) } }
            let s = pairs.map { $0.b * tables.q(after: [$0.path[0]])[$0.path[1]] }
            for (chosen, probability) in draws(s) {
                let best = chosen.max { (s[$0], $1) < (s[$1], $0) } ?? 0
                let path = pairs[best].path
                var accepted = 0
                for length in 1...2 {
                    let block = Array(path.prefix(length))
                    let ratio = tables.logJoint(block, after: []) - tables.logJoint(block, after: [], draft: true)
                    if ratio > Double.log(threshold) { accepted = length }
                }
                let block = Array(path.prefix(accepted))
                for (token, own) in zip(tokens, tables.p(after: block).probabilities) where own > 0 {
                    law[block + [token], default: 0] += mass * probability * own
                }
            }
        }
        return law
    }

    @Test("The output has exactly the law of the rule, all drafts enumerated", arguments: [2, 3])
    func exactLaw(vocabulary: Int) {
        for seed in 0..<6 {
            for threshold in [0.2, 0.5, 0.9] {
                let tables = Tables(vocabulary: vocabulary, seed: UInt64(seed), agreement: 0.4)
                let round = LossyRound(rule: LossyMTADRule(threshold: threshold))
                let law = EnumeratedChance.law { round.tokens(tables, after: [], chance: &$0) }
                let distance = totalVariation(law, lawWrittenOut(tables, threshold: threshold))
                #expect(distance < 1e-12, "seed \(seed) τ \(threshold)")
            }
        }
    }

    @Test("Drawn with keyed noise, the output has that law")
    func sampledLaw() {
        for seed in [3, 4] {
            let tables = Tables(vocabulary: 3, seed: UInt64(seed), agreement: 0.4)
            var counts: [[TokenID]: Int] = [:]
            for key in 0..<50_000 {
                var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
                counts[LossyRound().tokens(tables, after: [], chance: &chance), default: 0] += 1
            }
            #expect(chiSquarePValue(counts: counts, expected: lawWrittenOut(tables, threshold: 0.5)) > 1e-4)
        }
    }

    /// ALGORITHMS 3.2, the guarantee.
    @Test("Every committed block has ln P ≥ ln Q + ln τ", arguments: [0.05, 0.3, 0.5, 0.9, 1])
    func guarantee(threshold: Double) {
        for seed in 0..<60 {
            let tables = Tables(vocabulary: 2 + seed % 4, seed: UInt64(seed), agreement: Double(seed % 5) / 4)
            let draw = [SiblingDraw.independent, .withoutReplacement][seed % 2]
            let choice: DraftBeams.Choice = seed % 7 == 0 ? .likeliest : .drawn(draw)
            for tree in Self.forms {
                let round = LossyRound(
                    rule: LossyMTADRule(threshold: threshold), gamma: 1 + seed % 4, width: 1 + seed % 5, choice: choice,
                    tree: tree, ends: seed % 3 == 0 ? [1] : [])
                var chance = KeyedChance(key: StreamKey(rawValue: UInt64(seed)))
                var context: [TokenID] = []
                for _ in 0..<4 {
                    let (draft, verdict) = round.play(tables, after: context, chance: &chance)
                    let block = verdict.path.map { draft.drafts[$0].token }
                    let logP = tables.logJoint(block, after: context)
                    let logQ = tables.logJoint(block, after: context, draft: true)
                    #expect(abs(logP - verdict.logP) < 1e-9)
                    // On a chain and against the layer's best, the block's own ln Q; against the final beam, that one's.
                    let bound = tree == .finalBest ? verdict.reference : logQ
                    #expect(block.isEmpty || logP >= bound + Double.log(threshold) - 1e-9, "seed \(seed) \(block)")
                    context += verdict.tokens(of: draft.drafts)
                }
            }
        }
    }

    @Test("MMTAD with one beam is MTAD, with either reference")
    func oneBeam() {
        for seed in 0..<8 {
            let tables = Tables(vocabulary: 3, seed: UInt64(seed), agreement: 0.4)
            let laws = Self.forms.map { tree in
                EnumeratedChance.law {
                    LossyRound(gamma: 3, width: 1, tree: tree).tokens(tables, after: [], chance: &$0)
                }
            }
            #expect(laws[0] == laws[1] && laws[0] == laws[2], "seed \(seed)")
        }
    }

    @Test("The longest prefix that passes stands, though shorter ones fail")
    func longestValidPrefix() throws {
        // ln P − ln Q is −1.2, −0.2, −0.8 along the chain; ln τ = −0.69.
        let draft = try JointDraft(chain([4, 5, 6]), index: 0, references: [-0.3, -2, -2.1])
        let verdict = judge(draft, logP: [-1.5, -0.7, -0.7], next: 9)
        #expect(verdict.tokens(of: draft.drafts) == [4, 5, 9])
        #expect(abs(verdict.logP + 2.2) < 1e-12 && verdict.reference == -2)
        #expect(judge(draft, logP: [-1.5, -2, -2], next: 9).tokens(of: draft.drafts) == [9])
        #expect(judge(draft, logP: [-0.5, -0.7, -0.7], next: 9).tokens(of: draft.drafts) == [4, 5, 6, 9])
        // A draft that is impossible to the target fails every prefix that holds it.
        #expect(judge(draft, logP: [-0.5, -.infinity, 0], next: 9).tokens(of: draft.drafts) == [4, 9])
    }

    @Test("Of the deepest layer with a passing node, the one with the largest joint likelihood is kept")
    func deepestThenLikeliest() throws {
        var drafts = DraftTree(root: 0)
        let left = drafts.append(1, under: nil, probability: 1)
        let right = drafts.append(2, under: nil, probability: 1)
        drafts.append(3, under: left, probability: 1)
        drafts.append(4, under: right, probability: 1)
        drafts.append(5, under: right, probability: 1)
        let draft = try JointDraft(drafts, index: 0, references: [-1, -2])
        #expect(judge(draft, logP: [-0.1, -1, -9, -1.5, -1.2], next: 7).tokens(of: drafts) == [2, 5, 7])
        #expect(judge(draft, logP: [-0.1, -1, -2, -9, -9], next: 7).tokens(of: drafts) == [1, 3, 7])
        #expect(judge(draft, logP: [-1.1, -1, -9, -9, -9], next: 7).tokens(of: drafts) == [2, 7])
    }

    @Test("With τ → 0 every draft that is possible to the target stands; τ = 1 is not plain sampling")
    func extremes() {
        let tables = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.2, 0.3, 0.5))
        func law(_ threshold: Double) -> [[TokenID]: Double] {
            EnumeratedChance.law {
                LossyRound(rule: LossyMTADRule(threshold: threshold)).tokens(tables, after: [], chance: &$0)
            }
        }
        #expect(law(1e-300).keys.allSatisfy { $0.count == 3 })
        var first: [TokenID: Double] = [:]
        for (block, mass) in law(1) { first[block[0], default: 0] += mass }
        #expect(abs((first[0] ?? 0) - 0.5) > 0.02)
    }

    @Test("Greedy beams are the likeliest pairs, scored at temperature 1 whatever the filters")
    func greedyBeams() {
        let tables = Tables(p: distribution(0.5, 0.5), q: distribution(0.6, 0.4))
        var chance = EnumeratedChance()
        let beams = LossyRound(width: 3, choice: .likeliest).beams(tables, after: [], chance: &chance)
        #expect(beams.beams.map { beams.drafts.tokens(to: $0.node) } == [[0, 0], [0, 1], [1, 0]])
        #expect(SamplingPolicy(temperature: 0, topK: 3).jointScoring == SamplingPolicy(temperature: 1))
        #expect(SamplingPolicy(temperature: 0.7, topP: 0.9, minP: 0.1).jointScoring == SamplingPolicy(temperature: 0.7))
    }

    @Test("A threshold or references that mean nothing are refused in words")
    func refusals() {
        for threshold in [0, -1, 1.5, .nan] {
            #expect(LossyMTADRule(threshold: threshold).complaint?.contains("threshold") == true)
        }
        #expect(LossyMTADRule(threshold: 1).complaint == nil)
        let refused: [[Double]] = [[-1], [-1, -0.5], [0.1, -1], [-1, -.infinity], [.nan, -1], [-1, -2, -3]]
        for references in refused {
            #expect(throws: PayloadFault.self) {
                try JointDraft(chain([1, 2]), index: 0, references: references)
            }
        }
    }
}

/// Drafts in a row behind an empty text.
func chain(_ tokens: [TokenID]) -> DraftTree {
    var drafts = DraftTree(root: 0)
    for token in tokens { drafts.append(token, under: drafts.indices.last, probability: 1) }
    return drafts
}

/// The verdict of τ = ½ on `draft`, given ln p of each node's token and the target's next token.
func judge(
    _ draft: JointDraft, logP: [Double], next: Int, ends: Set<TokenID> = []
) -> LossyVerdict {
    var chance = EnumeratedChance()
    return LossyMTADRule(threshold: 0.5).verdict(
        on: draft, ends: ends, chance: &chance, logP: { logP[$0.rawValue] },
        law: { _ in distribution((0...next).map { $0 == next ? 1 : 0 }) })
}

import NacreCore
import RealModule
import TestStatistics
import Testing

/// ALGORITHMS 3, defects 1 to 7 of the published code: one test rules out each.
@Suite("Defects of the published MTAD and MJSD code")
struct MTADDefectTests {
    private let example = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.2, 0.3, 0.5))

    private func beams(_ round: LossyRound, _ tables: Tables, key: UInt64) -> DraftBeams {
        var chance = KeyedChance(key: StreamKey(rawValue: key))
        return round.beams(tables, after: [], chance: &chance)
    }

    @Test("1: the first layer holds different tokens, and Q is the joint itself, not divided by the beams or their sum")
    func trueJoint() {
        for key in 0..<200 {
            let tables = Tables(vocabulary: 5, seed: UInt64(key % 10), agreement: 0.5)
            let drafted = beams(LossyRound(gamma: 3, width: 4), tables, key: UInt64(key))
            let first = drafted.drafts.children(of: nil).map { drafted.drafts[$0].token }
            let possible = tables.q(after: []).probabilities.count { $0 > 0 }
            #expect(first.count == Set(first).count && first.count == min(4, possible))
            for node in drafted.drafts.indices {
                let expected = tables.logJoint(drafted.drafts.tokens(to: node), after: [], draft: true)
                #expect(abs(drafted.logQ[node.rawValue] - expected) < 1e-9)
            }
        }
    }

    @Test("2: beams that change ancestors take their whole path with them")
    func ancestors() {
        var switches = 0
        for key in 0..<300 {
            let tables = Tables(vocabulary: 3, seed: UInt64(key % 20), agreement: 0.2)
            let drafted = beams(LossyRound(gamma: 3, width: 2), tables, key: UInt64(key))
            let path = drafted.path
            let tokens = path.drafts.tokens(to: path.drafts.indices.last)
            if tokens[0] != drafted.drafts[0].token { switches += 1 }
            for layer in 1...3 {
                let expected = tables.logJoint(Array(tokens.prefix(layer)), after: [], draft: true)
                #expect(abs(path.references[layer - 1] - expected) < 1e-9)
            }
        }
        #expect(switches > 20)
    }

    @Test("3: a beam that ends early keeps its score, its tokens and its place among the others")
    func earlyEnd() {
        // Token 2 ends the text and is the likeliest draft; the other beams go on by one more.
        let drafted = EnumeratedChance.law { chance in
            let beams = LossyRound(gamma: 3, width: 3, choice: .likeliest, ends: [2])
                .beams(example, after: [], chance: &chance)
            return beams
        }.keys.first
        guard let drafted else { return }
        let tokens = drafted.beams.map { drafted.drafts.tokens(to: $0.node) }
        #expect(tokens[0] == [2] && tokens.dropFirst().allSatisfy { $0.count > 1 })
        let joint = tokens.map { Double.exp(example.logJoint($0, after: [], draft: true)) }
        for (beam, q) in zip(drafted.beams, joint) {
            #expect(abs(beam.weight - q / joint.reduce(0, +)) < 1e-12)
        }
        #expect(drafted.path.drafts.tokens(to: drafted.path.drafts.indices.last) == [2])
        #expect(drafted.path.references.count == 1)
        #expect(drafted.tree(.finalBest).references == Array(repeating: drafted.path.references[0], count: 2))
    }

    @Test("4: beam weights are the pairs' probabilities over their sum, not flattened by a softmax of them")
    func beamWeights() {
        let drafted = beams(LossyRound(gamma: 1, width: 2, choice: .likeliest), example, key: 0)
        // q(2) = .5 and q(1) = .3; the softmax of probabilities would be .55 and .45.
        #expect(zip(drafted.beams.map(\.weight), [0.625, 0.375]).allSatisfy { abs($0 - $1) < 1e-12 })
        for seed in 0..<10 {
            let tables = Tables(vocabulary: 4, seed: UInt64(seed))
            let drafted = beams(LossyRound(gamma: 3, width: 3), tables, key: UInt64(seed))
            let joint = drafted.beams.map { beam in
                Double.exp(tables.logJoint(drafted.drafts.tokens(to: beam.node), after: [], draft: true))
            }
            for (beam, q) in zip(drafted.beams, joint) { #expect(abs(beam.weight - q / joint.reduce(0, +)) < 1e-9) }
        }
    }

    @Test("5: γ = 1 is legal: the likelier of the drawn tokens is judged")
    func gammaOne() {
        for tree in [nil, JointDraft.Reference.layerBest, .finalBest] {
            let law = EnumeratedChance.law {
                LossyRound(rule: LossyMTADRule(threshold: 0.9), gamma: 1, width: 3, tree: tree)
                    .tokens(example, after: [], chance: &$0)
            }
            #expect(abs(law.values.reduce(0, +) - 1) < 1e-12 && law.keys.allSatisfy { $0.count <= 2 })
        }
        // All three tokens are drawn; the best, token 2, has P / Q = .4 and falls at τ = .5, and stands at .3.
        func law(_ threshold: Double) -> [[TokenID]: Double] {
            EnumeratedChance.law {
                LossyRound(rule: LossyMTADRule(threshold: threshold), gamma: 1, width: 3)
                    .tokens(example, after: [], chance: &$0)
            }
        }
        #expect(totalVariation(law(0.5), [[0]: 0.5, [1]: 0.3, [2]: 0.2]) < 1e-12)
        #expect(totalVariation(law(0.3), [[2, 0]: 0.5, [2, 1]: 0.3, [2, 2]: 0.2]) < 1e-12)
    }

    @Test(
        "6: the end of the text is found at each of the γ + 1 places, nothing follows it, and none is seen in the prompt"
    )
    func endOfText() throws {
        let gamma = 3
        for place in 0...gamma {
            let tokens = (0..<gamma).map { TokenID(rawValue: $0 == place ? 2 : 4) }
            let draft = try JointDraft(chain(tokens), index: 0, references: [-1, -1, -1])
            let committed = judge(draft, logP: [0, 0, 0], next: place == gamma ? 2 : 5, ends: [2])
                .tokens(of: draft.drafts)
            #expect(committed == Array(repeating: 4, count: place) + [2])
        }
        // The prompt ends in token 2: drafting and judging behind it go on as ever.
        var chance = KeyedChance(key: 1)
        let round = LossyRound(rule: LossyMTADRule(threshold: 1e-9), gamma: 2, width: 3, ends: [2])
        #expect(round.beams(example, after: [2], chance: &chance).drafts.nodes.contains { $0.depth == 2 })
    }

    @Test("7: one seed gives one text, and its draws are independent of each other")
    func independentDraws() {
        let tables = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.5, 0.3, 0.2))
        // τ = 1 keeps nothing where p = q: every round is one draw of the target.
        let round = LossyRound(rule: LossyMTADRule(threshold: 1), gamma: 2, width: 2)
        func text(_ key: Int) -> [TokenID] {
            var chance = WatchedChance(key: StreamKey(rawValue: UInt64(key)))
            var context: [TokenID] = []
            while context.count < 2 { context += round.tokens(tables, after: context, chance: &chance) }
            #expect(chance.repeated.isEmpty)
            return Array(context.prefix(2))
        }
        var counts: [[TokenID]: Int] = [:]
        for key in 0..<20_000 { counts[text(key), default: 0] += 1 }
        #expect(text(7) == text(7))
        #expect(chiSquarePValue(counts: counts, expected: tables.autoregressiveLaw(length: 2)) > 1e-4)
    }
}

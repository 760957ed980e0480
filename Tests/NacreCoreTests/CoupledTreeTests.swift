import NacreCore
import RealModule
import Testing

/// ALGORITHMS 9.3.
@Suite("Trees under the coupled rule")
struct CoupledTreeTests {
    private static func logits(_ law: Distribution) -> [Float] { law.probabilities.map { Float(Double.log($0)) } }

    private static func request(_ key: Int, _ index: Int) -> ScoreRequest {
        ScoreRequest(key: StreamKey(rawValue: UInt64(key)), index: index, policy: SamplingPolicy(temperature: 1))
    }

    @Test("Candidates are the best of all perturbed scores, with probabilities to match", arguments: 0..<4)
    func candidatesEqualPlainForm(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var scratch = CoupledScratch()
        for _ in 0..<200 {
            let size = 1 + Int(random.next() % 400)
            let coarse = random.uniform() < 0.3
            let row = (0..<size).map { _ -> Float in
                let isSpoilt = random.uniform() < 0.05
                if isSpoilt { return [.nan, .infinity, -.infinity][Int(random.next() % 3)] }
                let logit = Float(random.normal() * 3)
                return coarse ? logit.rounded() : logit
            }
            let policy = SamplingPolicy(
                temperature: [0, 0.5, 1, 3][Int(random.next() % 4)], topK: random.uniform() < 0.5 ? 0 : 7,
                topP: random.uniform() < 0.5 ? 1 : 0.9)
            let request = ScoreRequest(key: StreamKey(rawValue: random.next()), index: 3, policy: policy)
            var plain: [Choice] = []
            var rest = row
            // One choice after the other, each from the row without those before it: only without filters.
            let count = 1 + Int(random.next() % 6)
            let candidates = CoupledRule.candidates(row.span, request, count: count, scratch: &scratch)
            #expect(candidates[0].token == CoupledRule.choose(row.span, request, scratch: &scratch).token)
            guard policy.isGreedy || (policy.topK == 0 && policy.topP == 1) else { continue }
            for _ in 0..<count where rest.contains(where: \.isFinite) {
                plain.append(CoupledRule.choose(rest.span, request, scratch: &scratch))
                rest[Int(plain[plain.count - 1].token.rawValue)] = .nan
            }
            if plain.isEmpty { plain = [Choice(token: 0, margin: 0)] }
            #expect(candidates.map(\.token) == plain.map(\.token), "size \(size) count \(count) \(policy)")
            // The logarithm of a ratio of the softmax is the distance of two scores. The first may have been cut, and
            // gaps taken from another largest logit are rounded otherwise.
            for place in 1..<max(1, candidates.count - 1) {
                let ratio = candidates[place].probability / candidates[place + 1].probability
                #expect(abs(Float.log(Float(ratio)) - plain[place].margin) < 1e-4, "\(policy)")
            }
        }
    }

    @Test("Perturbed top-k holds the target's token with probability .63077, .88873, 1 for k = 1, 2, 3")
    func candidateRate() {
        var scratch = CoupledScratch()
        let p = Self.logits(example.p(after: []))
        let q = Self.logits(example.q(after: []))
        let samples = 100_000
        var held = [0, 0, 0]
        for key in 0..<samples {
            let target = CoupledRule.choose(p.span, Self.request(key, 0), scratch: &scratch).token
            let drafts = CoupledRule.candidates(q.span, Self.request(key, 0), count: 3, scratch: &scratch)
            for count in 1...3 where drafts.prefix(count).contains(where: { $0.token == target }) {
                held[count - 1] += 1
            }
        }
        #expect(held[2] == samples)
        for (count, expected) in zip(held, [0.630769, 0.888730]) {
            // Four standard errors.
            #expect(abs(Double(count) / Double(samples) - expected) < 0.0062)
        }
    }

    @Test("Perturbed top-k trees of any shape change the number of rounds, never a token")
    func pathwiseEquality() {
        var scratch = CoupledScratch()
        for key in 0..<40 {
            let tables = Tables(vocabulary: 6, seed: UInt64(key % 5), agreement: 0.7)
            var plain: [TokenID] = []
            while plain.count < 24 {
                let row = Self.logits(tables.p(after: plain))
                plain.append(CoupledRule.choose(row.span, Self.request(key, plain.count), scratch: &scratch).token)
            }
            var rounds: [Int] = []
            for widths in [[1], [2], [3, 1], [2, 2, 1]] {
                var committed: [TokenID] = []
                rounds.append(0)
                while committed.count < 24 {
                    let tree = coupledTree(tables, after: committed, widths, key: key)
                    var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
                    committed += verify(CoupledRule(), tree, tables, after: committed, chance: &chance)
                        .tokens(of: tree)
                    rounds[rounds.count - 1] += 1
                }
                #expect(committed.prefix(24) == plain[...], "key \(key) \(widths)")
            }
            #expect(rounds[0] < 24 && rounds[3] <= rounds[0])
        }
    }

    private func coupledTree(
        _ tables: Tables, after context: [TokenID], _ widths: [Int], key: Int
    ) -> ProposedTree {
        var scratch = CoupledScratch()
        var tree = ProposedTree(behind: context)
        tree.visit { tree, node in
            let depth = tree.drafts.depth(of: node)
            guard depth < widths.count else { return }
            let row = Self.logits(tables.q(after: context + tree.drafts.tokens(to: node)))
            let drafts = CoupledRule.candidates(
                row.span, Self.request(key, tree.indexDecided(by: node)), count: widths[depth], scratch: &scratch)
            tree.must { tree throws(PayloadFault) in
                try tree.propose(.coupled, under: node)
                for draft in drafts { try tree.append(draft.token, under: node) }
            }
        }
        return tree
    }

    @Test("On a chain, selection is the longest prefix that the target chose itself")
    func chains() {
        for key in 0..<200 {
            var random = SplitMix(seed: UInt64(key))
            let chain = (0..<4).map { _ in TokenID(rawValue: UInt32(random.next() % 2)) }
            let tree = ProposedTree.chain(chain.map { ($0, .coupled) })
            let choices = (0...4).map { _ in Choice(token: TokenID(rawValue: UInt32(random.next() % 2)), margin: 1) }
            var chance = KeyedChance(key: 0)
            let selection = CoupledRule().select(tree, chance: &chance) { node, _ in
                choices[tree.drafts.depth(of: node)]
            }
            let accepted = zip(choices, chain).prefix { $0.token == $1 }.count
            #expect(selection.path.count == accepted)
            #expect(selection.tokens(of: tree) == chain.prefix(accepted) + [choices[accepted].token])
        }
    }
}

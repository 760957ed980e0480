import NacreCore
import TestStatistics
import Testing

/// Sun et al. 2024, "Block verification accelerates speculative decoding".
@Suite("Block verification")
struct BlockRuleTests {
    private func chain(_ gamma: Int, entriesMax: Int = 64) -> Proposing {
        Proposing(.row(.independent, entriesMax: entriesMax), .layers([Int](repeating: 1, count: gamma)))
    }

    /// The exact mean number of accepted drafts of one round.
    private func accepted<Rule: VerifyRule>(_ rule: Rule, _ proposing: Proposing, _ tables: Tables) -> Double {
        let law = EnumeratedChance.law { (chance: inout EnumeratedChance) -> Int in
            let tree = proposing.tree(tables, after: [], epoch: 0, chance: &chance)
            return verify(rule, tree, tables, after: [], chance: &chance).path.count
        }
        return law.reduce(0) { $0 + Double($1.key) * $1.value }
    }

    /// Σ over i and prefixes of Q(prefix) · passing(prefix): the mean number accepted, from the prefixes' acceptance.
    private func closedForm(_ tables: Tables, gamma: Int, passing: (_ before: Double, _ ratio: Double) -> Double)
        -> Double
    {
        var prefixes: [([TokenID], mass: Double, pass: Double)] = [([], 1, 1)]
        var mean = 0.0
        for _ in 0..<gamma {
            prefixes = prefixes.flatMap { tokens, mass, pass in
                let p = tables.p(after: tokens)
                let q = tables.row(after: tokens)
                return q.entries.map { entry in
                    let ratio = p[entry.token] / q[entry.token]
                    return (tokens + [entry.token], mass * q[entry.token], passing(pass, ratio))
                }
            }
            mean += prefixes.reduce(0) { $0 + $1.mass * $1.pass }
        }
        return mean
    }

    @Test("It has the autoregressive law exactly", arguments: [(2, 3, 4), (3, 1, 2), (3, 2, 3), (3, 3, 3), (4, 2, 2)])
    func law(vocabulary: Int, gamma: Int, length: Int) {
        for seed in 0..<4 {
            let tables = Tables(vocabulary: vocabulary, seed: UInt64(seed), agreement: 0.4)
            for entriesMax in [2, vocabulary] {
                let law = composedLaw(length: length) { context, chance in
                    treeRound(
                        BlockRule(), chain(gamma, entriesMax: entriesMax), tables, after: context, chance: &chance)
                }
                #expect(totalVariation(law, tables.autoregressiveLaw(length: length)) < 1e-12, "seed \(seed)")
            }
        }
    }

    @Test("It accepts what the two closed forms say, and never less than token verification", arguments: 1...3)
    func meanAccepted(gamma: Int) {
        var gained = 0
        for seed in 0..<12 {
            let tables = Tables(vocabulary: 3, seed: UInt64(seed), agreement: 0.3)
            let block = accepted(BlockRule(), chain(gamma), tables)
            let token = accepted(RejectionRule(), chain(gamma), tables)
            // The acceptance of a prefix is r for a block, the product of min(1, p / q) token by token.
            let blockForm = closedForm(tables, gamma: gamma) { min(1, $0 * $1) }
            let tokenForm = closedForm(tables, gamma: gamma) { $0 * min(1, $1) }
            #expect(abs(block - blockForm) < 1e-12 && abs(token - tokenForm) < 1e-12, "seed \(seed)")
            #expect(block > token - 1e-12)
            if block > token + 1e-3 { gained += 1 }
        }
        #expect(gamma == 1 ? gained == 0 : gained > 3)
    }

    @Test("On p = (1/3, 2/3), q = (2/3, 1/3), γ = 2, it accepts 11/9 tokens where token verification accepts 10/9")
    func paperExample() {
        // Integer weights make 1/3 of q 32768 / 98303.
        let tables = Tables(p: distribution(1, 2), q: distribution(2, 1))
        let block = accepted(BlockRule(), chain(2), tables)
        let token = accepted(RejectionRule(), chain(2), tables)
        #expect(abs(block - 11.0 / 9) < 2e-5 && abs(token - 10.0 / 9) < 2e-5)
    }

    @Test("On point masses it is token verification")
    func pointMasses() {
        for seed in 0..<6 {
            let tables = Tables(vocabulary: 3, seed: UInt64(seed))
            let greedy = Proposing(.greedy, .layers([1, 1, 1]))
            func law<Rule: VerifyRule>(_ rule: Rule) -> [[TokenID]: Double] {
                EnumeratedChance.law { treeRound(rule, greedy, tables, after: [], chance: &$0) }
            }
            #expect(totalVariation(law(BlockRule()), law(RejectionRule())) < 1e-12)
        }
    }

    @Test("Where draft and target agree to the last bit everything is accepted")
    func identicalModels() throws {
        let row = try WeightRow([.init(0, 1), .init(1, 3)])
        let tables = Tables(p: distribution(1, 3), q: distribution(1, 1))
        let tree = ProposedTree.chain([(1, .row(row, .independent)), (0, .row(row, .independent))])
        let law = EnumeratedChance.law { chance in
            verify(BlockRule(), tree, tables, after: [], chance: &chance).tokens(of: tree)
        }
        #expect(totalVariation(law, [[1, 0, 0]: 0.25, [1, 0, 1]: 0.75]) < 1e-12)
    }

    @Test("Uniforms keyed by the position alone, as they may be token by token, are caught")
    func uniformsByPosition() {
        let tables = Tables(vocabulary: 3, seed: 4, agreement: 0.1)
        func pValue(_ move: @escaping @Sendable (ChancePlace) -> ChancePlace) -> Double {
            var counts: [[TokenID]: Int] = [:]
            for key in 0..<50_000 {
                var chance = WatchedChance(key: StreamKey(rawValue: UInt64(key)), move: move)
                counts[treeDecoding(BlockRule(), chain(3), tables, length: 4, chance: &chance), default: 0] += 1
            }
            return chiSquarePValue(counts: counts, expected: tables.autoregressiveLaw(length: 4))
        }
        #expect(pValue { $0 } > 1e-4)
        // The drafter draws again behind a block that was cut short, with the uniforms that helped to cut it.
        #expect(pValue { $0.lane == .draft ? ChancePlace($0.index, .draft) : $0 } < 1e-12)
        // The next block is tested with the uniforms that failed.
        #expect(pValue { $0.lane == .block ? ChancePlace($0.index + $0.sibling, .block) : $0 } < 1e-12)
    }

    @Test("It refuses branches and scalars, and says what to send instead")
    func refusals() throws {
        var chance = KeyedChance(key: 1)
        let branched = Proposing(.greedy, .layers([1, 2])).tree(example, after: [], epoch: 0, chance: &chance)
        #expect(BlockRule().refusal(of: branched) == .branches(below: 0))
        let sampled = chain(2).tree(example, after: [], epoch: 0, chance: &chance)
        #expect(BlockRule().refusal(of: sampled) == nil)
        #expect(BlockRule().refusal(of: sampled.withScalars) == .noRow(below: nil))
        #expect(RejectionRule().refusal(of: sampled.withScalars) == nil)
        // One node, but two draws.
        var repeated = ProposedTree(behind: [])
        try repeated.propose(.row(example.row(after: []), .independent), under: nil)
        for token: TokenID in [1, 1] { try repeated.append(token, under: nil) }
        #expect(repeated.drafts.count == 1 && BlockRule().refusal(of: repeated) == .branches(below: nil))
    }
}

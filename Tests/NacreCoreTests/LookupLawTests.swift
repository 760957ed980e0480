import NacreCore
import Testing

/// What lookup drafters may not change, and how they are put together.
@Suite("Lookup drafts keep the law")
struct LookupLawTests {
    /// A memory warm from earlier outputs of the same target.
    private static func warmMemory(_ tables: Tables, key: StreamKey?) -> LookupMemory {
        var memory = LookupMemory()
        for job in 0..<20 as Range<UInt64> {
            let chance = KeyedChance(key: key ?? StreamKey(rawValue: job))
            var output: [TokenID] = []
            while output.count < 6 {
                let p = tables.p(after: output)
                output.append(chance.choice(from: p, at: output.count).token)
            }
            memory.outputs.remember(output)
            memory.phrases.learn(output)
        }
        return memory
    }

    /// Decodes with drafts of all kinds behind a prompt that repeats itself.
    private static func decode<Rule: VerifyRule, Source: ChanceSource>(
        _ rule: Rule, _ tables: Tables, length: Int, width: Int, memory: LookupMemory, chance: inout Source
    ) -> [TokenID] {
        var memory = memory
        var lookup = LookupUnion(LookupKind.allCases)
        lookup.append([0, 1, 1, 0, 1, 0], memory: &memory)
        var committed: [TokenID] = []
        while committed.count < length {
            let bounds = TreePlan.BestFirst(nodesMax: 5, width: width, depthMax: length - committed.count)
            let drafts = lookup.draft(bounds, memory: memory)
            guard let tree = try? ProposedTree(drafts, index: committed.count, all: .deterministic) else {
                Issue.record("drafts that no tree takes")
                return committed
            }
            let tokens = verify(rule, tree, tables, after: committed, chance: &chance).tokens(of: tree)
            lookup.append(tokens, memory: &memory)
            committed += tokens
        }
        return Array(committed.prefix(length))
    }

    @Test("with lookup drafts, chains and trees, sampling has the autoregressive law exactly", arguments: [1, 2, 3])
    func lawIsExact(width: Int) {
        for seed in 0..<2 as Range<UInt64> {
            let tables = Tables(vocabulary: 3, seed: seed)
            let memory = Self.warmMemory(tables, key: nil)
            let law = EnumeratedChance.law {
                Self.decode(RejectionRule(), tables, length: 4, width: width, memory: memory, chance: &$0)
            }
            #expect(totalVariation(law, tables.autoregressiveLaw(length: 4)) < 1e-12, "seed \(seed)")
        }
    }

    @Test("a seed's tokens do not depend on what other jobs of the same seed left in the memory")
    func seedContract() {
        for seed in 0..<50 as Range<UInt64> {
            let tables = Tables(vocabulary: 4, seed: seed)
            let key = StreamKey(rawValue: seed)
            func output(_ memory: LookupMemory) -> [TokenID] {
                var chance = KeyedChance(key: key)
                return Self.decode(CoupledRule(), tables, length: 8, width: 2, memory: memory, chance: &chance)
            }
            var plain: [TokenID] = []
            let chance = KeyedChance(key: key)
            while plain.count < 8 { plain.append(chance.choice(from: tables.p(after: plain), at: plain.count).token) }
            #expect(output(LookupMemory()) == plain && output(Self.warmMemory(tables, key: key)) == plain)
            // Not because there are no drafts.
            var lookup = SuffixLookup()
            var memory = Self.warmMemory(tables, key: key)
            lookup.append(Array(plain[..<3]), memory: &memory)
            #expect(lookup.draft(.init(nodesMax: 3, width: 1), memory: memory).firstChild(of: nil) != nil)
        }
    }

    @Test("a union speaks for the case that the earlier ones fail, and sums to no more than 1")
    func unions() {
        let model = [Candidate(token: 1, probability: 0.6), Candidate(token: 2, probability: 0.2)]
        let lookup = [Candidate(token: 3, probability: 0.5), Candidate(token: 2, probability: 0.3)]
        let union = model.united(with: lookup, count: 4)
        #expect(union.map(\.token) == [1, 2, 3])
        for (candidate, expected) in zip(union, [0.6, 0.3, 0.1]) {
            #expect(abs(candidate.probability - expected) < 1e-12)
        }
        #expect(model.united(with: lookup, count: 2).map(\.token) == [1, 2])
        #expect([].united(with: model, count: 1) == [model[0]] && model.united(with: [], count: 9) == model)
        var random = SplitMix(seed: 3)
        for _ in 0..<500 {
            func some() -> [Candidate] {
                var left = 1.0
                return Set((0..<4).map { _ in UInt32.random(in: 0..<6, using: &random) }).sorted().map {
                    let probability = left * random.uniform()
                    left -= probability
                    return Candidate(token: TokenID(rawValue: $0), probability: probability)
                }
            }
            let union = some().united(with: some(), count: 6)
            #expect(union.reduce(0) { $0 + $1.probability } <= 1 + 1e-12)
            #expect(zip(union, union.dropFirst()).allSatisfy { $0.probability >= $1.probability })
        }
    }

    @Test("a model's chain is drawn out by phrases below its last token, and not below the end of a generation")
    func lengthening() {
        var memory = LookupMemory()
        memory.phrases.learn([5, 6, 7, 8])
        memory.phrases.learn([5, 9])
        var lookup = PhraseLookup()
        lookup.append([1, 2], memory: &memory)
        var chain = DraftTree(root: 2)
        let first = chain.append(4, under: nil, probability: 0.9)
        let last = chain.append(5, under: first, probability: 0.8)
        var longer = chain
        lookup.lengthen(&longer, below: last, .init(nodesMax: 4, width: 2), memory: memory)
        #expect(
            Set(longer.indices.map { longer.tokens(to: $0) }.filter { $0.count > 2 }) == [
                [4, 5, 6], [4, 5, 9], [4, 5, 6, 7], [4, 5, 6, 7, 8],
            ])
        var ended = chain
        lookup.lengthen(&ended, below: last, .init(nodesMax: 4, width: 2), endTokens: [5], memory: memory)
        #expect(ended == chain)
    }
}

import NacreCore
import Testing

/// Bridges between vocabularies keep the target's law: exact enumeration on tables (ALGORITHMS 5, T1).
@Suite("Bridge laws")
struct BridgeLawTests {
    /// A target and a drafter whose vocabularies meet in part, with tables for both.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let target: ToyTokenizer
        let draft: ToyTokenizer
        var seed: UInt64 = 0
        var testDescription: String { name }

        var p: Tables { Tables(vocabulary: target.vocabularySize, seed: seed) }
        var q: Tables { Tables(vocabulary: draft.vocabularySize, seed: seed &+ 77) }

        func seeded(_ seed: UInt64) -> Case {
            var copy = self
            copy.seed = seed
            return copy
        }
    }

    static let cases = [
        Case(name: "letters for pairs", target: .pieces(["a", "b", "ab", "ba"]), draft: .pieces(["b", "a"])),
        Case(name: "pairs for letters", target: .pieces(["a", "b"]), draft: .pieces(["ba", "bb", "a"])),
        Case(
            name: "with ends, in other orders", target: .pieces(["a", "b", "ab", "$"], end: 3),
            draft: .pieces(["#", "ab", "c", "a"], end: 0)),
        Case(name: "a drafter with bytes beside pieces", target: .pieces(["b", "a", "ab"]), draft: twice),
        Case(name: "a target with bytes beside pieces", target: twice, draft: .pieces(["b", "a"])),
    ]

    /// Says a text with its pieces; its byte is another token of the same text.
    private static var twice: ToyTokenizer {
        var toy = ToyTokenizer.pieces(["a", "b", "a"])
        toy.fallbacks = [0]
        return toy
    }

    /// The text of `context`, as far as the drafter can have it.
    private static func aligned(_ example: Case, _ context: [TokenID], by bridge: BridgeKind) -> AlignedText {
        var text = AlignedText(example.target, example.draft)
        _ = text.commit(context, by: bridge)
        return text
    }

    // MARK: - The three bridges, one round each

    private static func tliRound<Source: ChanceSource>(
        _ example: Case, _ context: [TokenID], gamma: Int, chance: inout Source
    ) -> [TokenID] {
        let text = aligned(example, context, by: .tli)
        var tree = ProposedTree(behind: context)
        var drafted: [TokenID] = []
        for step in 0..<gamma where !text.isLost && text.held == 0 {
            // Whether anything is drafted is known before the draw.
            guard let q = text.intersection.project(example.q.q(after: text.draftTokens + drafted)) else { break }
            let row = WeightRow(q, entriesMax: example.target.vocabularySize)
            let parent = tree.drafts.indices.last
            let place = ChancePlace(context.count + step, .draft, epoch: context.count)
            let token = chance.token(from: row, at: place)
            guard let own = text.intersection.draftToken(of: token),
                (try? tree.propose(.row(row, .independent), under: parent)) != nil,
                (try? tree.append(token, under: parent)) != nil
            else {
                Issue.record("a draft outside of the intersection")
                break
            }
            drafted.append(own)
            if text.draft.isCommand(own) { break }
        }
        return verify(RejectionRule(), tree, example.p, after: context, chance: &chance).tokens(of: tree)
    }

    private static func slemDrafts<Source: ChanceSource>(
        _ example: Case, _ context: [TokenID], gamma: Int, chance: inout Source
    ) -> DraftTree {
        let text = aligned(example, context, by: .slem)
        var path: [Candidate] = []
        for step in 0..<gamma {
            let row = example.q.row(after: text.draftTokens + path.map(\.token))
            let place = ChancePlace(context.count, .draft, sibling: step, epoch: context.count)
            path.append(Candidate(token: chance.token(from: row, at: place), probability: 0.5))
        }
        var tree = DraftTree(root: Position(rawValue: context.count))
        for match in text.exactMatches(of: path) {
            tree.append(match.token, under: tree.indices.last, probability: match.probability)
        }
        return tree
    }

    private static func judged<Rule: VerifyRule, Source: ChanceSource>(
        _ rule: Rule, _ drafts: DraftTree, _ example: Case, _ context: [TokenID], chance: inout Source
    ) -> [TokenID] {
        guard let tree = try? ProposedTree(drafts, index: context.count, all: .deterministic) else {
            Issue.record("drafts that no tree takes")
            return []
        }
        return verify(rule, tree, example.p, after: context, chance: &chance).tokens(of: tree)
    }

    private static func slrsRound<Source: ChanceSource>(
        _ example: Case, _ context: [TokenID], gamma: Int, chance: inout Source
    ) -> [TokenID] {
        var tree = ProposedTree(behind: context)
        for step in 0..<gamma {
            let known = context + tree.drafts.tokens(to: tree.drafts.indices.last)
            let text = aligned(example, known, by: .slem)
            guard
                let rule = try? StringLevelRejectionSampling(target: text.target, draft: text.draft), !text.isLost,
                let psi = try? rule.law(q: { example.q.q(after: text.draftTokens + $0) })
            else { break }
            let row = WeightRow(psi, entriesMax: example.target.vocabularySize)
            let parent = tree.drafts.indices.last
            let place = ChancePlace(context.count + step, .draft, epoch: context.count)
            guard (try? tree.propose(.row(row, .independent), under: parent)) != nil,
                (try? tree.append(chance.token(from: row, at: place), under: parent)) != nil
            else { break }
        }
        return verify(RejectionRule(), tree, example.p, after: context, chance: &chance).tokens(of: tree)
    }

    // MARK: - Laws

    /// The product law; a command of the target is a token like any other here.
    private static func check(
        _ example: Case, length: Int, _ round: ([TokenID], inout EnumeratedChance) -> [TokenID]
    ) {
        let law = composedLaw(length: length, round: round)
        let expected = example.p.autoregressiveLaw(length: length)
        #expect(totalVariation(law, expected) < 1e-12, "\(example.name), seed \(example.seed)")
    }

    @Test("TLI has the target's law exactly", arguments: cases, [1, 2])
    func tliIsExact(example: Case, gamma: Int) {
        for seed in 0..<4 as Range<UInt64> {
            let example = example.seeded(seed)
            Self.check(example, length: 3) { Self.tliRound(example, $0, gamma: gamma, chance: &$1) }
        }
    }

    @Test("SLEM has the target's law exactly", arguments: cases, [2, 3])
    func slemIsExact(example: Case, gamma: Int) {
        for seed in 0..<(gamma == 2 ? 3 : 1) as Range<UInt64> {
            let example = example.seeded(seed)
            Self.check(example, length: 3) { context, chance in
                let drafts = Self.slemDrafts(example, context, gamma: gamma, chance: &chance)
                return Self.judged(RejectionRule(), drafts, example, context, chance: &chance)
            }
        }
    }

    @Test("SLRS has the target's law exactly", arguments: cases, [1, 2])
    func slrsIsExact(example: Case, gamma: Int) {
        for seed in 0..<2 as Range<UInt64> {
            let example = example.seeded(seed)
            Self.check(example, length: 3) { Self.slrsRound(example, $0, gamma: gamma, chance: &$1) }
        }
    }

    @Test("a drafter's probabilities paired with other tokens are caught: the defect of the published TLI")
    func permutedRowsAreCaught() {
        let p = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.2, 0.3, 0.5))
        let permuted = distribution(0.5, 0.2, 0.3)
        let law = EnumeratedChance.law { chance -> TokenID in
            let draft = chance.token(from: p.row(after: []), at: ChancePlace(0, .draft))
            let sent = WeightRow(permuted, entriesMax: 3)
            let passes = chance.passes(p: p.p(after: [])[draft], q: sent[draft], at: ChancePlace(0, .accept))
            let rest = RejectionRule.residual(p: p.p(after: []), q: sent)
            return passes ? draft : chance.token(from: rest, at: ChancePlace(0, .correction))
        }
        #expect(
            totalVariation(law.reduce(into: [:]) { $0[[$1.key]] = $1.value }, p.autoregressiveLaw(length: 1)) > 0.05)
    }

    @Test("under coupling a seed's tokens are the same with TLI, with SLEM and without drafts", arguments: cases)
    func seedContract(example: Case) {
        var accepted = 0
        for seed in 0..<40 as Range<UInt64> {
            let example = example.seeded(seed)
            var chance = KeyedChance(key: StreamKey(rawValue: seed))
            var plain: [TokenID] = []
            while plain.count < 8 {
                plain.append(chance.choice(from: example.p.p(after: plain), at: plain.count).token)
            }
            for bridge in [BridgeKind.tli, .slem] {
                var committed: [TokenID] = []
                while committed.count < 8 {
                    var drafts = DraftTree(root: Position(rawValue: committed.count))
                    if bridge == .slem {
                        drafts = Self.slemDrafts(example, committed, gamma: 4, chance: &chance)
                    } else {
                        let text = Self.aligned(example, committed, by: .tli)
                        let q = text.intersection.project(example.q.q(after: text.draftTokens))
                        // The noise is keyed by the target's ids.
                        if let q {
                            let token = chance.choice(from: q, at: committed.count).token
                            drafts.append(token, under: nil, probability: 0.5)
                        }
                    }
                    let tokens = Self.judged(CoupledRule(), drafts, example, committed, chance: &chance)
                    accepted += tokens.count - 1
                    committed += tokens
                }
                #expect(Array(committed.prefix(8)) == plain, "seed \(seed), \(bridge)")
            }
        }
        #expect(accepted > 5)
    }
}

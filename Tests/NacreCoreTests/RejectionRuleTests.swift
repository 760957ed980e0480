import NacreCore
import Testing

/// p = (.5, .3, .2) and q = (.2, .3, .5): the example of ALGORITHMS 11, T7.
let example = Tables(p: distribution(0.5, 0.3, 0.2), q: distribution(0.2, 0.3, 0.5))

/// The exact probability that one of `width` candidates for one position stands.
func acceptance<Rule: VerifyRule>(_ rule: Rule, _ kind: Proposing.Kind, width: Int, _ tables: Tables) -> Double {
    let proposing = Proposing(kind, .layers([width]))
    let law = EnumeratedChance.law { (chance: inout EnumeratedChance) -> Int in
        let drafted = proposing.tree(tables, after: [], epoch: 0, chance: &chance)
        let sent = proposing.isLazy ? drafted.withScalars : drafted
        return verify(rule, sent, drafted: drafted, tables, after: [], chance: &chance).path.count
    }
    return law[1] ?? 0
}

@Suite("Rejection sampling of one position")
struct RejectionRuleTests {
    private let rule = RejectionRule()

    /// Leviathan et al. 2023, section 3.1 and corollary 3.6.
    @Test("A draft passes with probability 1 − TV: .7 on the example, with residual (1, 0, 0)")
    func acceptanceAndResidual() {
        let residual = RejectionRule.residual(p: example.p(after: []), q: example.row(after: []))
        #expect(residual.probabilities[0] > 1 - 1e-12)
        for kind in [Proposing.Kind.row(.independent, entriesMax: 3), .lazy(.independent, entriesMax: 3)] {
            #expect(abs(acceptance(rule, kind, width: 1, example) - 0.7) < 1e-12)
        }
    }

    /// ALGORITHMS 6.1; Yang et al. 2024 and Chen et al. 2024 (Sequoia) name the two draws.
    @Test(
        "Several candidates pass as often as the closed forms say",
        arguments: [
            (SiblingDraw.independent, [0.7, 0.76, 0.808, 0.8464]), (.withoutReplacement, [0.7, 0.82, 1]),
        ])
    func severalCandidates(draw: SiblingDraw, expected: [Double]) {
        for (place, expected) in expected.enumerated() {
            for kind in [Proposing.Kind.row(draw, entriesMax: 3), .lazy(draw, entriesMax: 3)] {
                let rate = acceptance(rule, kind, width: place + 1, example)
                #expect(abs(rate - expected) < 1e-12, "\(draw) \(place + 1): \(rate)")
            }
        }
    }

    @Test("The likeliest k tokens of q pass with the mass that p gives them: .2, .5, 1 on the example")
    func greedyCandidates() {
        for (place, expected) in [0.2, 0.5, 1].enumerated() {
            #expect(abs(acceptance(rule, .greedy, width: place + 1, example) - expected) < 1e-12)
        }
    }

    @Test("Cut to its top, a row passes with probability Σ over the top of min(p, q / q(top))")
    func cutRows() {
        for seed in 0..<20 {
            let tables = Tables(vocabulary: 6, seed: UInt64(seed))
            let p = tables.p(after: [])
            for entriesMax in 1...6 {
                let q = WeightRow(tables.q(after: []), entriesMax: entriesMax)
                let expected = q.entries.reduce(0) { $0 + min(p[$1.token], q[$1.token]) }
                let rate = acceptance(rule, .row(.independent, entriesMax: entriesMax), width: 1, tables)
                #expect(abs(rate - expected) < 1e-12, "seed \(seed) top \(entriesMax)")
            }
        }
    }

    @Test("Rows that are fetched late decide as rows that came at once, draw for draw")
    func lazyEqualsEager() {
        for draw in [SiblingDraw.independent, .withoutReplacement] {
            for seed in 0..<4 {
                let tables = Tables(vocabulary: 5, seed: UInt64(seed), agreement: 0.3)
                for key in 0..<500 {
                    func run(_ kind: Proposing.Kind) -> [TokenID] {
                        var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
                        let proposing = Proposing(kind, .layers([3, 2]))
                        return treeDecoding(rule, proposing, tables, length: 6, chance: &chance)
                    }
                    #expect(run(.row(draw, entriesMax: 5)) == run(.lazy(draw, entriesMax: 5)))
                }
            }
        }
    }

    @Test("What a selection accepts before it waits for a row stands")
    func pathBeforeTheRow() throws {
        // The target is sure of 1, then of 2; the drafter is sure of 1 and wrong behind it.
        let row = try WeightRow([.init(1, 1)])
        let wrong = try WeightRow([.init(0, 3), .init(2, 1)])
        let tree = ProposedTree.chain([(1, .row(row, .independent)), (0, .row(wrong, .independent))])
        let rows = [distribution(0, 1, 0), distribution(0, 0, 1), distribution(1, 1, 1)]
        var chance = KeyedChance(key: 1)
        var sent = tree.withScalars
        let selection = rule.select(sent, chance: &chance) { node, chance in
            rule.score(node, of: sent, p: rows[sent.drafts.depth(of: node)], chance: &chance)
        }
        #expect(selection.path == [0] && selection.tokens(of: sent) == [1])
        guard case .needsRow(let pending) = selection.end else {
            Issue.record("\(selection)")
            return
        }
        #expect(pending.node == 0)
        func resume() -> Selection {
            rule.resume(pending, in: sent, chance: &chance) { node, chance in
                rule.score(node, of: sent, p: rows[sent.drafts.depth(of: node)], chance: &chance)
            }
        }
        // Without the row it goes on waiting.
        #expect(resume() == Selection(path: [], end: .needsRow(pending)))
        try sent.resolve(0, to: wrong)
        #expect(resume() == Selection(path: [], end: .token(2)))
    }

    @Test("A token that the target rules out never passes, one that it likes at least as well always does")
    func strictAcceptance() {
        for key in 0..<1000 {
            let chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            let place = ChancePlace(key, .accept)
            // u · 0 < 0 is what u = 0 would make of any q.
            #expect(!chance.passes(p: 0, q: 0, at: place) && !chance.passes(p: 0, q: 1e-300, at: place))
            #expect(chance.passes(p: 0.1, q: 0.1, at: place) && chance.passes(p: 0.1, q: 0, at: place))
        }
    }

    @Test("Where p and q are equal the residual is p, not a division by zero")
    func vanishingResidual() throws {
        let p = distribution(0.25, 0.75)
        #expect(RejectionRule.residual(p: p, q: try WeightRow([.init(0, 1), .init(1, 3)])) == p)
    }

    @Test("A row may name tokens that the target's vocabulary lacks: they never pass")
    func foreignTokens() throws {
        let row = try WeightRow([.init(0, 1), .init(9, 9)])
        let tree = ProposedTree.chain([(9, .row(row, .independent))])
        let tables = Tables(p: distribution(0.5, 0.5), q: distribution(1, 1))
        let law = EnumeratedChance.law { chance in
            verify(rule, tree, tables, after: [], chance: &chance).tokens(of: tree)
        }
        // p less q: (.4, .5).
        #expect(totalVariation(law, [[0]: 4.0 / 9, [1]: 5.0 / 9]) < 1e-12)
    }
}

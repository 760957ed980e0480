import NacreCore
import Testing

/// ALGORITHMS 11, T8: what the law tests must not let pass. Each variant is one that somebody has published or would
/// write.
@Suite("Illegal drafting is caught by the law")
struct IllegalDraftingTests {
    /// The law of one token when the children of the root are `drawn` by one payload, changed, and verified by another.
    private func law(
        _ tables: Tables, width: Int, drawn: DraftPayload, verified: DraftPayload,
        change: ([TokenID]) -> [TokenID] = { $0 }
    ) -> [[TokenID]: Double] {
        EnumeratedChance.law { chance in
            var drawing = ProposedTree(behind: [])
            drawing.grow(nil, width, drawn, 0, &chance)
            let draws = drawing.draws(nil).map { drawing.drafts[$0].token }
            var tree = ProposedTree(behind: [])
            tree.must { tree throws(PayloadFault) in
                try tree.propose(verified, under: nil)
                for token in change(draws) { try tree.append(token, under: nil) }
            }
            let selection = verify(RejectionRule(), tree, tables, after: [], chance: &chance)
            return Array(selection.tokens(of: tree).prefix(1))
        }
    }

    private func bias(_ tables: Tables, _ law: [[TokenID]: Double]) -> Double {
        totalVariation(law, tables.autoregressiveLaw(length: 1))
    }

    private let row = example.row(after: [])

    /// ALGORITHMS 6.1. With p = (.4, .4, .2) and q = (.1, .2, .7) half of the first draws fail, all of them token 2,
    /// and leave (.6, .4, 0). The second draw is then (1/3, 2/3, 0), but passes as if it were (.1, .2, .7): always.
    @Test("Draws without replacement, verified as independent ones, are off by 2/15 on the example")
    func mixedRules() throws {
        let tables = Tables(p: distribution(0.4, 0.4, 0.2), q: distribution(1, 2, 7))
        let row = try WeightRow([.init(0, 1), .init(1, 2), .init(2, 7)])
        let drawn = DraftPayload.row(row, .withoutReplacement)
        for width in 2...3 {
            #expect(bias(tables, law(tables, width: width, drawn: drawn, verified: drawn)) < 1e-12)
            let mixed = law(tables, width: width, drawn: drawn, verified: .row(row, .independent))
            #expect(abs(bias(tables, mixed) - 2.0 / 15) < 1e-12)
        }
    }

    @Test("Dropping the candidates that q finds improbable is off; so is sorting them")
    func droppedAndSorted() {
        let payload = DraftPayload.row(row, .independent)
        let dropped = law(example, width: 2, drawn: payload, verified: payload) { $0.filter { row[$0] > 0.25 } }
        #expect(bias(example, dropped) > 0.02)
        let sorted = law(example, width: 2, drawn: payload, verified: payload) { tokens in
            tokens.sorted { row[$0] > row[$1] }
        }
        #expect(bias(example, sorted) > 0.02)
    }

    /// The trap of ALGORITHMS 0.6.
    @Test("A draw from all of q, verified against its renormalised top, is off by what the closed form says")
    func renormalisedAfterTheDraw() throws {
        let p = distribution(0.3, 0.25, 0.15, 0.1, 0.1, 0.1)
        let tables = Tables(p: p, q: distribution(1, 1, 1, 1, 1, 1))
        let weights: [UInt16] = [40, 20, 15, 10, 10, 5]
        let whole = try WeightRow(weights.enumerated().map { .init(TokenID(rawValue: UInt32($0)), $1) })
        let top = try WeightRow([.init(0, 40), .init(1, 20)])
        // What is outside the top cannot be sent with that row; the trap's implementations then reject it outright.
        var tree = ProposedTree(behind: [])
        try tree.propose(.row(top, .independent), under: nil)
        #expect(throws: PayloadFault.self) { try tree.append(2, under: nil) }

        let residual = RejectionRule.residual(p: p, q: top)
        let law = EnumeratedChance.law { (chance: inout EnumeratedChance) -> [TokenID] in
            let token = chance.token(from: whole, at: ChancePlace(0, .draft))
            let isTop = top.weight(of: token) > 0
            if isTop, chance.passes(p: p[token], q: top[token], at: ChancePlace(0, .accept)) { return [token] }
            return [chance.token(from: residual, at: ChancePlace(0, .correction))]
        }
        // A token of the top comes out with q · min(1, p / q̂), and everything else from the residual.
        let passed = (0..<6).map { place -> Double in
            let token = TokenID(rawValue: UInt32(place))
            return top.weight(of: token) > 0 ? whole[token] * min(1, p[token] / top[token]) : 0
        }
        let rest = 1 - passed.reduce(0, +)
        let expected = (0..<6).reduce(into: [[TokenID]: Double]()) { law, place in
            law[[TokenID(rawValue: UInt32(place))]] = passed[place] + rest * residual.probabilities[place]
        }
        #expect(totalVariation(law, expected) < 1e-12)
        #expect(totalVariation(law, tables.autoregressiveLaw(length: 1)) > 0.08)
        // Drawn from the row that is sent, the same row is right.
        let renormalised = DraftPayload.row(top, .independent)
        #expect(bias(tables, self.law(tables, width: 1, drawn: renormalised, verified: renormalised)) < 1e-12)
    }

    @Test("A tree that keeps only its best-scored sampled leaves is off")
    func prunedLeaves() {
        let tables = Tables(vocabulary: 3, seed: 8, agreement: 0.2)
        let law = EnumeratedChance.law { (chance: inout EnumeratedChance) -> [TokenID] in
            let whole = Proposing(.row(.independent, entriesMax: 3), .layers([1, 2]))
                .tree(tables, after: [], epoch: 0, chance: &chance)
            var tree = ProposedTree(behind: [])
            tree.must { tree throws(PayloadFault) in
                guard let first = whole.payload(nil), let second = whole.payload(0) else { return }
                try tree.propose(first, under: nil)
                try tree.append(whole.drafts[0].token, under: nil)
                try tree.propose(second, under: 0)
                guard case .row(let q, _) = second else { return }
                let best = whole.drafts.children(of: 0).map { whole.drafts[$0].token }.max { q[$0] < q[$1] }
                if let best { try tree.append(best, under: 0) }
            }
            var tokens = verify(RejectionRule(), tree, tables, after: [], chance: &chance).tokens(of: tree)
            if tokens.count < 2 {
                tokens.append(chance.token(from: tables.p(after: tokens), at: ChancePlace(1, .correction)))
            }
            return Array(tokens.prefix(2))
        }
        #expect(totalVariation(law, tables.autoregressiveLaw(length: 2)) > 0.01)
    }
}

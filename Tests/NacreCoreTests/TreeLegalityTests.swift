import NacreCore
import Testing

/// What may decide which of a tree's drafts are judged: the exact law of what is committed, with the growth, the packer
/// and the verify rule as they are (ALGORITHMS 0.5).
@Suite("Which choice of drafts is legal")
struct TreeLegalityTests {
    /// p = (½, ½), q = (.9, .1).
    private static let coin = Tables(p: distribution(1, 1), q: distribution(9, 1))
    private static let places = SiblingAcceptance().estimates

    /// Of the draws below the root of `whole` those of the chosen nodes, whether that is legal or not.
    private func judged(_ whole: ProposedTree, _ isChosen: (NodeIndex) -> Bool) throws -> ProposedTree {
        var tree = ProposedTree(behind: [])
        try tree.propose(#require(whole.payload(nil)), under: nil)
        for draw in whole.draws(nil) where isChosen(draw) { try tree.append(whole.drafts[draw].token, under: nil) }
        return tree
    }

    /// The law of one token when a plan chooses among `draws` tokens by the probability that `estimate` gives to token
    /// and place.
    private func law(
        _ plan: TreePlan, draws: Int, _ draw: SiblingDraw = .withoutReplacement,
        estimate: (_ token: TokenID, _ place: Int) -> Double
    ) throws -> [[TokenID]: Double] {
        try EnumeratedChance.law { chance in
            // Integer weights make 9 : 1 of q exact.
            let row = DraftPayload.row(try WeightRow([.init(0, 9), .init(1, 1)]), draw)
            var whole = ProposedTree(behind: [])
            whole.grow(nil, draws, row, 0, &chance)
            var growth = TreeGrowth(root: 0, plan: plan)
            for expansion in growth.next() {
                let tokens = whole.drafts.nodes.map(\.token)
                let proposals = tokens.enumerated().map { place, token in
                    TreeGrowth.Proposal(token: token, probability: estimate(token, place))
                }
                growth.supply(proposals, for: expansion)
            }
            let tree = try judged(whole) { growth.tree.child(of: nil, token: whole.drafts[$0].token) != nil }
            let selection = verify(RejectionRule(), tree, Self.coin, after: [], chance: &chance)
            return Array(selection.tokens(of: tree).prefix(1))
        }
    }

    private func bias(_ law: [[TokenID]: Double], _ tables: Tables = coin, length: Int = 1) -> Double {
        totalVariation(law, tables.autoregressiveLaw(length: length))
    }

    private func bestFirst(pathMin: Double) -> TreePlan { .bestFirst(.init(nodesMax: 1, width: 2, pathMin: pathMin)) }

    private func q(_ token: TokenID) -> Double { token == 0 ? 0.9 : 0.1 }

    @Test("Dropping a draw because it is improbable yields (.55, .45)")
    func dropped() throws {
        let law = try law(bestFirst(pathMin: 0.5), draws: 1) { token, _ in q(token) }
        #expect(abs((law[[0]] ?? 0) - 0.55) < 1e-12 && abs((law[[1]] ?? 0) - 0.45) < 1e-12)
    }

    @Test("Keeping the more probable of two draws is not lawful")
    func luckier() throws {
        let law = try law(bestFirst(pathMin: 0), draws: 2) { token, _ in q(token) }
        #expect(bias(law) > 0.01)
    }

    @Test("Choosing by place, whatever was drawn, and a fixed shape keep the law")
    func legal() throws {
        for (draws, pathMin) in [(1, 0.0), (1, 0.5), (1, 0.9), (2, 0.0), (2, 0.5)] {
            #expect(bias(try law(bestFirst(pathMin: pathMin), draws: draws) { Self.places[$1] }) < 1e-12)
        }
        for draws in 1...2 {
            #expect(bias(try law(.fixed(.chain(1)), draws: draws) { token, _ in q(token) }) < 1e-12)
        }
        #expect(bias(try law(.fixed(.init([2])), draws: 2, .independent) { token, _ in q(token) }) < 1e-12)
    }

    @Test("Independent draws are judged with their repeats")
    func repeats() throws {
        let tables = Tables(p: distribution(0.4, 0.3, 0.2, 0.1), q: distribution(0.1, 0.1, 0.3, 0.5))
        func law(_ change: (ProposedTree) throws -> ProposedTree) throws -> [[TokenID]: Double] {
            try EnumeratedChance.law { chance in
                var whole = ProposedTree(behind: [])
                whole.grow(nil, 3, .row(tables.row(after: []), .independent), 0, &chance)
                let tree = try change(whole)
                let selection = verify(RejectionRule(), tree, tables, after: [], chance: &chance)
                return Array(selection.tokens(of: tree).prefix(1))
            }
        }
        #expect(bias(try law { $0.keeping($0.drafts.indices).tree }, tables) < 1e-12)
        #expect(bias(try law { $0.keeping([]).tree }, tables) < 1e-12)
        // Only the first node: a later draw is there if and only if it is a repeat of the first.
        #expect(bias(try law { whole in try judged(whole) { $0 == 0 } }, tables) > 1e-3)
    }

    /// A pass too small for the tree, packed by `worth`.
    private func packedLaw(
        _ tables: Tables, length: Int, worth: (ProposedTree) -> [Double]
    ) -> [[TokenID]: Double] {
        let cost = StepCostModel(nodesMax: 8, priorFixed: 100, perNode: 1)
        return composedLaw(length: length) { context, chance in
            let proposing = Proposing(.row(.withoutReplacement, entriesMax: 3), .layers([2, 2]))
            let whole = proposing.tree(tables, after: context, epoch: 0, chance: &chance)
            let job = ForestPacker.Job(tree: whole.drafts, worth: worth(whole))
            let chosen = ForestPacker.pack([job], cost: cost, limits: .init(nodesMax: 4))[0]
            #expect(chosen.count == 3)
            let tree = whole.keeping(chosen).tree
            return verify(RejectionRule(), tree, tables, after: context, chance: &chance).tokens(of: tree)
        }
    }

    @Test("A pass packed by the acceptance of places has the target's law; packed by q of the drawn token it has not")
    func packed() {
        let tables = Tables(vocabulary: 3, seed: 8, agreement: 0.2)
        for prior in [[0.5, 0.4], [0.8, 0.1], [0.3, 0.3]] {
            let acceptance = SiblingAcceptance(prior: prior)
            let law = packedLaw(tables, length: 3) { acceptance.worth(of: $0.drafts) }
            #expect(bias(law, tables, length: 3) < 1e-12)
        }
        // The second child of a node counts a little less than the first, so that only the order of nodes looks at q.
        let law = packedLaw(tables, length: 3) { whole in
            var worth = Array(repeating: 0.0, count: whole.drafts.count)
            for node in whole.drafts.indices {
                let parent = whole.drafts[node].parent
                guard case .row(let row, _) = whole.payload(parent) else { continue }
                let first = whole.draws(parent)[0]
                let own = 0.5 + row[whole.drafts[node].token] / 2
                let above = parent.map { worth[$0.rawValue] } ?? 1
                worth[node.rawValue] = above * (node == first ? own : min(own, worth[first.rawValue] / above))
            }
            return worth
        }
        #expect(bias(law, tables, length: 3) > 1e-3)
    }
}

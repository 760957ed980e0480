/// Block verification: the tests of a chain are made together, so that a likely token lends its surplus to the tokens
/// behind it. The same law as `RejectionRule` and at least as many accepted tokens in expectation.
///
///     r₀ = 1;  rᵢ = min(1, rᵢ₋₁ · pᵢ(dᵢ) / qᵢ(dᵢ))
///     h_γ = r_γ;  Sᵢ = Σₓ [rᵢ · pᵢ₊₁(x) − qᵢ₊₁(x)]₊;  hᵢ = Sᵢ / (Sᵢ + 1 − rᵢ)  for i < γ
///     a = the largest i whose test of probability hᵢ passes, γ first; 0 if none does
///     y ~ p_γ₊₁ if a = γ, else norm([r_a · p_a₊₁ − q_a₊₁]₊)
///
/// Tokens without a row (`deterministic`, `coupled`) are point masses; on a chain of them it is token verification.
///
/// Because the tests at the end of a block decide how much of its beginning stands, neither its uniforms nor the
/// drafter's may be used again at the same index in the next round: the tests are keyed by the block's first index,
/// of which there is one per round, and the drafter counts its trees (`ChancePlace.epoch`).
///
/// - Source: Sun et al., "Block verification accelerates speculative decoding", 2024 (arXiv 2403.10444), algorithm 2.
package struct BlockRule: VerifyRule {
    package init() {}

    /// Refuses branches, for which the published rule has no answer, and scalars: it needs q at every position.
    package func refusal(of tree: ProposedTree) -> RuleRefusal? {
        for node in [nil] + tree.drafts.indices.map(Optional.some) {
            if tree.draws(node).count > 1 { return .branches(below: node) }
            if case .scalar = tree.payload(node) { return .noRow(below: node) }
        }
        return nil
    }

    /// The row itself: every test of a block looks at several.
    package func score<Source: ChanceSource>(
        _ node: NodeIndex?, of tree: ProposedTree, p: Distribution, chance: inout Source
    ) -> Distribution { p }

    package func select<Source: ChanceSource>(
        _ tree: ProposedTree, chance: inout Source, score: (NodeIndex?, inout Source) -> Distribution
    ) -> Selection {
        var block = Block(p: [score(nil, &chance)])
        while let draft = tree.draws(block.path.last).first {
            let token = tree.drafts[draft].token
            let q = tree.row(under: block.path.last, drafted: token)
            block.append(draft, token, q: q, p: score(draft, &chance))
        }
        var accepted = block.path.count
        while accepted > 0 {
            let test = block.test(accepted)
            if chance.passes(p: test.p, q: test.q, at: ChancePlace(tree.index, .block, sibling: accepted)) { break }
            accepted -= 1
        }
        let token = chance.token(from: block.law(behind: accepted), at: ChancePlace(tree.index + accepted, .correction))
        return Selection(path: Array(block.path.prefix(accepted)), end: .token(token))
    }
}

/// The rows of one chain: `p[i]` and `q[i]` are the laws of the token behind i drafts.
private struct Block {
    var path: [NodeIndex] = []
    var r = [1.0]
    var p: [Distribution]
    var q: [WeightRow] = []

    init(p: [Distribution]) { self.p = p }

    mutating func append(_ draft: NodeIndex, _ token: TokenID, q row: WeightRow, p next: Distribution) {
        let i = path.count
        r.append(min(1, r[i] * p[i][token] / row[token]))
        path.append(draft)
        q.append(row)
        p.append(next)
    }

    /// The test of a prefix of `i` drafts: h as p / q.
    ///
    /// 0 / 0 needs r = 1 and rows that agree behind it; then the test of the longer prefix, h = 1, came before.
    func test(_ i: Int) -> (p: Double, q: Double) {
        guard i < path.count else { return (r[i], 1) }
        let sum = RejectionRule.excess(of: p[i], times: r[i], over: q[i]).reduce(0, +)
        return (sum, sum + 1 - r[i])
    }

    /// The law of the target's token behind `i` accepted drafts.
    func law(behind i: Int) -> Distribution {
        guard i < path.count else { return p[i] }
        return Distribution(weights: RejectionRule.excess(of: p[i], times: r[i], over: q[i])) ?? p[i]
    }
}

extension ProposedTree {
    /// The law that the only child of `node` was drawn from.
    fileprivate func row(under node: NodeIndex?, drafted token: TokenID) -> WeightRow {
        if case .row(let row, _) = payload(node) { return row }
        return WeightRow(pointMass: token)
    }
}

/// Recursive rejection sampling: several candidates for one position, tested in draw order, each against what the
/// failed ones before it left of the target's law.
///
///     P ← p, Q ← q
///     for each candidate c:   u · Q(c) < P(c) → accept c
///                             P ← norm([P − Q]₊);  without replacement also Q ← norm(Q without c)
///     none accepted → a draw from P
///
/// A token that failed has P = 0 from then on, so that an independent draw of it a second time fails surely.
///
/// - Source: Yang, Huang, Dai, Chen, "Multi-candidate speculative decoding", 2024 (both draws); Miao et al.,
///   "SpecInfer", ASPLOS 2024, algorithm 2 (independent draws); Chen et al., "Sequoia", NeurIPS 2024 (without
///   replacement).
struct RecursiveRejection {
    private var p: Distribution
    /// `nil` once every token of the row has been tried.
    private var q: WeightRow?
    private let draw: SiblingDraw
    private var rejected = 0

    init(p: Distribution, q: WeightRow, draw: SiblingDraw) {
        self.p = p
        self.q = q
        self.draw = draw
    }

    /// Tests `candidates`, the draws below `node` that are left, and draws the correction if none passes.
    mutating func verdict<Source: ChanceSource>(
        of candidates: ArraySlice<NodeIndex>, under node: NodeIndex?, in tree: ProposedTree, chance: inout Source
    ) -> NodeVerdict {
        for candidate in candidates {
            guard let q else { break }
            let token = tree.drafts[candidate].token
            if chance.passes(p: p[token], q: q[token], at: tree.test(ofSibling: rejected, under: node)) {
                return .accepted(candidate)
            }
            reject(token)
        }
        return .token(chance.token(from: p, at: tree.correction(behind: node)))
    }

    /// Takes a failed candidate out.
    mutating func reject(_ token: TokenID) {
        guard let q else { return }
        rejected += 1
        p = RejectionRule.residual(p: p, q: q)
        if draw == .withoutReplacement { self.q = q.removing(token) }
    }
}

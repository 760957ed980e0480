/// Speculative sampling as first published: a drafted token passes by a random test, a failed one is replaced by a
/// draw from the residual. Over a tree, the children of a node are tried in draw order (`RecursiveRejection`).
///
/// It accepts a sampled chain with probability 1 − TV(p, q) per token, more than the coupled rule, but needs q, and
/// forbids every scheduling decision that looks at a token's value (ALGORITHMS 0.5). Children without a row
/// (`deterministic`, and also `coupled`) are compared with a draw from p, which is right whatever they are.
///
/// - Source: Leviathan, Kalman, Matias, "Fast inference from transformers via speculative decoding", ICML 2023,
///   algorithm 1; Chen et al., "Accelerating large language model decoding with speculative sampling", 2023,
///   algorithm 2.
package struct RejectionRule: VerifyRule {
    package init() {}

    package func score<Source: ChanceSource>(
        _ node: NodeIndex?, of tree: ProposedTree, p: Distribution, chance: inout Source
    ) -> NodeVerdict {
        switch tree.payload(node) {
        case nil, .deterministic, .coupled:
            let token = chance.token(from: p, at: tree.correction(behind: node))
            return tree.drafts.child(of: node, token: token).map { .accepted($0) } ?? .token(token)
        case .row(let row, let draw):
            var rejection = RecursiveRejection(p: p, q: row, draw: draw)
            return rejection.verdict(of: tree.draws(node)[...], under: node, in: tree, chance: &chance)
        case .scalar(let scalar, _):
            guard let first = tree.draws(node).first else {
                return .token(chance.token(from: p, at: tree.correction(behind: node)))
            }
            let passes = chance.passes(
                p: p[tree.drafts[first].token], q: scalar.probability, at: tree.test(ofSibling: 0, under: node))
            return passes ? .accepted(first) : .needsRow(PendingRow(node: node, p: p))
        }
    }

    package func select<Source: ChanceSource>(
        _ tree: ProposedTree, chance: inout Source, score: (NodeIndex?, inout Source) -> NodeVerdict
    ) -> Selection {
        Selection { score($0, &chance) }
    }

    /// Goes on where a selection ended with `needsRow`, after `tree` was given the row (`ProposedTree.resolve`). The
    /// path of the result begins behind the one that was selected before.
    ///
    /// The same decisions as if the row had been there from the start, at the same places.
    package func resume<Source: ChanceSource>(
        _ pending: PendingRow, in tree: ProposedTree, chance: inout Source,
        score: (NodeIndex?, inout Source) -> NodeVerdict
    ) -> Selection {
        let draws = tree.draws(pending.node)
        guard case .row(let row, let draw) = tree.payload(pending.node), let failed = draws.first else {
            return Selection(path: [], end: .needsRow(pending))
        }
        var rejection = RecursiveRejection(p: pending.p, q: row, draw: draw)
        rejection.reject(tree.drafts[failed].token)
        var first: NodeVerdict? = rejection.verdict(
            of: draws.dropFirst(), under: pending.node, in: tree, chance: &chance)
        return Selection(from: pending.node) { node in
            defer { first = nil }
            return first ?? score(node, &chance)
        }
    }

    /// The law of the correction token after a failed test: norm([p − q]₊), or p where the two agree to the last
    /// bit and the residual vanishes.
    package static func residual(p: Distribution, q: WeightRow) -> Distribution {
        Distribution(weights: excess(of: p, times: 1, over: q)) ?? p
    }

    /// [scale · p − q]₊ for each token of p's vocabulary; the same floats as the tests use.
    static func excess(of p: Distribution, times scale: Double, over q: WeightRow) -> [Double] {
        var weights = p.probabilities.map { $0 * scale }
        for entry in q.entries where Int(entry.token.rawValue) < weights.count {
            let place = Int(entry.token.rawValue)
            weights[place] = max(weights[place] - Double(entry.weight) / Double(q.total), 0)
        }
        return weights
    }
}

extension ProposedTree {
    /// The place of the target's own draw behind `node`. It depends on the depth alone: one node per depth is walked.
    func correction(behind node: NodeIndex?) -> ChancePlace { ChancePlace(indexDecided(by: node), .correction) }

    /// The place of the test of the `sibling`-th draw below `node`.
    func test(ofSibling sibling: Int, under node: NodeIndex?) -> ChancePlace {
        ChancePlace(indexDecided(by: node), .accept, sibling: sibling)
    }
}

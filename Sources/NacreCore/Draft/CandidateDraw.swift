extension ProposedTree {
    /// Draws below `node` once more, from the row proposed there and by the draw proposed there, and returns the node
    /// that holds the token, one that is there already if the token came again; `nil` if the payload is no row or
    /// nothing is left to draw.
    ///
    /// `epoch` is another number for every tree: what is drawn again at an index is drawn afresh.
    ///
    /// - Source: Yang et al., "Multi-candidate speculative decoding", 2024.
    package mutating func drawChild<Source: ChanceSource>(
        of node: NodeIndex?, epoch: Int, chance: inout Source
    ) -> NodeIndex? {
        guard case .row(let row, let draw) = payload(node) else { return nil }
        var rest: WeightRow? = row
        if draw == .withoutReplacement {
            for child in draws(node) { rest = rest?.removing(drafts[child].token) }
        }
        guard let rest else { return nil }
        // The draw's number is unique in the tree: nodes of equal depth share no uniform either.
        let place = ChancePlace(indexDecided(by: node), .draft, sibling: drawCount + 1, epoch: epoch)
        let token = chance.token(from: rest, at: place)
        // What was drawn from a row is in the row, and no repetition where its rest was drawn from.
        return try? append(token, under: node)
    }
}

extension Distribution {
    /// The `count` likeliest tokens, likeliest first, the lowest id on a tie; never one of probability 0. Proposed as
    /// `DraftPayload.deterministic`, they contain the target's token with probability Σ p over them.
    package func likeliest(_ count: Int) -> [TokenID] {
        var few = TopFew(count)
        for (token, probability) in probabilities.enumerated() where probability > 0 { few.offer(probability, token) }
        return few.choices.map(\.token)
    }
}

extension DraftTree {
    /// Draws one more child of `node` from the row proposed there, by the draw proposed there; `nil` if the payload is
    /// no row or nothing is left to draw.
    ///
    /// `epoch` is another number for every tree: what is drawn again at an index is drawn afresh.
    ///
    /// - Source: Yang et al., "Multi-candidate speculative decoding", 2024.
    package mutating func drawChild<Source: ChanceSource>(
        of node: NodeIndex, epoch: Int, chance: inout Source
    ) -> NodeIndex? {
        guard case .row(let row, let draw) = payload(node) else { return nil }
        var rest: WeightRow? = row
        if draw == .withoutReplacement {
            for child in children(node) { rest = rest?.removing(token(child)) }
        }
        guard let rest else { return nil }
        // The new node's number is unique in the tree: nodes of equal depth share no uniform either.
        let place = ChancePlace(indexDecided(by: node), .draft, sibling: count + 1, epoch: epoch)
        let token = chance.token(from: rest, at: place)
        // What was drawn from a row's rest is in the row and no repetition.
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

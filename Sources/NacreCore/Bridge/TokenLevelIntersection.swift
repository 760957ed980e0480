/// TLI: a drafter of another vocabulary, restricted to the tokens that both have.
///
///     q'(t) = q(m⁻¹(t)) / Z     Z = q of the intersection; 0 for tokens of the target that the drafter lacks
///
/// `project` turns a row of the drafter into one over the target's ids, after which nothing else knows of two
/// vocabularies: the sampler, the noise (keyed by the target's ids, so a seed's tokens stay the same), the integer
/// weights and the rules take it for a row of a drafter of the target's vocabulary.
///
///     let both = TokenLevelIntersection(target: exactTarget, draft: exactDraft)      // ByteExactTokenizer
///     both.project(logits, into: &row)                 // then CoupledRule.candidates(row.span, request, …)
///     guard both.mass(of: q) >= massMin else { … }     // legal: Z is known before anything is drawn
///
/// The map is injective, and pairs tokens of equal bytes and equal role, whatever they are called in either vocabulary.
/// Where a vocabulary has some bytes several times, the token that its tokenizer writes pairs with the one that the
/// other's writes, and so on (`ByteExactTokenizer.ordered`).
///
/// - Source: Timor et al., ICML 2025 (2502.05202), algorithm 4.
package struct TokenLevelIntersection: Sendable {
    /// By the drafter's ids.
    private let targetTokens: [TokenID?]
    /// By the target's ids.
    private let draftTokens: [TokenID?]
    /// A token that ends the target's generation.
    package let targetEnd: TokenID?

    /// - Parameters:
    ///   - target: what its tokens stand for, in order of ids; as `draft`.
    ///   - ends: tokens that end a generation, of the target and of the drafter. If none is shared, the first of each
    ///     stand for each other: they are named differently and mean the same.
    ///   - order: puts tokens that stand for the same in the order in which they pair; without it they stay in order
    ///     of ids.
    package init(
        target: [TokenMeaning], draft: [TokenMeaning], ends: (target: [TokenID], draft: [TokenID]) = ([], []),
        order: (target: ([TokenID]) -> [TokenID], draft: ([TokenID]) -> [TokenID]) = ({ $0 }, { $0 })
    ) {
        var forward: [TokenID?] = Array(repeating: nil, count: draft.count)
        var backward: [TokenID?] = Array(repeating: nil, count: target.count)
        let theirs = Self.tokens(by: target)
        for (meaning, own) in Self.tokens(by: draft) {
            guard let others = theirs[meaning] else { continue }
            for (token, other) in zip(order.draft(own), order.target(others)) { forward[Int(token.rawValue)] = other }
        }
        if !ends.draft.contains(where: { forward[Int($0.rawValue)] != nil }), let end = ends.draft.first,
            let theirs = ends.target.first(where: { theirs in !forward.contains(theirs) })
        {
            forward[Int(end.rawValue)] = theirs
        }
        for (id, token) in forward.enumerated() {
            if let token { backward[Int(token.rawValue)] = TokenID(rawValue: UInt32(id)) }
        }
        targetTokens = forward
        targetEnd = ends.target.first
        draftTokens = backward
    }

    /// Tokens that stand for the same, in order of ids.
    private static func tokens(by meanings: [TokenMeaning]) -> [TokenMeaning: [TokenID]] {
        meanings.enumerated().reduce(into: [:]) { tokens, entry in
            if !entry.element.piece.isEmpty {
                tokens[entry.element, default: []].append(TokenID(rawValue: UInt32(entry.offset)))
            }
        }
    }

    package init(target: ByteExactTokenizer, draft: ByteExactTokenizer) {
        func ids(_ exact: ByteExactTokenizer) -> [TokenID] {
            (0..<UInt32(exact.tokenizer.vocabularySize)).map(TokenID.init)
        }
        func meanings(_ exact: ByteExactTokenizer) -> [TokenMeaning] {
            ids(exact).map { TokenMeaning(piece: exact.tokenizer.piece($0), isCommand: exact.isCommand($0)) }
        }
        self.init(
            target: meanings(target), draft: meanings(draft),
            ends: (
                ids(target).filter(target.tokenizer.isEndOfGeneration),
                ids(draft).filter(draft.tokenizer.isEndOfGeneration)
            ), order: (target.ordered, draft.ordered))
    }

    /// Pairs of tokens.
    package var count: Int { draftTokens.count { $0 != nil } }
    package var targetSize: Int { draftTokens.count }
    package var draftSize: Int { targetTokens.count }

    package func targetToken(of draft: TokenID) -> TokenID? {
        Int(draft.rawValue) < targetTokens.count ? targetTokens[Int(draft.rawValue)] : nil
    }
    package func draftToken(of target: TokenID) -> TokenID? {
        Int(target.rawValue) < draftTokens.count ? draftTokens[Int(target.rawValue)] : nil
    }

    // MARK: - Rows

    /// A drafter's logits `[draftSize]` as a row over the target's ids `[targetSize]`, −∞ where the drafter has no such
    /// token. The sampler's softmax over it is the renormalisation by Z.
    package func project(_ logits: Span<Float>, into row: inout [Float]) {
        precondition(logits.count == targetTokens.count, "\(logits.count) logits of \(targetTokens.count) tokens")
        row.removeAll(keepingCapacity: true)
        row.append(contentsOf: repeatElement(-.infinity, count: draftTokens.count))
        for (id, token) in targetTokens.enumerated() {
            if let token { row[Int(token.rawValue)] = logits[id] }
        }
    }

    /// q' over the target's ids; `nil` if Z is 0. On the wire: `WeightRow(projected, entriesMax:)`, drawn from as
    /// always.
    package func project(_ q: Distribution) -> Distribution? {
        var weights = Array(repeating: 0.0, count: draftTokens.count)
        for (id, token) in targetTokens.enumerated() {
            if let token { weights[Int(token.rawValue)] = q[TokenID(rawValue: UInt32(id))] }
        }
        return Distribution(weights: weights)
    }

    /// Z: what the drafter thinks is in the intersection.
    package func mass(of q: Distribution) -> Double {
        var mass = 0.0
        for (id, token) in targetTokens.enumerated() where token != nil { mass += q[TokenID(rawValue: UInt32(id))] }
        return mass
    }

    /// The part of `tokens`, the target's, that the drafter has: what of a text TLI can draft at all.
    package func share(of tokens: [TokenID]) -> Double {
        tokens.isEmpty ? 0 : Double(tokens.count { draftToken(of: $0) != nil }) / Double(tokens.count)
    }

    /// The part of `tokens`, the drafter's, that the target has: where the drafter would go on with another, TLI drafts
    /// what it does not mean.
    package func share(ofDraft tokens: [TokenID]) -> Double {
        tokens.isEmpty ? 0 : Double(tokens.count { targetToken(of: $0) != nil }) / Double(tokens.count)
    }
}

/// TLI: a drafter of another vocabulary, restricted to the tokens that both have.
///
///     q'(t) = q(m⁻¹(t)) / Z     Z = q of the intersection; 0 for tokens of the target that the drafter lacks
///
/// `project` turns a row of the drafter into one over the target's ids, after which nothing else knows of two
/// vocabularies: the sampler, the noise (keyed by the target's ids, so a seed's tokens stay the same), the integer
/// weights and the rules take it for a row of a drafter of the target's vocabulary.
///
///     let both = TokenLevelIntersection(target: targetTokenizer, draft: draftTokenizer)
///     both.project(logits, into: &row)                 // then CoupledRule.candidates(row.span, request, …)
///     guard both.mass(of: q) >= massMin else { … }     // legal: Z is known before anything is drawn
///
/// The map is injective, and pairs tokens of equal bytes and equal role, whatever they are called in either vocabulary.
/// Where a vocabulary has some bytes several times, the first pairs with the first, and so on.
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
    package init(
        target: [TokenMeaning], draft: [TokenMeaning], ends: (target: [TokenID], draft: [TokenID]) = ([], [])
    ) {
        var places: [TokenMeaning: [TokenID]] = [:]
        for (id, meaning) in target.enumerated().reversed() where !meaning.piece.isEmpty {
            places[meaning, default: []].append(TokenID(rawValue: UInt32(id)))
        }
        var forward: [TokenID?] = draft.map { places[$0]?.popLast() }
        var backward: [TokenID?] = Array(repeating: nil, count: target.count)
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

    package init(target: any TextTokenizer, draft: any TextTokenizer) {
        func ids(_ tokenizer: any TextTokenizer) -> [TokenID] {
            (0..<UInt32(tokenizer.vocabularySize)).map(TokenID.init)
        }
        func meanings(_ tokenizer: any TextTokenizer) -> [TokenMeaning] {
            ids(tokenizer).map {
                let isCommand = tokenizer.isControl($0) || tokenizer.isEndOfGeneration($0)
                return TokenMeaning(piece: tokenizer.piece($0), isCommand: isCommand)
            }
        }
        self.init(
            target: meanings(target), draft: meanings(draft),
            ends: (ids(target).filter(target.isEndOfGeneration), ids(draft).filter(draft.isEndOfGeneration)))
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

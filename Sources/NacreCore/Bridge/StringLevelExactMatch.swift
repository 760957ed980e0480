/// SLEM: any drafter for any target; its text is tokenized again, and the target's tokens are drafts like any other.
///
///     let drafts = text.exactMatches(of: path)           // path: the drafter's tokens behind text.draftTokens
///     let tree = text.exactMatches(of: draftTree, root: length)
///
/// They are functions of a text, compared with the target's own tokens (payload `deterministic`), so the law and the
/// seed's tokens are the target's, whatever the tokenizers do. What alignment decides is how many drafts are right.
///
/// - Source: Timor et al., ICML 2025 (2502.05202), algorithm 2.
extension AlignedText {
    /// The target's tokens behind the committed text that `path` comes to. None if the path does not go on where the
    /// text ends, or says too little to be sure of one token.
    ///
    /// The last token is left out, since more text could merge with it, unless the path ends the generation. The
    /// probability of a drafted token counts for the token that it begins in: so their product, which is what decides
    /// how far drafts are worth verifying, is the same before and behind the bridge. Tokens that say no more than what
    /// was held back count for nothing, as the target has committed that.
    package func exactMatches(of path: [Candidate]) -> [Candidate] {
        guard !isLost else { return [] }
        var drafted: [UInt8] = []
        var starts: [(offset: Int, probability: Double)] = []
        var end: Candidate?
        for draft in path {
            if self.draft.isCommand(draft.token) {
                if self.draft.tokenizer.isEndOfGeneration(draft.token) { end = draft }
                break
            }
            let start = draftTrack.end + drafted.count
            drafted += self.draft.text(of: draft.token)
            if draftTrack.end + drafted.count > bytes.count { starts.append((start, draft.probability)) }
        }
        let held = bytes[draftTrack.end...]
        guard drafted.starts(with: held), drafted.count > held.count || end != nil else { return [] }
        var new = Array(drafted.dropFirst(held.count))
        if end == nil { new.removeLast(min(UTF8Text.incomplete(bytes.suffix(3) + new), new.count)) }
        // Text that the target cannot spell must not vanish from before an end.
        guard var tokens = continuation(by: new) else { return [] }
        if end == nil { tokens = Array(tokens.dropLast()) }
        var drafts = probabilities(of: tokens, starts)
        if let end, let partner = partner(ofEnd: end.token) {
            drafts.append(Candidate(token: partner, probability: end.probability))
        }
        return drafts
    }

    /// The same for a tree of the drafter's tokens: one over the target's on `root`, in which paths that came to the
    /// same tokens are one.
    package func exactMatches(of tree: DraftTree, root: Position) -> DraftTree {
        var matches = DraftTree(root: root)
        for leaf in tree.indices where tree.firstChild(of: leaf) == nil {
            let path = tree.path(to: leaf).map { Candidate(token: tree[$0].token, probability: tree[$0].probability) }
            var node: NodeIndex?
            for draft in exactMatches(of: path) {
                node =
                    matches.child(of: node, token: draft.token)
                    ?? matches.append(draft.token, under: node, probability: draft.probability)
            }
        }
        return matches
    }

    /// The end of generation that stands for the drafter's.
    private func partner(ofEnd token: TokenID) -> TokenID? {
        intersection.targetToken(of: token) ?? intersection.targetEnd
    }

    /// The target's tokens of `new`, bytes behind the committed text.
    private func continuation(by new: [UInt8]) -> [TokenID]? {
        if new.isEmpty { return [] }
        for count in seams {
            let committed = targetTrack.tokens[count...]
            guard let tokens = target.tokens(of: bytes[targetTrack.end(of: count)...] + new),
                tokens.starts(with: committed)
            else { continue }
            return Array(tokens.dropFirst(committed.count))
        }
        return nil
    }

    /// Where tokenizing again may begin, in target tokens, the best place first: near places at which tokenizers
    /// commonly cut, then `look` tokens before the end. The end itself comes last: a target that has committed half of
    /// a token that its tokenizer would not cut goes on with the other half, and no place before the end tells that.
    private var seams: [Int] {
        let all = targetTrack.tokens.count
        let least = max(fixed.target, all - 2 * look)
        let near = (least..<max(least, all)).reversed().filter {
            UTF8Text.isSeam(bytes, at: targetTrack.end(of: $0))
        }
        return near.prefix(3) + [max(fixed.target, all - look), all]
    }

    private func probabilities(of tokens: [TokenID], _ starts: [(offset: Int, probability: Double)]) -> [Candidate] {
        var offset = bytes.count
        var next = starts[...]
        return tokens.map { token in
            offset += target.text(of: token).count
            var probability = 1.0
            while let start = next.first, start.offset < offset {
                probability *= start.probability
                next.removeFirst()
            }
            return Candidate(token: token, probability: probability)
        }
    }
}

/// One committed text in the tokens of two vocabularies: the target's, in which it is decided, and the drafter's, whose
/// context it is.
///
///     var text = AlignedText(target: target, draft: draft, intersection: both)
///     let context = text.commit(prompt)                            // the drafter evaluates context.tokens
///     let update = text.commit(verdict.tokens, drafted: path)      // and later: rewinds, evaluates update.tokens
///
/// Invariants: joined, the target's tokens are the text; joined, the drafter's are the text but for the few bytes that
/// `held` counts, at most three unless the drafter's vocabulary lacks some bytes (`isLost`). Both by their bytes, never
/// by spellings or by comparing windows of ids.
///
/// The prompt is part of the text and is aligned as it is, commands of the target included where the drafter has them:
/// no chat template is rendered anew for the drafter.
///
/// - Source: Timor et al., "Accelerating LLM inference with lossless speculative decoding algorithms for heterogeneous
///   vocabularies", ICML 2025, with the alignment of ALGORITHMS 5.1 in place of the published code's diagonals.
package struct AlignedText: Sendable {
    /// Tokens over the text, each with the offset at which it ends.
    package struct Track: Sendable {
        package private(set) var tokens: [TokenID] = []
        private(set) var ends: [Int] = []

        var end: Int { ends.last ?? 0 }
        /// The offset behind the first `count` tokens.
        func end(of count: Int) -> Int { count == 0 ? 0 : ends[count - 1] }

        mutating func append(_ token: TokenID, bytes: Int) {
            ends.append(end + bytes)
            tokens.append(token)
        }

        mutating func cut(to count: Int) {
            tokens.removeLast(tokens.count - count)
            ends.removeLast(ends.count - count)
        }

        /// The tokens before `offset`, if one ends there; all of them, should some be empty.
        func count(at offset: Int) -> Int? {
            var low = 0
            var high = ends.count
            while low < high {
                let middle = (low + high) / 2
                if ends[middle] <= offset { low = middle + 1 } else { high = middle }
            }
            return end(of: low) == offset ? low : nil
        }
    }

    /// What changed in the drafter's tokens.
    package struct Update: Sendable, Hashable {
        /// How many of the tokens of the aligned text, drafts included, stay: the length its cache is rewound to.
        package var kept: Int
        /// What comes behind them.
        package var tokens: [TokenID]

        package init(kept: Int, tokens: [TokenID]) {
            self.kept = kept
            self.tokens = tokens
        }
    }

    package let target: ByteExactTokenizer
    package let draft: ByteExactTokenizer
    /// Tokens that are tokenized again before a seam.
    package let look: Int
    /// Tokens that both have: commands are taken over by it, and under TLI all others.
    package let intersection: TokenLevelIntersection
    package private(set) var bytes: [UInt8] = []
    package private(set) var targetTrack = Track()
    package private(set) var draftTrack = Track()
    /// Tokens before the last command of either track: no seam lies before them.
    package private(set) var fixed = (target: 0, draft: 0)
    /// Whether the drafter cannot follow: its vocabulary lacks bytes of the text, or a command. Nothing is drafted
    /// then, until it begins anew.
    package private(set) var isLost = false

    /// - Parameters:
    ///   - intersection: of the same two, made once for all texts.
    ///   - look: tokens tokenized again, at least 1: tokens this far from the end are taken for settled.
    package init(
        target: ByteExactTokenizer, draft: ByteExactTokenizer, intersection: TokenLevelIntersection, look: Int = 10
    ) {
        precondition(look >= 1, "look \(look)")
        self.target = target
        self.draft = draft
        self.intersection = intersection
        self.look = look
    }

    /// The drafter's tokens of the text.
    package var draftTokens: [TokenID] { draftTrack.tokens }
    /// Bytes at the end of the text that the drafter has not seen: a character that is not complete.
    package var held: Int { bytes.count - draftTrack.end }

    // MARK: - Target to drafter

    /// Takes in what the target committed, and brings the drafter's tokens up to it.
    ///
    /// - Parameters:
    ///   - tokens: the target's.
    ///   - drafted: the drafter's tokens behind the text that its cache holds; those that stay are not evaluated again.
    ///   - bridge: under `tli` tokens that both have are taken over as they are; else the drafter gets its own
    ///     tokenization of the text.
    package mutating func commit(
        _ tokens: [TokenID], drafted: [TokenID] = [], by bridge: BridgeKind = .slem
    ) -> Update {
        let before = draftTrack.tokens + drafted
        var start = bytes.count
        for token in tokens {
            let text = target.text(of: token)
            if target.isCommand(token) {
                // What is incomplete before a command stays so.
                synchronize(from: start, holding: false)
                command(token)
                start = bytes.count
            } else if bridge == .tli, held == 0, !isLost, let mapped = intersection.draftToken(of: token) {
                targetTrack.append(token, bytes: text.count)
                bytes += text
                draftTrack.append(mapped, bytes: text.count)
                start = bytes.count
            } else {
                targetTrack.append(token, bytes: text.count)
                bytes += text
                if bridge == .tli {
                    synchronize(from: start, holding: true)
                    start = bytes.count
                }
            }
        }
        synchronize(from: start, holding: true)
        let kept = zip(before, draftTrack.tokens).prefix { $0 == $1 }.count
        return Update(kept: kept, tokens: Array(draftTrack.tokens[kept...]))
    }

    /// Begins anew with no text, behind what the drafter's own template makes of the conversation so far.
    package mutating func restart() {
        bytes = []
        targetTrack = Track()
        draftTrack = Track()
        fixed = (0, 0)
        isLost = false
    }

    /// Takes back all but the first `count` of the target's tokens.
    ///
    /// - Parameter bridge: as in `commit`, for a text that has to be aligned again from its beginning.
    package mutating func rewind(to count: Int, by bridge: BridgeKind = .slem) {
        guard count < targetTrack.tokens.count else { return }
        guard count >= fixed.target, !isLost else {
            let tokens = Array(targetTrack.tokens.prefix(count))
            restart()
            _ = commit(tokens, by: bridge)
            return
        }
        targetTrack.cut(to: count)
        bytes.removeLast(bytes.count - targetTrack.end)
        draftTrack.cut(to: max(fixed.draft, draftTrack.count(before: bytes.count)))
        synchronize(from: draftTrack.end, holding: true)
    }

    private mutating func command(_ token: TokenID) {
        targetTrack.append(token, bytes: 0)
        if let mapped = intersection.draftToken(of: token), !isLost {
            draftTrack.append(mapped, bytes: 0)
        } else {
            isLost = true
        }
        fixed = (targetTrack.tokens.count, draftTrack.tokens.count)
    }

    private mutating func synchronize(from start: Int, holding: Bool) {
        let rest = bytes[targetTrack.end(of: fixed.target)...]
        let end = bytes.count - (holding ? UTF8Text.incomplete(rest) : 0)
        guard end > draftTrack.end, !isLost else { return }
        let count = seam(before: start)
        let from = draftTrack.end(of: count)
        guard let tokens = draft.tokens(of: bytes[from..<end]) else {
            isLost = true
            return
        }
        draftTrack.cut(to: count)
        for token in tokens { draftTrack.append(token, bytes: draft.text(of: token).count) }
    }

    /// How many of the drafter's tokens stay before new text at `start`: up to an offset at which tokens of both end,
    /// `look` tokens of each before it, and where one is not much further, where tokenizers commonly cut.
    private func seam(before start: Int) -> Int {
        let settled = targetTrack.count(before: start) - look
        let least = draftTrack.tokens.count - look
        guard settled > fixed.target, least > fixed.draft else { return fixed.draft }
        let last = draftTrack.count(before: min(targetTrack.end(of: settled), draftTrack.end(of: least)))
        var common: Int?
        for count in stride(from: last, to: max(fixed.draft, last - 4 * look), by: -1) {
            let offset = draftTrack.end(of: count)
            // A character that is cut has no tokens but those of single bytes.
            guard let behind = targetTrack.count(at: offset), behind > fixed.target,
                !UTF8Text.isCut(bytes, at: offset)
            else { continue }
            if UTF8Text.isSeam(bytes, at: offset) { return count }
            common = common ?? count
        }
        return common ?? fixed.draft
    }
}

extension AlignedText.Track {
    /// The tokens that end at or before `offset`.
    package func count(before offset: Int) -> Int {
        ends.lastIndex { $0 <= offset }.map { $0 + 1 } ?? 0
    }
}

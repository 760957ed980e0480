import NacreCore
package import NacreEngine

/// What two vocabularies have in common.
///
/// Tokens are compared by the bytes that they stand for and by whether they are text or a command: a vocabulary's own
/// spelling of a space or a line break does not matter, and a text that looks like a command is none.
///
/// - Source: the intersection of Timor et al., "Accelerating LLM inference with lossless speculative decoding
///   algorithms for heterogeneous vocabularies", ICML 2025 (TLI).
package struct VocabularyOverlap: Encodable, Sendable, Equatable {
    /// Whether ids are interchangeable, by the digest that nodes compare.
    package let isSame: Bool
    package let targetTokens: Int
    package let draftTokens: Int
    /// Different texts and commands that both have.
    package let shared: Int
    /// The share of the target's tokens whose text the draft has, 0 ... 1; as `draftShare`.
    package let targetShare: Double
    package let draftShare: Double
    /// Ids that stand for the same in both.
    package let sameIds: Int

    private struct Entry: Hashable {
        var piece: [UInt8]
        var isCommand: Bool
    }

    package init(target: some Tokenizer, draft: some Tokenizer) {
        isSame = target.vocabularyDigest == draft.vocabularyDigest
        targetTokens = target.vocabularySize
        draftTokens = draft.vocabularySize
        let (left, right) = (Self.entries(target), Self.entries(draft))
        let common = Set(left).intersection(right).filter { !$0.piece.isEmpty }
        shared = common.count
        targetShare = Self.share(of: left, in: common)
        draftShare = Self.share(of: right, in: common)
        sameIds = zip(left, right).count { $0 == $1 && !$0.piece.isEmpty }
    }

    private static func entries(_ tokenizer: some Tokenizer) -> [Entry] {
        (0..<UInt32(tokenizer.vocabularySize)).map { index in
            let token = TokenID(rawValue: index)
            return Entry(piece: tokenizer.piece(token), isCommand: tokenizer.isControl(token))
        }
    }

    private static func share(of entries: [Entry], in common: Set<Entry>) -> Double {
        entries.isEmpty ? 0 : Double(entries.count { common.contains($0) }) / Double(entries.count)
    }
}

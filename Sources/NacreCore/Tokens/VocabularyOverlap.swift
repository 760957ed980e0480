/// What a token stands for, whatever its id and however its vocabulary spells it.
package struct TokenMeaning: Hashable, Sendable {
    /// The bytes that it adds to a text, or a command's name.
    package let piece: [UInt8]
    /// A text that looks like a command is none.
    package let isCommand: Bool

    package init(piece: [UInt8], isCommand: Bool) {
        self.piece = piece
        self.isCommand = isCommand
    }
}

/// What two vocabularies have in common. Tokens without bytes stand for nothing and are never shared.
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
    /// The target's tokens whose text or command the draft has; as `draftShared`. More than `shared` where one
    /// vocabulary has a text twice.
    package let targetShared: Int
    package let draftShared: Int
    /// `targetShared` of `targetTokens`, 0 ... 1; as `draftShare`.
    package let targetShare: Double
    package let draftShare: Double
    /// Ids that stand for the same in both.
    package let sameIds: Int

    /// - Parameters:
    ///   - target: one entry per token, in order of ids; as `draft`.
    ///   - isSame: whether the digests are equal.
    package init(target: [TokenMeaning], draft: [TokenMeaning], isSame: Bool) {
        self.isSame = isSame
        targetTokens = target.count
        draftTokens = draft.count
        let common = Set(target).intersection(draft).filter { !$0.piece.isEmpty }
        shared = common.count
        targetShared = target.count(where: common.contains)
        draftShared = draft.count(where: common.contains)
        targetShare = target.isEmpty ? 0 : Double(targetShared) / Double(target.count)
        draftShare = draft.isEmpty ? 0 : Double(draftShared) / Double(draft.count)
        sameIds = zip(target, draft).count { $0 == $1 && !$0.piece.isEmpty }
    }
}

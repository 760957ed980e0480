package import NacreCore
package import NacreEngine

/// How drafts of one vocabulary become tokens of another.
package enum Bridge: String, Encodable, Sendable {
    /// Ids are interchangeable: nothing to translate.
    case identity
    /// Token-level intersection: the drafter draws from the tokens that both have.
    case tli
    /// String-level exact match: drafts travel as text and are tokenized again.
    case slem
    /// String-level rejection sampling: as `slem`, with the probability that a draft's text had.
    case slrs
}

/// A target and a draft model: whether, and how, one can draft for the other.
///
/// - Source: for the bridges, Timor et al., ICML 2025.
package struct ModelPair: Encodable, Sendable, Equatable {
    package let vocabulary: VocabularyOverlap
    /// The bridge to expect; `nil` if none applies.
    package let bridge: Bridge?
    /// All bridges that apply.
    package let bridges: [Bridge]
    /// Whether this build runs the pair.
    package let isUsable: Bool
    /// Why not, and what to do; `nil` if it does.
    package let refusal: String?

    /// The bridges that exist in this build.
    private static let built: Set<Bridge> = [.identity]
    /// With fewer of its tokens in the target's vocabulary than this share, a drafter that may draw from them alone
    /// is expected to lose more than one that goes by way of the text. It goes by count: how much of its probability
    /// lies there is not known before it has drafted.
    private static let intersectionMin = 0.5
    /// A text with what tokenizers treat in their own ways.
    static let sample = "def naïve(x):\n\treturn [\"🐚\", 1024,  x ** 2]  # 日本\n\n"

    /// - Parameter unfit: why one of the models cannot play its part, whatever their vocabularies; see `unfitness`.
    package init(target: some Tokenizer, draft: some Tokenizer, unfit: String?) {
        vocabulary = VocabularyOverlap(target: target, draft: draft)
        var bridges: [Bridge] = []
        if vocabulary.isSame {
            bridges = [.identity]
        } else {
            let goesByText = Self.returnsText(target) && Self.returnsText(draft)
            if vocabulary.shared > 0, vocabulary.draftShare >= Self.intersectionMin { bridges.append(.tli) }
            if goesByText { bridges.append(.slem) }
            if vocabulary.shared > 0, !bridges.contains(.tli) { bridges.append(.tli) }
            // The probability of a text is a sum over its tokenizations: few enough if tokens are bytes.
            if goesByText, Self.isByteLevel(draft) { bridges.append(.slrs) }
        }
        self.bridges = bridges
        bridge = bridges.first
        refusal = unfit ?? (bridge.map(Self.built.contains) == true ? nil : Self.missingBridge)
        isUsable = refusal == nil
    }

    /// The pair of two files that passed every step, with what was measured; `nil` if one did not.
    package init?(target: ModelCheck, draft: ModelCheck) {
        guard target.passed, draft.passed, let left = target.facts, let right = draft.facts,
            let tokenizer = target.tokenizer, let draftTokenizer = draft.tokenizer
        else { return nil }
        self.init(
            target: tokenizer, draft: draftTokenizer, unfit: Self.unfitness(target: left, draft: right))
    }

    /// Why one of the models cannot play its part, and what to do; `nil` if both can.
    package static func unfitness(target: ModelFacts, draft: ModelFacts) -> String? {
        for (role, model) in [("target", target), ("draft", draft)] where !model.generatesText {
            return "the \(role) model does not generate text; use a causal language model with its weights"
        }
        guard draft.rollback.works else {
            return "the draft model cannot take tokens back (\(draft.rollback.reason)); "
                + "use one without recurrent layers"
        }
        return nil
    }

    /// Whether a text's tokens, joined, are the text; a space that the tokenizer puts before it may be there.
    static func returnsText(_ tokenizer: some Tokenizer) -> Bool {
        let text = Array(sample.utf8)
        guard let tokens = try? tokenizer.tokenize(text, addSpecial: false, parseSpecial: false) else { return false }
        let joined = tokens.flatMap { tokenizer.piece($0) }
        return joined == text || joined == [UInt8(ascii: " ")] + text
    }

    /// Whether every token that is text is a single byte.
    private static func isByteLevel(_ tokenizer: some Tokenizer) -> Bool {
        (0..<UInt32(tokenizer.vocabularySize)).map { TokenID(rawValue: $0) }
            .allSatisfy { tokenizer.isControl($0) || tokenizer.piece($0).count <= 1 }
    }
}

extension ModelPair {
    /// The pair as names and values.
    package var rows: [(String, String)] {
        [
            ("same_vocabulary", vocabulary.isSame ? "yes" : "no"), ("shared_texts", sharedWords),
            ("same_ids", "\(vocabulary.sameIds)"), ("bridge", bridgeWords),
            ("usable", refusal.map { "no: \($0)" } ?? "yes"),
        ]
    }

    private var sharedWords: String {
        func share(_ share: Double) -> String { "(\((100 * share).rounded(to: 1)) %)" }
        return "\(vocabulary.shared): \(vocabulary.targetShared) of the target's \(vocabulary.targetTokens) tokens "
            + "\(share(vocabulary.targetShare)), \(vocabulary.draftShared) of the draft's \(vocabulary.draftTokens) "
            + share(vocabulary.draftShare)
    }

    private var bridgeWords: String {
        guard let bridge else { return "none applies" }
        if bridge == .identity { return "none needed" }
        let others = bridges.dropFirst().map(\.rawValue)
        return "\(bridge.rawValue) expected\(others.isEmpty ? "" : " (\(others.joined(separator: ", ")) applies too)")"
            + "; not in this build"
    }

    /// The pair in a line.
    package var summary: String {
        let words =
            vocabulary.isSame
            ? "one vocabulary of \(vocabulary.targetTokens) tokens"
            : "not one vocabulary: shared are \(sharedWords); bridge: \(bridgeWords)"
        return refusal.map { "\(words); \($0)" } ?? words
    }

    private static let missingBridge =
        "this build pairs models of one vocabulary only; use a draft model with the target's tokenizer"
}

package import NacreCore
package import NacreEngine

/// A target and a draft model: whether, and how, one can draft for the other.
///
/// - Source: for the bridges, Timor et al., ICML 2025.
package struct ModelPair: Encodable, Sendable, Equatable {
    package let vocabulary: VocabularyOverlap
    /// The part of the target's tokens of a sample text that the draft has; `nil` where there is nothing to bridge.
    package private(set) var textShare: Double?
    /// The part of the draft's own tokens of that text that the target has.
    package private(set) var draftTextShare: Double?
    /// What was measured of both models on that text; `nil` until they were run.
    package var prediction: BridgePrediction?
    /// The bridge that `auto` takes; `nil` if none applies.
    package let bridge: BridgeKind?
    /// All bridges that apply.
    package let bridges: [BridgeKind]
    /// Whether this build runs the pair.
    package let isUsable: Bool
    /// Why not, and what to do; `nil` if it does.
    package let refusal: String?

    /// What `--bridge` takes.
    package static var bridgeNames: [String] { BridgeKind.names }

    /// A text with what tokenizers treat in their own ways.
    static let sample = "def naïve(x):\n\treturn [\"🐚\", 1024,  x ** 2]  # 日本\n\n"

    /// - Parameter unfit: why one of the models cannot play its part, whatever their vocabularies; see `unfitness`.
    package init(target: some Tokenizer, draft: some Tokenizer, unfit: String?) {
        vocabulary = VocabularyOverlap(target: target, draft: draft)
        var bridges: [BridgeKind] = []
        if vocabulary.isSame {
            bridges = [.none]
        } else {
            // The drafter decides by the same.
            if let chosen = try? VocabularyBridge(target: target, draft: draft, asked: nil) {
                (textShare, draftTextShare) = (chosen.textShare, chosen.draftTextShare)
                bridges = [chosen.kind]
            }
            for kind in [BridgeKind.tli, .slem, .slrs] where !bridges.contains(kind) {
                if (try? VocabularyBridge(target: target, draft: draft, asked: kind)) != nil { bridges.append(kind) }
            }
        }
        self.bridges = bridges
        bridge = bridges.first
        refusal = unfit ?? (bridge == nil ? Self.noBridge : nil)
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
}

extension ModelPair {
    /// The pair as names and values.
    package var rows: [(String, String)] {
        [
            ("same_vocabulary", vocabulary.isSame ? "yes" : "no"), ("shared_texts", sharedWords),
            ("same_ids", "\(vocabulary.sameIds)"), ("bridge", bridgeWords),
        ]
            + (prediction.map { [("acceptance", $0.words)] } ?? []) + [
                ("usable", refusal.map { "no: \($0)" } ?? "yes")
            ]
    }

    private var sharedWords: String {
        func share(_ share: Double) -> String { "(\(Self.percent(share)))" }
        return "\(vocabulary.shared): \(vocabulary.targetShared) of the target's \(vocabulary.targetTokens) tokens "
            + "\(share(vocabulary.targetShare)), \(vocabulary.draftShared) of the draft's \(vocabulary.draftTokens) "
            + share(vocabulary.draftShare)
    }

    private var bridgeWords: String {
        guard let bridge else { return "none applies" }
        if bridge == .none { return "none needed" }
        let others = bridges.dropFirst().map(\.rawValue)
        let shares = [(textShare, "target"), (draftTextShare, "draft")].compactMap { share, whose in
            share.map { "\(Self.percent($0)) of the \(whose)'s" }
        }
        let share = shares.isEmpty ? "" : "; of a text's tokens are shared \(shares.joined(separator: ", "))"
        return "\(bridge.rawValue)\(others.isEmpty ? "" : " (also: \(others.joined(separator: ", ")))")\(share)"
    }

    private static func percent(_ share: Double) -> String { "\((100 * share).rounded(to: 1)) %" }

    /// The pair in a line.
    package var summary: String {
        let words =
            vocabulary.isSame
            ? "one vocabulary of \(vocabulary.targetTokens) tokens"
            : "not one vocabulary: shared are \(sharedWords); bridge: \(bridgeWords)"
        return ([words] + [prediction?.words, refusal].compactMap(\.self)).joined(separator: "; ")
    }

    private static let noBridge =
        "no bridge leads from one vocabulary to the other; use a draft model with the target's tokenizer"
}

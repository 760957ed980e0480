internal import CLlama
package import NacreCore

/// What a vocabulary is made of, as far as two models that are to work together care.
package struct VocabularyFacts: Sendable, Equatable {
    /// A token with a part to play.
    package struct Special: Sendable, Equatable {
        /// `bos`, `eos`, `eot`, `sep`, `nl`, `pad`, `mask`, or `fim_...` for filling in the middle.
        package let role: String
        package let token: TokenID
        package let piece: [UInt8]
    }

    /// How text is cut: `BPE`, `SPM` (SentencePiece), `WPM` (WordPiece), `UGM` (Unigram), `RWKV` or `PLAMO2`.
    package let kind: String
    package let specials: [Special]
    /// All tokens with which the model may end its text, ascending.
    package let ends: [TokenID]
    /// Whether the model wants these around a text.
    package let addsBeginning: Bool
    package let addsEnd: Bool
    /// Commands that are not text.
    package let controls: Int
}

extension LlamaTokenizer {
    package var facts: VocabularyFacts {
        let vocabulary = handle.vocabulary
        let roles: [(String, llama_token)] = [
            ("bos", llama_vocab_bos(vocabulary)), ("eos", llama_vocab_eos(vocabulary)),
            ("eot", llama_vocab_eot(vocabulary)), ("sep", llama_vocab_sep(vocabulary)),
            ("nl", llama_vocab_nl(vocabulary)), ("pad", llama_vocab_pad(vocabulary)),
            ("mask", llama_vocab_mask(vocabulary)), ("fim_pre", llama_vocab_fim_pre(vocabulary)),
            ("fim_suf", llama_vocab_fim_suf(vocabulary)), ("fim_mid", llama_vocab_fim_mid(vocabulary)),
            ("fim_pad", llama_vocab_fim_pad(vocabulary)), ("fim_rep", llama_vocab_fim_rep(vocabulary)),
            ("fim_sep", llama_vocab_fim_sep(vocabulary)),
        ]
        let specials = roles.compactMap { role, token -> VocabularyFacts.Special? in
            guard token >= 0, Int(token) < vocabularySize else { return nil }
            let id = TokenID(rawValue: UInt32(token))
            return VocabularyFacts.Special(role: role, token: id, piece: piece(id))
        }
        let tokens = (0..<UInt32(vocabularySize)).map { TokenID(rawValue: $0) }
        return VocabularyFacts(
            kind: kind, specials: specials, ends: tokens.filter(isEndOfGeneration),
            addsBeginning: llama_vocab_get_add_bos(vocabulary), addsEnd: llama_vocab_get_add_eos(vocabulary),
            controls: tokens.count { isControl($0) })
    }

    private var kind: String {
        switch llama_vocab_type(handle.vocabulary) {
        case LLAMA_VOCAB_TYPE_SPM: "SPM"
        case LLAMA_VOCAB_TYPE_BPE: "BPE"
        case LLAMA_VOCAB_TYPE_WPM: "WPM"
        case LLAMA_VOCAB_TYPE_UGM: "UGM"
        case LLAMA_VOCAB_TYPE_RWKV: "RWKV"
        case LLAMA_VOCAB_TYPE_PLAMO2: "PLAMO2"
        default: "unknown"
        }
    }
}

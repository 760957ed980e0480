package import NacreCore

extension VocabularyOverlap {
    package init(target: some Tokenizer, draft: some Tokenizer) {
        self.init(
            target: Self.meanings(target), draft: Self.meanings(draft),
            isSame: target.vocabularyDigest == draft.vocabularyDigest)
    }

    private static func meanings(_ tokenizer: some Tokenizer) -> [TokenMeaning] {
        (0..<UInt32(tokenizer.vocabularySize)).map { index in
            let token = TokenID(rawValue: index)
            return TokenMeaning(piece: tokenizer.piece(token), isCommand: tokenizer.isControl(token))
        }
    }
}

package import NacreCore
package import NacreEngine
package import NacreProtocol

// A tokenizer's part in the protocol.
extension Tokenizer {
    /// The vocabulary as the coordinator needs it to turn tokens into text.
    package func vocabularyChunks() -> [VocabularyChunk] {
        stride(from: 0, to: vocabularySize, by: Limits.vocabularyChunkEntries).map { first in
            let end = min(first + Limits.vocabularyChunkEntries, vocabularySize)
            let entries = (first..<end).map { index in
                let token = TokenID(rawValue: UInt32(index))
                return VocabularyChunk.Entry(
                    piece: piece(token), endsGeneration: isEndOfGeneration(token), isControl: isControl(token))
            }
            return VocabularyChunk(digest: vocabularyDigest, total: vocabularySize, first: first, entries: entries)
        }
    }

    package var endTokens: Set<TokenID> {
        Set((0..<UInt32(vocabularySize)).map { TokenID(rawValue: $0) }.filter(isEndOfGeneration))
    }

    func answer(_ request: Tokenize) -> Tokenized {
        do {
            // Text of a user is text: what looks like a control token in it is not one.
            let tokens = try tokenize(request.text, addSpecial: true, parseSpecial: false)
            guard tokens.count <= Limits.promptTokensMax else {
                let error =
                    "the prompt has \(tokens.count) tokens, at most \(Limits.promptTokensMax) are taken: shorten it"
                return Tokenized(request: request.request, tokens: [], error: error)
            }
            return Tokenized(request: request.request, tokens: tokens, error: "")
        } catch {
            return Tokenized(request: request.request, tokens: [], error: "\(error)")
        }
    }
}

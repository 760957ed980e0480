internal import CLlama
package import NacreCore
package import NacreEngine

/// A model's tokenizer.
package final class LlamaTokenizer: Tokenizer {
    /// Token ids are `0 ..< vocabularySize`.
    package let vocabularySize: Int
    /// FNV-1a over all pieces and attributes, in order of ids.
    package let vocabularyDigest: UInt64
    let handle: ModelHandle
    /// All pieces, end to end, and where each begins; one entry more than tokens.
    private let pieceBytes: [UInt8]
    private let pieceStarts: [Int]
    private let isEnd: [Bool]
    private let isControlToken: [Bool]
    private let isByteToken: [Bool]
    /// Whether the tokens that the model wants around a text exist: libllama ends the process if one is missing.
    private let hasSpecial: Bool

    /// The tokenizer of a loaded model.
    package convenience init(_ model: LlamaModel) throws(EngineError) { try self.init(model.handle) }

    /// The tokenizer in a GGUF file, read without the weights.
    ///
    /// - Throws: `.modelUnreadable`, `.modelUnsupported`.
    package convenience init(path: String) throws(EngineError) {
        let header = try GGUFHeader(path: path)
        try header.requireVocabulary()
        try self.init(ModelHandle(path, header, repacks: nil))
    }

    init(_ handle: ModelHandle) throws(EngineError) {
        self.handle = handle
        let vocabulary = handle.vocabulary
        let size = Int(llama_vocab_n_tokens(vocabulary))
        guard size > 0 else { throw EngineError(.modelUnsupported, "the model's vocabulary is empty") }
        var bytes: [UInt8] = []
        var starts = [0]
        var digest = Digest()
        var buffer = [CChar](repeating: 0, count: 64)
        for token in 0..<Int32(size) {
            let piece = try Self.piece(token, vocabulary, &buffer)
            bytes.append(contentsOf: piece)
            starts.append(bytes.count)
            digest.absorb(UInt64(piece.count))
            piece.withUnsafeBytes { digest.absorb($0) }
            digest.absorb(UInt64(llama_vocab_get_attr(vocabulary, token).rawValue))
        }
        vocabularySize = size
        vocabularyDigest = digest.value
        pieceBytes = bytes
        pieceStarts = starts
        isEnd = (0..<Int32(size)).map { llama_vocab_is_eog(vocabulary, $0) }
        isControlToken = (0..<Int32(size)).map { llama_vocab_is_control(vocabulary, $0) }
        isByteToken = (0..<Int32(size)).map {
            llama_vocab_get_attr(vocabulary, $0).rawValue & LLAMA_TOKEN_ATTR_BYTE.rawValue != 0
        }
        hasSpecial =
            (!llama_vocab_get_add_bos(vocabulary) || llama_vocab_bos(vocabulary) != LLAMA_TOKEN_NULL)
            && (!llama_vocab_get_add_eos(vocabulary) || llama_vocab_eos(vocabulary) != LLAMA_TOKEN_NULL)
            && (!llama_vocab_get_add_sep(vocabulary) || llama_vocab_sep(vocabulary) != LLAMA_TOKEN_NULL)
    }

    /// The tokens of a text of any bytes.
    ///
    /// - Throws: `.invalidText` for texts of a gigabyte and more.
    package func tokenize(
        _ text: [UInt8], addSpecial: Bool, parseSpecial: Bool
    ) throws(EngineError) -> [TokenID] {
        guard text.count < Int(Int32.max) / 2 else {
            throw EngineError(.invalidText, "a text of \(text.count) bytes is too long to tokenize")
        }
        // Almost always enough; if not, libllama returns the size that is, negated.
        var tokens = [llama_token](repeating: 0, count: text.count + 8)
        var count = fill(&tokens, text, addSpecial, parseSpecial)
        if count < 0 && count != .min {
            tokens = Array(repeating: 0, count: Int(-count))
            count = fill(&tokens, text, addSpecial, parseSpecial)
        }
        guard count >= 0 else {
            throw EngineError(.invalidText, "a text of \(text.count) bytes could not be tokenized (\(count))")
        }
        return tokens.prefix(Int(count)).map { TokenID(rawValue: UInt32($0)) }
    }

    private func fill(
        _ tokens: inout [llama_token], _ text: [UInt8], _ addSpecial: Bool, _ parseSpecial: Bool
    ) -> Int32 {
        tokens.withUnsafeMutableBufferPointer { tokens in
            text.withUnsafeBytes { text in
                // By length, not by a terminator: zero bytes are text like any other. Empty texts have no address.
                withUnsafeBytes(of: UInt8(0)) { empty in
                    llama_tokenize(
                        handle.vocabulary, (text.baseAddress ?? empty.baseAddress)?.assumingMemoryBound(to: CChar.self),
                        Int32(text.count), tokens.baseAddress, Int32(tokens.count), addSpecial && hasSpecial,
                        parseSpecial)
                }
            }
        }
    }

    /// The bytes of one token; none for an id outside the vocabulary.
    package func piece(_ token: TokenID) -> [UInt8] {
        let index = Int(token.rawValue)
        guard index < vocabularySize else { return [] }
        return Array(pieceBytes[pieceStarts[index]..<pieceStarts[index + 1]])
    }

    /// Whether the model ends its text with this token.
    package func isEndOfGeneration(_ token: TokenID) -> Bool {
        token.rawValue < vocabularySize && isEnd[Int(token.rawValue)]
    }

    /// Whether the token is a command and not text.
    package func isControl(_ token: TokenID) -> Bool {
        token.rawValue < vocabularySize && isControlToken[Int(token.rawValue)]
    }

    /// Whether the token is a byte that SentencePiece falls back on.
    package func isByte(_ token: TokenID) -> Bool {
        token.rawValue < vocabularySize && isByteToken[Int(token.rawValue)]
    }

    /// The bytes of one token, control tokens as their text.
    private static func piece(
        _ token: llama_token, _ vocabulary: OpaquePointer, _ buffer: inout [CChar]
    ) throws(EngineError) -> [UInt8] {
        var count = llama_token_to_piece(vocabulary, token, &buffer, Int32(buffer.count), 0, true)
        if count < 0 && count != .min {
            buffer = Array(repeating: 0, count: Int(-count))
            count = llama_token_to_piece(vocabulary, token, &buffer, Int32(buffer.count), 0, true)
        }
        guard count >= 0 else {
            throw EngineError(.modelUnsupported, "token \(token) of the model's vocabulary cannot be written out")
        }
        return buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }
    }
}

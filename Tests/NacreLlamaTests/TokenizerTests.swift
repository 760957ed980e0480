import NacreCore
import NacreEngine
import NacreLlama
import Testing

/// The façade against llama.cpp's own test data: for each vocabulary a file of texts and one of token ids.
struct TokenizerTests {
    static let names = [
        "bert-bge", "command-r", "deepseek-coder", "deepseek-llm", "falcon", "gemma-4", "gpt-2", "llama-bpe",
        "llama-spm", "mpt", "phi-3", "qwen2", "qwen35", "refact", "starcoder",
    ]

    @Test("all of llama.cpp's 694 tokenizer examples come out as they should")
    func examples() throws {
        var examples = 0
        for name in Self.names {
            let path = "\(Fixture.vocabularies)ggml-vocab-\(name).gguf"
            let tokenizer = try LlamaTokenizer(path: path)
            let texts = Fixture.read(path + ".inp").split(separating: Array("\n__ggml_vocab_test__\n".utf8))
            // A line each, the last one ended too.
            let lines = String(decoding: Fixture.read(path + ".out"), as: UTF8.self)
                .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            for (text, line) in zip(texts, lines) {
                let expected = line.split(separator: " ").compactMap { UInt32($0) }
                let tokens = try tokenizer.tokenize(text, addSpecial: false, parseSpecial: false)
                #expect(tokens.map(\.rawValue) == expected, "\(name): \(String(decoding: text, as: UTF8.self))")
                examples += 1
            }
        }
        #expect(examples == 694)
    }

    @Test("the pieces of a text's tokens, joined, are the text, byte for byte")
    func piecesJoin() throws {
        let tokenizer = try LlamaTokenizer(path: Fixture.target)
        var text = Array("def f(x):\n\treturn \"naïve 🐚\" # \u{0}\n".utf8)
        // Long, to need more than the first guess of room is not possible (tokens are never more than bytes + 8).
        for _ in 0..<10 { text += text }
        let tokens = try tokenizer.tokenize(text, addSpecial: false, parseSpecial: false)
        #expect(tokens.flatMap(tokenizer.piece) == text)
    }

    @Test("zero bytes and empty texts are texts like any other")
    func oddTexts() throws {
        let tokenizer = try LlamaTokenizer(path: Fixture.target)
        #expect(try tokenizer.tokenize([], addSpecial: false, parseSpecial: false) == [])
        #expect(try tokenizer.tokenize([], addSpecial: true, parseSpecial: false) == [0])
        let tokens = try tokenizer.tokenize([97, 0, 98], addSpecial: false, parseSpecial: false)
        #expect(tokens.flatMap(tokenizer.piece) == [97, 0, 98])
    }

    @Test("special tokens are added and recognised only when asked for")
    func special() throws {
        let tokenizer = try LlamaTokenizer(path: Fixture.target)
        let text = Array("a<|endoftext|>".utf8)
        let plain = try tokenizer.tokenize(text, addSpecial: false, parseSpecial: false)
        let parsed = try tokenizer.tokenize(text, addSpecial: true, parseSpecial: true)
        #expect(!plain.contains(0))
        #expect(parsed.first == 0 && parsed.last == 0)
        #expect(tokenizer.isEndOfGeneration(0) && tokenizer.isControl(0))
        #expect(tokenizer.piece(0) == Array("<|endoftext|>".utf8))
        #expect(!tokenizer.isEndOfGeneration(5) && !tokenizer.isControl(5))
    }

    @Test("a token outside the vocabulary has no piece and no role")
    func outside() throws {
        let tokenizer = try LlamaTokenizer(path: Fixture.target)
        let token = TokenID(rawValue: UInt32(tokenizer.vocabularySize))
        #expect(tokenizer.piece(token) == [])
        #expect(!tokenizer.isEndOfGeneration(token) && !tokenizer.isControl(token))
    }

    @Test("the digest is equal for one vocabulary in two models, and differs between vocabularies")
    func digests() throws {
        let target = try LlamaTokenizer(path: Fixture.target)
        let draft = try LlamaTokenizer(path: Fixture.draft)
        let other = try LlamaTokenizer(path: Fixture.vocabularies + "ggml-vocab-gpt-2.gguf")
        #expect(target.vocabularyDigest == draft.vocabularyDigest)
        #expect(target.vocabularyDigest != other.vocabularyDigest)
        #expect(try LlamaTokenizer(LlamaModel(path: Fixture.target)).vocabularyDigest == target.vocabularyDigest)
    }

    @Test("a tokenizer may be used from many threads at once")
    func threads() async throws {
        let tokenizer = try LlamaTokenizer(path: Fixture.target)
        let text = Fixture.read(#filePath)
        let expected = try tokenizer.tokenize(text, addSpecial: true, parseSpecial: true)
        let equal = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 {
                group.addTask { try tokenizer.tokenize(text, addSpecial: true, parseSpecial: true) == expected }
            }
            return try await group.reduce(true) { $0 && $1 }
        }
        #expect(equal)
    }
}

extension [UInt8] {
    /// The parts between the occurrences of `separator`.
    func split(separating separator: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var start = 0
        var index = 0
        while index + separator.count <= count {
            if self[index..<index + separator.count].elementsEqual(separator) {
                parts.append(Array(self[start..<index]))
                index += separator.count
                start = index
            } else {
                index += 1
            }
        }
        return parts + [Array(self[start...])]
    }
}

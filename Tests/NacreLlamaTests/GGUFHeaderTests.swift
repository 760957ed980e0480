import NacreEngine
import NacreLlama
import Testing

/// What people do to model files, and what they are told.
struct GGUFHeaderTests {
    /// The error for a file with these bytes.
    private func refusal(_ bytes: some Collection<UInt8>) -> EngineError? {
        let file = TemporaryFile(bytes)
        do throws(EngineError) {
            _ = try LlamaModel(path: file.path)
            return nil
        } catch { return error }
    }

    private func refusal(path: String) -> EngineError? {
        do throws(EngineError) {
            _ = try LlamaModel(path: path)
            return nil
        } catch { return error }
    }

    @Test("a model's header says what it is")
    func facts() throws {
        let header = try GGUFHeader(path: Fixture.target)
        #expect(header.architecture == "llama" && header.name == "pycode-8m" && header.quantisation == "Q8_0")
        #expect(header.bytes == header.bytesExpected && header.isCausal && header.isInvariantInterleaved)
        #expect(header.tensorTypes.keys.sorted() == ["F32", "Q8_0"])
        let model = try LlamaModel(path: Fixture.target)
        #expect(model.parameters == header.parameters && model.vocabularySize == 4096)
        #expect(model.contextTrained == 2048)
        #expect(model.description == "pycode-8m, 7.9 M parameters, Q8_0")
    }

    @Test("the digest of a model is the same at every load and another for another model")
    func digest() throws {
        let first = try LlamaModel(path: Fixture.target)
        #expect(try LlamaModel(path: Fixture.target).digest == first.digest)
        #expect(try LlamaModel(path: Fixture.draft).digest != first.digest)
    }

    @Test("a missing file, a directory, a device and an empty file are called what they are")
    func notFiles() throws {
        let missing = try #require(refusal(path: "/nowhere/model.gguf"))
        #expect(missing.code == .modelUnreadable && missing.message.contains("no such file"))
        #expect(!missing.remedy.isEmpty)
        #expect(try #require(refusal(path: "/tmp")).message.contains("is a directory"))
        #expect(try #require(refusal(path: "/dev/null")).message.contains("not a regular file"))
        #expect(try #require(refusal([])).message.contains("is empty"))
    }

    @Test(
        "a file that is not a GGUF is described by its first bytes",
        arguments: [
            ("Dear Sir,\nplease find my model", "looks like text"), ("<!DOCTYPE html><html>", "is a web page"),
            ("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"), ("PK\u{3}\u{4}\u{14}", "zip archive"),
            ("abcdefgh{\"__metadata__\":{", "safetensors"), ("\u{1}\u{2}\u{3}", "01 02 03"), ("GGU", "looks like text"),
        ])
    func notGGUF(content: String, words: String) throws {
        let error = try #require(refusal(Array(content.utf8)))
        #expect(error.code == .modelUnreadable)
        #expect(error.message.contains("not a GGUF file") && error.message.contains(words), "\(error)")
    }

    @Test(
        "a model cut short anywhere is refused before it is loaded",
        arguments: [4, 5, 8, 12, 20, 24, 30, 100, 1000, 20_000, 60_000, 100_000, 500_000, 1_138_591])
    func truncated(count: Int) throws {
        let bytes = Fixture.read(Fixture.draft)
        let error = try #require(refusal(bytes.prefix(count)))
        #expect(error.code == .modelUnreadable, "\(error)")
        #expect(error.message.contains("cut short"), "\(error)")
        if count >= 500_000 { #expect(error.message.contains("\(count) of \(bytes.count) bytes"), "\(error)") }
    }

    @Test("a vocabulary without weights is no model")
    func vocabularyOnly() throws {
        let error = try #require(refusal(path: Fixture.vocabularies + "ggml-vocab-gpt-2.gguf"))
        #expect(error.code == .modelUnsupported && error.message.contains("vocabulary only"))
    }

    @Test("an unknown architecture is named")
    func unknownArchitecture() throws {
        // The same length, so that only the name changes; keys of the architecture's own are no longer found.
        let bytes = Fixture.read(Fixture.draft).replacing("general.architecture", following: "llama", with: "lxama")
        let error = try #require(refusal(bytes))
        #expect(error.code == .modelUnsupported && error.message.contains("lxama"), "\(error)")
    }

    @Test("two tokens with one text are found before libllama trips over them")
    func repeatedToken() throws {
        // "%" becomes a second "$".
        let bytes = Fixture.read(Fixture.draft).replacing("$\u{1}\0\0\0\0\0\0\0", following: "%", with: "$")
        let error = try #require(refusal(bytes))
        #expect(error.code == .modelUnreadable && error.message.contains("repeats the text"), "\(error)")
    }

    @Test("a header with a flipped bit is read or refused, and never ends the process")
    func flippedBits() throws {
        let bytes = Fixture.read(Fixture.draft)
        let weights = try GGUFHeader(path: Fixture.draft).weightsOffset
        var random = TestRandom(seed: 11)
        var refused = 0
        for round in 0..<300 {
            var bad = bytes
            // The first bytes matter most: counts and lengths.
            let place = round < 200 ? round / 8 : Int.random(in: 25..<weights, using: &random)
            bad[place] ^= round < 200 ? 1 << (round % 8) : 1 << Int.random(in: 0..<8, using: &random)
            let file = TemporaryFile(bad)
            do { _ = try GGUFHeader(path: file.path) } catch { refused += 1 }
        }
        #expect(refused > 150)
    }
}

extension [UInt8] {
    /// Replaces `old`, at its first occurrence after `key`, by `new`.
    func replacing(_ key: String, following old: String, with new: String) -> [UInt8] {
        let (key, old, new) = (Array(key.utf8), Array(old.utf8), Array(new.utf8))
        func find(_ word: [UInt8], from start: Int) -> Int? {
            (start...(count - word.count)).first { self[$0..<$0 + word.count].elementsEqual(word) }
        }
        guard let place = find(key, from: 0), let match = find(old, from: place + key.count) else { return self }
        var bytes = self
        bytes.replaceSubrange(match..<match + old.count, with: new)
        return bytes
    }
}

import NacreEngine
import NacreLlama
import NacreModels
import Testing

/// Files that are taken for models, and damage: each says what it is and what to do, and none ends the process.
struct ForeignFileTests {
    private func refusal(_ bytes: some Collection<UInt8>) -> EngineError? {
        let file = TemporaryFile(bytes)
        do throws(EngineError) {
            _ = try ModelOutline(path: file.path)
            return nil
        } catch { return error }
    }

    @Test(
        "a file of another format is named, with the way to a model",
        arguments: [
            ([0x1f, 0x8b, 8, 0], "gzip", "gunzip"), ([0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstd -d"),
            ([0x89, 0x48, 0x44, 0x46, 0x0d], "HDF5", "convert_hf_to_gguf"),
            ([0x80, 2, 0x8a], "pickle", "convert_hf_to_gguf"),
            (Array("PK\u{3}\u{4}".utf8), "zip", "convert_hf_to_gguf"),
            (Array("abcdefgh{\"__metadata__\":{".utf8), "safetensors", "convert_hf_to_gguf"),
            (Array("<html>".utf8), "web page", "the file itself"),
            (Array("version https://git-lfs.github.com".utf8), "Git LFS", "git lfs pull"),
            (Array("tjgg....".utf8), "before GGUF", "convert_hf_to_gguf"),
            (Array("Dear Sir,\n".utf8), "looks like text", ".gguf"),
        ] as [([UInt8], String, String)])
    func otherFormats(_ bytes: [UInt8], _ what: String, _ remedy: String) throws {
        let error = try #require(refusal(bytes))
        #expect(error.code == .modelUnreadable && error.message.contains(what), "\(error)")
        #expect(error.remedy.contains(remedy), "\(error)")
    }

    @Test("a GGUF of another byte order or version is told from a damaged one")
    func versions() throws {
        let big = try #require(refusal(TinyGGUF(isBigEndian: true).bytes))
        #expect(big.message.contains("big-endian") && big.remedy.contains("gguf-convert-endian"), "\(big)")
        let first = try #require(refusal(TinyGGUF(version: 1).bytes))
        #expect(first.message.contains("version 1") && first.remedy.contains("newer conversion"), "\(first)")
        let future = try #require(refusal(TinyGGUF(version: 9).bytes))
        #expect(future.message.contains("version 9") && future.remedy.contains("newer Nacre"), "\(future)")
        #expect([big, first, future].allSatisfy { $0.code == .modelUnsupported })
    }

    @Test(
        "a GGUF of something else than a model is named, also where a model is asked for",
        arguments: [
            ([("general.type", "adapter"), ("adapter.type", "lora")], "adapter (lora)"),
            ([("general.type", "mmproj"), ("general.architecture", "clip")], "mmproj"),
            ([("general.architecture", "clip")], "mmproj"),
            ([("general.type", "imatrix")], "importance matrix"),
            ([("general.architecture", "controlvector")], "control vector"),
            ([("general.architecture", "llama")], "no tokenizer"),
            ([("general.architecture", "llama"), ("tokenizer.ggml.model", "no_vocab")], "no tokenizer"),
            ([("general.name", "nameless")], "does not name its architecture"),
        ] as [([(String, String)], String)])
    func otherContents(_ pairs: [(String, String)], _ what: String) throws {
        let bytes = TinyGGUF(pairs: pairs.map { ($0.0, .text($0.1)) }).bytes
        let error = try #require(refusal(bytes))
        #expect(error.message.contains(what) && !error.remedy.isEmpty, "\(error)")
        let file = TemporaryFile(bytes)
        let check = ModelCheck(path: file.path, threads: 1)
        #expect(!check.passed && check.steps.count == 1 && check.steps[0].name == "file", "\(check.steps)")
    }

    @Test("a model without its tokenizer is refused for that, and not by a crash")
    func tokenizerGone() throws {
        let bytes = Fixture.read(Fixture.draft).replacing("tokenizer.ggml", following: ".model", with: ".mudel")
        let error = try #require(refusal(bytes))
        #expect(error.code == .modelUnsupported && error.message.contains("no tokenizer"), "\(error)")
    }
}

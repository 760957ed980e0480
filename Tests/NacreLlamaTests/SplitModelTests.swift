import Glibc
import NacreEngine
import NacreLlama
import NacreModels
import Testing

/// Models in several files, as llama.cpp's gguf-split makes them.
struct SplitModelTests {
    /// The draft model in three parts, under the names by which libllama finds them.
    private func withParts<Result>(isFirstEmpty: Bool, _ body: ([String]) throws -> Result) throws -> Result {
        let parts = TinyGGUF(copying: Fixture.read(Fixture.draft)).split(in: 3, isFirstEmpty: isFirstEmpty)
        let place = TemporaryFile([])
        let links = parts.indices.map { "\(place.path)-0000\($0 + 1)-of-0000\(parts.count).gguf" }
        let files = parts.map { TemporaryFile($0.bytes) }
        defer { for link in links { unlink(link) } }
        for (file, link) in zip(files, links) { try #require(symlink(file.path, link) == 0) }
        // The links are of no use without the files.
        return try withExtendedLifetime(files) { try body(links) }
    }

    @Test("taken apart and put together a file is what it was")
    func copy() {
        let bytes = Fixture.read(Fixture.draft)
        #expect(TinyGGUF(copying: bytes).bytes == bytes)
    }

    @Test("the first part is the model, also if it holds no weights itself", arguments: [false, true])
    func first(isFirstEmpty: Bool) throws {
        try withParts(isFirstEmpty: isFirstEmpty) { parts in
            let facts = ModelFacts(try ModelOutline(path: parts[0]))
            #expect(facts.files == 3 && facts.generatesText && (facts.parameters == 0) == isFirstEmpty)
            #expect(facts.rows.contains { $0 == ("files", "the first of 3; sizes are of this one") })
            #expect(facts.rows.contains { $0 == ("parameters", "0 in this file") } == isFirstEmpty)
            let check = ModelCheck(path: parts[0], threads: 1)
            #expect(check.passed && check.steps.map(\.name) == ModelCheck.names, "\(check.steps)")
            #expect(try LlamaModel(path: parts[0]).parameters == LlamaModel(path: Fixture.draft).parameters)
        }
    }

    @Test("a later part is told from the first, and the first is asked for", arguments: [false, true])
    func later(isFirstEmpty: Bool) throws {
        try withParts(isFirstEmpty: isFirstEmpty) { parts in
            for (number, path) in parts.enumerated().dropFirst() {
                let outline = try #require(throws: EngineError.self) { try ModelOutline(path: path) }
                let model = try #require(throws: EngineError.self) { try LlamaModel(path: path) }
                for error in [outline, model] {
                    #expect(error.code == .modelUnsupported && error.message.contains("part \(number + 1) of 3"))
                    #expect(error.remedy.contains("the first part"), "\(error)")
                }
            }
        }
    }
}

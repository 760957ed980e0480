import NacreEngine
import NacreLlama
import NacreModels
import Testing

/// What `nacre models check` tries, on good files and on files that were damaged on purpose.
struct ModelCheckTests {
    private func check(_ bytes: some Collection<UInt8>) -> ModelCheck {
        let file = TemporaryFile(bytes)
        return ModelCheck(path: file.path, threads: 1)
    }

    @Test("the shipped models pass every step, and rolling back was tried")
    func good() throws {
        for path in [Fixture.target, Fixture.draft] {
            let check = ModelCheck(path: path, threads: 1)
            #expect(check.passed && check.steps.map(\.name) == ModelCheck.names, "\(check.steps)")
            let rollback = try #require(check.facts).rollback
            #expect(rollback.works && rollback.isMeasured)
        }
    }

    @Test("a file cut short fails the first step with both sizes", arguments: [100, 60_000, 1_000_000])
    func truncated(count: Int) throws {
        let check = check(Fixture.read(Fixture.draft).prefix(count))
        let step = try #require(check.steps.first)
        #expect(check.steps.count == 1 && !step.passed && step.name == "file")
        #expect(step.detail.contains("cut short") && step.detail.contains("download it again"), "\(step)")
        #expect(check.tokenizer == nil && check.facts == nil)
    }

    @Test("weights that are no numbers are found wherever they are", arguments: [0.0, 0.31, 0.77, 1.0])
    func notNumbers(place: Double) throws {
        var bytes = Fixture.read(Fixture.draft)
        let weights = try GGUFHeader(path: Fixture.draft).weightsOffset
        // The bytes 7e 7e are no number as a half, the scale of a block of quants. So many of them meet some block.
        let run = 4096
        let start = weights + Int(place * Double(bytes.count - weights - run))
        bytes.replaceSubrange(start..<start + run, with: repeatElement(0x7e, count: run))
        let check = check(bytes)
        let last = try #require(check.steps.last)
        #expect(!check.passed && last.name == "weights" && last.detail.contains("not numbers"), "\(check.steps)")
    }

    @Test("weights that are numbers but compute none fail at the first token")
    func noNumbers() throws {
        // Positions turn by powers of this base: of zero they are infinite, and all that attention sees is no number.
        var bytes = Fixture.read(Fixture.draft)
        let key = Array("llama.rope.freq_base".utf8)
        let place = try #require((0..<bytes.count - 64).first { bytes[$0..<$0 + key.count].elementsEqual(key) })
        let value = place + key.count + 4
        bytes.replaceSubrange(value..<value + 4, with: [0, 0, 0, 0])
        let check = check(bytes)
        let last = try #require(check.steps.last)
        #expect(!check.passed && last.name == "decode" && last.detail.contains("not numbers"), "\(check.steps)")
    }

    @Test("a vocabulary alone and an embedding model are no targets", arguments: ["gpt-2", "bert-bge"])
    func noGenerators(name: String) throws {
        let check = ModelCheck(path: "\(Fixture.vocabularies)ggml-vocab-\(name).gguf", threads: 1)
        #expect(!check.passed && check.steps.first?.detail.contains("vocabulary only") == true, "\(check.steps)")
    }
}

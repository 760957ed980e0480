import NacreClient
import NacreEngine
import NacreLlama
import Testing

/// The prompts that settings are chosen with, and those that figures are reported of.
@Suite struct PromptSetTests {
    private static func half(_ name: String) throws -> [Prompt] {
        try PromptFile.readAll("\(Jobs.root)Models/prompts/\(name).txt")
    }

    private static func counts(_ prompts: [Prompt]) -> [String?: Int] {
        Dictionary(grouping: prompts, by: \.category).mapValues(\.count)
    }

    @Test("both halves have 40 prompts, as many of each category")
    func sizes() throws {
        let (tuning, reporting) = (try Self.half("tuning"), try Self.half("reporting"))
        #expect(tuning.count == 40 && reporting.count == 40)
        let counts = Self.counts(tuning)
        #expect(counts == Self.counts(reporting))
        let names = ["body", "class", "docstring", "function", "imports", "method", "repetitive", "test"]
        #expect(counts == Dictionary(uniqueKeysWithValues: names.map { ($0, 5) }))
    }

    @Test("no prompt is there twice, or is the beginning of another, in the other half or in its own")
    func disjoint() throws {
        let all = try Self.half("tuning") + Self.half("reporting")
        for (index, prompt) in all.enumerated() {
            for (other, text) in all.enumerated() where other != index {
                #expect(!text.text.hasPrefix(prompt.text), "\(prompt.text)")
            }
        }
        // Nor is it one of the tests' prompts, on which methods are made to agree.
        let identity = try Jobs.identityPrompts()
        for prompt in all {
            #expect(!identity.contains { $0.hasPrefix(prompt.text) || prompt.text.hasPrefix($0) }, "\(prompt.text)")
        }
    }

    @Test("every prompt leaves half of a context of 512 for its output, and is kept by the target's tokenizer")
    func lengths() throws {
        let tokenizer = try LlamaTokenizer(path: Jobs.target)
        for prompt in try Self.half("tuning") + Self.half("reporting") {
            let text = Array(prompt.text.utf8)
            let tokens = try tokenizer.tokenize(text, addSpecial: true, parseSpecial: false)
            #expect((2...256).contains(tokens.count), "\(prompt.text)")
            #expect(tokens.dropFirst().flatMap(tokenizer.piece) == text, "\(prompt.text)")
            #expect(text.allSatisfy { $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "\r") })
        }
    }
}

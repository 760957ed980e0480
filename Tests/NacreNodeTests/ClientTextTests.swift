import NacreClient
import NacreNode
import Testing

@Suite struct ClientTextTests {
    @Test("a prompt file has a prompt per line, or prompts of many lines between ---")
    func promptFiles() {
        #expect(PromptFile.parse("one\n\ntwo\r\nthree") == ["one", "two", "three"])
        #expect(PromptFile.parse("def a():\n    x\n---\n\n---\nb\n") == ["def a():\n    x", "b\n"])
        #expect(PromptFile.parse("---\n  \n---\n").isEmpty)
        #expect(PromptFile.parse("").isEmpty)
        #expect(PromptFile.parse("a --- b") == ["a --- b"])
        #expect(throws: NacreError.self) { try PromptFile.read("/nonexistent") }
        #expect(PromptFile.builtIn.count == 10)
    }

    @Test("a line --- name says of what category the prompt below it is")
    func promptCategories() {
        let text = "--- class\nclass A:\n    x\n\n--- two-3\nb\n---\nc\n---\n"
        let prompts = PromptFile.prompts(in: text)
        #expect(
            prompts == [
                Prompt(text: "class A:\n    x\n", category: "class"), Prompt(text: "b", category: "two-3"),
                Prompt(text: "c"),
            ])
        #expect(PromptFile.parse(text) == prompts.map(\.text))
        // What is no name is text.
        #expect(PromptFile.parse("---\n--- A\n--- \n---- x\n---") == ["--- A\n--- \n---- x"])
        #expect(PromptFile.parse("--- a b").count == 1)
    }

    @Test("stop strings mean line breaks by backslashes, and nothing by other backslashes")
    func stopStrings() throws {
        #expect(try StopText.unescaped(#"\n\n\tx\\n\r"#) == "\n\n\tx\\n\r")
        #expect(try StopText.unescaped("plain") == "plain")
        for bad in [#"\"#, #"\x"#, #"a\\\"#] {
            #expect(throws: NacreError.self) { try StopText.unescaped(bad) }
        }
    }

    @Test("the first difference of two outputs is found, with the lead of plain decoding there")
    func divergences() throws {
        let margins: [Float?] = [1, 0.5, nil]
        #expect(Divergence(prompt: 0, plain: [1, 2, 3], margins: margins, other: [1, 2, 3]) == nil)
        let middle = try #require(Divergence(prompt: 4, plain: [1, 2, 3], margins: margins, other: [1, 9, 3]))
        #expect(middle == Divergence(prompt: 4, position: 1, plainToken: 2, token: 9, margin: 0.5))
        #expect(middle.sentence == "prompt 5, position 1: token 9 instead of token 2, which led by 0.500000 nats")
        let short = try #require(Divergence(prompt: 0, plain: [1, 2, 3], margins: margins, other: [1, 2]))
        #expect(short.position == 2 && short.token == nil && short.plainToken == 3 && short.margin == nil)
        let long = try #require(Divergence(prompt: 0, plain: [1], margins: [1], other: [1, 2]))
        #expect(long.position == 1 && long.token == 2 && long.plainToken == nil)
    }

    @Test("a divergence is explained by noise measured on plain decoding, and by nothing else")
    func noise() {
        func divergence(_ prompt: Int, _ margin: Float?) -> Divergence {
            Divergence(prompt: prompt, position: 2, plainToken: 3, token: 9, margin: margin)
        }
        var noise = Noise()
        noise.compare([1, 2, 3], [3, 0.5, 0.0625], [1, 2, 3], [3, 0.5, 0.0625])
        #expect(noise.nats == 0 && noise.tokens == 3 && !noise.explains(divergence(0, 0)))
        noise.compare([1, 2, 3], [3, 0.5, nil], [1, 2, 3], [3, 0.625, 9])
        #expect(noise.nats == 0.125 && noise.tokens == 5)
        #expect(noise.explains(divergence(0, 0.125)) && !noise.explains(divergence(0, 0.126)))
        #expect(!noise.explains(divergence(0, nil)), "a missing token is no tie")
        // Plain outputs that part: the noise was at least the lead, and what follows says nothing.
        noise.compare([1, 2, 3], [3, 0.25, 0], [1, 9, 3], [3, 0.5, 8])
        #expect(noise.nats == 0.25)
    }

    @Test("the beginning of an id names the job if it is the only one")
    func prefixes() throws {
        let ids = ["abc1", "abd2", "ffff"]
        #expect(try CoordinatorClient.resolve("abc", among: ids) == "abc1")
        #expect(try CoordinatorClient.resolve("F", among: ids) == "ffff")
        for bad in ["ab", "", "9"] {
            #expect(throws: NacreError.self) { try CoordinatorClient.resolve(bad, among: ids) }
        }
    }

    @Test("a table pads all columns but the last and keeps each cell on its line")
    func tables() {
        var table = Table("id", "text")
        table.add("1", "a\nb")
        table.add("longer", "c\t\\")
        #expect(table.aligned == ["ID      TEXT", "1       a\\nb", "longer  c\\t\\\\"])
    }

    @Test("text cannot steer a terminal")
    func harmlessText() {
        #expect(Terminal.harmless("a\u{1B}[31m\tb\n\u{7}\u{9B}é") == "a[31m\tb\né")
    }
}

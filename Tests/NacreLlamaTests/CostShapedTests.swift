import Foundation
import NacreCore
import NacreEngine
import NacreLlama
import Testing

/// The models that speculation is measured with are the small target in everything but cost.
@Suite(.serialized) struct CostShapedTests {
    private static let prompts = [
        "def main():\n", "import os\nimport sys\n\n", "class Node:\n    def __init__(self, value", "for i in range(",
        "try:\n    import json\nexcept", "    return self.", "# Copyright", "def test_", "if __name__ == ",
        "with open(path, 'r') as", "print(\"", "@property\n    def ", "from typing import ", "    raise ValueError(",
        "async def fetch(url", "x = [i for i in", "    \"\"\"Return the ", "elif isinstance(", "lambda x: ",
        "numpy.array([",
    ]

    /// Larger models than 100m take a minute and a gigabyte: they are tested when asked for.
    private static let presets =
        ProcessInfo.processInfo.environment["NACRE_TEST_SHAPES"]?.split(separator: " ") ?? ["100m"]

    /// Each prompt with the small target's 64 greedy tokens after it, and the rows of all of it.
    private static let references = Result { () throws -> [(text: [TokenID], rows: [AuditedRow])] in
        let target = try LlamaModel(path: Fixture.target)
        let tokenizer = try LlamaTokenizer(target)
        return try prompts.map { prompt in
            var engine = try AuditedEngine(target, LlamaSettings(threads: 1, contextPerJob: 128))
            var text = try tokenizer.tokenize(Array(prompt.utf8), addSpecial: true, parseSpecial: false)
            var choice = try engine.run(ForestNode.chain(text, from: 0, sequence: 0, policy: .greedy)).last
            for position in text.count..<text.count + 64 {
                let token = try #require(choice).token
                text.append(token)
                choice = try engine.run(ForestNode.chain([token], from: position, sequence: 0, policy: .greedy)).last
            }
            return (text, engine.rows)
        }
    }

    /// The rows of the same texts from the model at `path`. One pass per text, since exact rows do not depend on it.
    private func rows(_ path: String, of texts: [[TokenID]]) throws -> [[AuditedRow]] {
        let model = try LlamaModel(path: path)
        return try texts.map { text in
            var engine = try AuditedEngine(model, LlamaSettings(threads: 1, contextPerJob: 128))
            try engine.run(ForestNode.chain(text, from: 0, sequence: 0, policy: .greedy))
            return engine.rows
        }
    }

    @Test("in Q8_0 the logits are the small target's, bit for bit", arguments: presets)
    func sameBits(preset: Substring) throws {
        let references = try Self.references.get()
        let rows = try rows(CostShaped.path(String(preset), "q8_0"), of: references.map(\.text))
        for (prompt, (reference, shaped)) in zip(Self.prompts, zip(references, rows)) {
            #expect(reference.rows.map(\.choice) == shaped.map(\.choice), "\(prompt)")
            #expect(reference.rows.map(\.bits) == shaped.map(\.bits), "\(prompt)")
        }
    }

    @Test(
        "in Q4_0 and BF16 the greedy tokens are the small target's, but for near ties", arguments: presets,
        ["q4_0", "bf16"])
    func sameTokens(preset: Substring, type: String) throws {
        let references = try Self.references.get()
        let rows = try rows(CostShaped.path(String(preset), type), of: references.map(\.text))
        let flips = zip(references, rows).map { reference, shaped in
            zip(reference.rows, shaped).filter { $0.choice.token != $1.choice.token }.map(\.0.choice.margin)
        }
        let (equal, all) = (flips.count { $0.isEmpty }, flips.count)
        print(
            "cost-shaped \(preset) \(type): \(flips.joined().count) of \(rows.joined().count) tokens differ, by at most",
            "\(flips.joined().max() ?? 0) nats; \(equal) of \(all) texts are equal")
        #expect(equal >= 15, "\(flips)")
        #expect(flips.joined().allSatisfy { $0 < 0.1 }, "\(flips)")
    }
}

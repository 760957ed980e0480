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

    /// How far sums that are rounded in another order may lead. Measured (docs/models.md): Q4_0 13 equal texts and 9
    /// other tokens, where the choice led by at most 0.027 nats; BF16 14, 7 and 0.016. Kernels of another processor
    /// round in another way again, hence one text, two tokens and a little lead more.
    struct Bound: Sendable {
        let type: String
        let textsEqualMin: Int
        let tokensMax: Int
        let leadMax: Float
    }

    @Test(
        "in Q4_0 and BF16 the greedy tokens are the small target's, but for a few near ties", arguments: presets,
        [
            Bound(type: "q4_0", textsEqualMin: 12, tokensMax: 11, leadMax: 0.04),
            // 13 and 9 with BF16 instructions; 11 and 11 on a CPU without them, which rounds otherwise.
            Bound(type: "bf16", textsEqualMin: 10, tokensMax: 12, leadMax: 0.025),
        ])
    func sameTokens(preset: Substring, bound: Bound) throws {
        let type = bound.type
        let references = try Self.references.get()
        let rows = try rows(CostShaped.path(String(preset), type), of: references.map(\.text))
        let flips = zip(references, rows).map { reference, shaped in
            zip(reference.rows, shaped).filter { $0.choice.token != $1.choice.token }.map(\.0.choice.margin)
        }
        let (equal, all) = (flips.count { $0.isEmpty }, flips.count)
        print(
            "cost-shaped \(preset) \(type): \(flips.joined().count) of \(rows.joined().count) tokens differ, by at",
            "most \(flips.joined().max() ?? 0) nats; \(equal) of \(all) texts are equal")
        #expect(equal >= bound.textsEqualMin && flips.joined().count <= bound.tokensMax, "\(flips)")
        #expect(flips.joined().allSatisfy { $0 <= bound.leadMax }, "\(flips)")
    }
}

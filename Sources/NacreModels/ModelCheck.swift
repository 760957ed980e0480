import NacreCore
import NacreEngine
package import NacreLlama

/// The trial of a model file: everything that can be wrong with it, tried in order until something is.
package struct ModelCheck: Encodable, Sendable {
    /// One thing that was tried.
    package struct Step: Encodable, Sendable, Equatable {
        package let name: String
        package let passed: Bool
        /// What was found; for a failure what is wrong and what to do.
        package let detail: String
    }

    package let path: String
    package private(set) var steps: [Step] = []
    /// What is known about the file, with what was measured.
    package private(set) var facts: ModelFacts?
    /// The vocabulary; `nil` if the file has no usable one.
    package private(set) var tokenizer: LlamaTokenizer?
    package var passed: Bool { steps.allSatisfy(\.passed) }

    private enum CodingKeys: CodingKey { case path, passed, steps, facts }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(path, forKey: .path)
        try container.encode(passed, forKey: .passed)
        try container.encode(steps, forKey: .steps)
        try container.encodeIfPresent(facts, forKey: .facts)
    }

    /// Tries the file at `path`. Loads all of it: takes the memory and, at least, the time that a node takes.
    ///
    /// - Parameter threads: threads that compute.
    package init(path: String, threads: Int) {
        self.path = path
        do throws(EngineError) {
            try tryFile()
            let outline = try ModelOutline(path: path)
            facts = ModelFacts(outline)
            tokenizer = outline.tokenizer
            try tryTokenizer(outline.tokenizer)
            let model = try LlamaModel(path: path, checksWeights: true)
            add("weights", "\(model.description); every one is a number")
            try tryDecoding(model, outline.tokenizer, threads)
        } catch {
            steps.append(Step(name: Self.names[steps.count], passed: false, detail: "\(error)"))
        }
    }

    /// Tries the file on a thread of its own: loading and decoding block for as long as a large model takes.
    package static func run(path: String, threads: Int) async -> ModelCheck {
        let executor = ThreadExecutor(name: "check")
        defer { executor.stop() }
        return await withCheckedContinuation { continuation in
            executor.call { continuation.resume(returning: ModelCheck(path: path, threads: threads)) }
        }
    }

    /// The steps in their order.
    package static let names = ["file", "tokenizer", "weights", "decode", "rollback"]

    private mutating func add(_ name: String, _ detail: String) {
        steps.append(Step(name: name, passed: true, detail: detail))
    }

    private mutating func tryFile() throws(EngineError) {
        let header = try GGUFHeader(path: path)
        try header.requireGenerator()
        let tensors = header.tensorTypes.values.reduce(0, +)
        let others = header.details.files.map { ", the first of \($0) files" } ?? ""
        add("file", "a GGUF of \(header.bytes) bytes with all of its \(tensors) tensors\(others)")
    }

    private mutating func tryTokenizer(_ tokenizer: LlamaTokenizer) throws(EngineError) {
        let tokens = try tokenizer.tokenize(Array(ModelPair.sample.utf8), addSpecial: true, parseSpecial: false)
        guard !tokens.isEmpty, tokens.allSatisfy({ $0.rawValue < tokenizer.vocabularySize }) else {
            throw EngineError(
                .modelUnsupported, "the tokenizer of \(path) makes no tokens of a text",
                remedy: "convert the model again with its tokenizer")
        }
        let words = ModelPair.returnsText(tokenizer) ? "comes back byte for byte" : "does not come back byte for byte"
        add("tokenizer", "\(tokenizer.vocabularySize) tokens; a text cut into tokens and joined \(words)")
    }

    /// Decodes a prompt and one token after it.
    private mutating func tryDecoding(
        _ model: LlamaModel, _ tokenizer: LlamaTokenizer, _ threads: Int
    ) throws(EngineError) {
        var prompt = try tokenizer.tokenize(Array("def main():".utf8), addSpecial: true, parseSpecial: false)
        if prompt.isEmpty { prompt = [0] }
        prompt = Array(prompt.prefix(16))
        var engine = try LlamaEngine(
            model: model, settings: LlamaSettings(threads: threads, contextPerJob: 32, nodesMax: 16))
        let watch = RowWatch()
        engine.rowTap = { _, row in watch.look(row) }
        let first = try engine.run(EnginePass(edits: [], nodes: Self.nodes(prompt, from: 0)))
        guard let token = first.last?.choice?.token else { throw EngineError(.failed, "\(path): no token was chosen") }
        _ = try engine.run(EnginePass(edits: [], nodes: Self.nodes([token], from: prompt.count)))
        guard watch.bad == 0 else {
            throw EngineError(
                .modelUnsupported, "\(path) computes logits that are not numbers (\(watch.bad) of \(watch.all))",
                remedy: "the weights are damaged or badly converted: download or convert the model again")
        }
        add("decode", "the logits of \(prompt.count + 1) tokens are finite")
        let canRewind = engine.shape.canRewind
        facts?.rollback = ModelFacts.Rollback(
            works: canRewind, reason: canRewind ? "tokens were taken back" : "the model refused to take tokens back",
            isMeasured: true)
        add(
            "rollback",
            canRewind
                ? "works" : "does not work: as a target the model decodes plainly, as a drafter it is refused")
    }

    private static func nodes(_ tokens: [TokenID], from start: Int) -> [ForestNode] {
        tokens.enumerated().map { offset, token in
            ForestNode(
                token: token, position: Position(rawValue: start + offset), sequence: 0,
                score: ScoreRequest(key: 0, index: start + offset, policy: .greedy))
        }
    }
}

/// Counts logits that are no numbers.
private final class RowWatch {
    private(set) var all = 0
    private(set) var bad = 0

    func look(_ row: Span<Float>) {
        all += row.count
        for index in row.indices where !row[index].isFinite { bad += 1 }
    }
}

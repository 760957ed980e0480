import Foundation
import NacreCore
import NacreEngine
import NacreLlama

/// The oracle: the target in this process, fed one token at a time, with no cluster and no second sequence about.
struct PlainDecoder {
    private let model: LlamaModel
    private let tokenizer: LlamaTokenizer

    init(_ path: String) throws {
        model = try LlamaModel(path: path)
        tokenizer = try LlamaTokenizer(model)
    }

    /// The bytes of a token.
    func piece(_ token: UInt32) -> [UInt8] { tokenizer.piece(TokenID(rawValue: token)) }

    /// The most probable next token, again and again, until the end of generation or `tokensMax`.
    func greedy(_ prompt: String, tokensMax: Int) throws -> [UInt32] {
        let text = try tokenizer.tokenize(Array(prompt.utf8), addSpecial: true, parseSpecial: false)
        var engine = try LlamaEngine(
            model: model, settings: LlamaSettings(threads: 1, contextPerJob: text.count + tokensMax))
        var output: [UInt32] = []
        var pending = text[...]
        var position: Position = 0
        while output.count < tokensMax, let token = pending.popFirst() {
            let request = ScoreRequest(key: 0, index: output.count, policy: .greedy)
            let node = ForestNode(
                token: token, position: position, sequence: 0, score: pending.isEmpty ? request : nil)
            position = position + 1
            for choice in try engine.run(EnginePass(nodes: [node])).compactMap(\.choice) {
                output.append(choice.token.rawValue)
                if tokenizer.isEndOfGeneration(choice.token) { return output }
                pending = [choice.token]
            }
        }
        return output
    }

    /// The laws of the first `count` tokens after `prompt`, by exact enumeration: for every output of fewer tokens that
    /// `policy` allows, the probability of each token behind it. An output that has ended has no entry.
    ///
    /// - Parameter outputs: whose laws are wanted instead, for comparison with another model's.
    func laws(
        _ prompt: String, _ policy: SamplingPolicy, tokens count: Int, of outputs: [[UInt32]]? = nil
    ) throws -> [[UInt32]: [UInt32: Double]] {
        let text = try tokenizer.tokenize(Array(prompt.utf8), addSpecial: true, parseSpecial: false)
        var engine = try LlamaEngine(
            model: model, settings: LlamaSettings(threads: 1, contextPerJob: text.count + count))
        var laws: [[UInt32]: [UInt32: Double]] = [:]
        var level = outputs ?? [[]]
        while !level.isEmpty {
            for output in level {
                let tokens = text + output.map { TokenID(rawValue: $0) }
                laws[output] = try Self.law(behind: tokens, output.count, policy, by: &engine)
            }
            guard outputs == nil else { break }
            level = level.filter { $0.count + 1 < count }.flatMap { output in
                (laws[output] ?? [:]).keys.filter { !tokenizer.isEndOfGeneration(TokenID(rawValue: $0)) }
                    .map { output + [$0] }
            }
        }
        return laws
    }

    /// The law of each token of `output`, given the text before it.
    func laws(_ prompt: String, _ policy: SamplingPolicy, along output: [UInt32]) throws -> [[UInt32: Double]] {
        let text = try tokenizer.tokenize(Array(prompt.utf8), addSpecial: true, parseSpecial: false)
        let tokens = text + output.dropLast().map { TokenID(rawValue: $0) }
        var engine = try LlamaEngine(model: model, settings: LlamaSettings(threads: 1, contextPerJob: tokens.count + 1))
        let nodes = tokens.enumerated().map { place, token in
            let index = place - text.count + 1
            let request = ScoreRequest(key: 0, index: max(0, index), policy: policy, kind: .law)
            return ForestNode(
                token: token, position: Position(rawValue: place), sequence: 0, score: index < 0 ? nil : request)
        }
        return try nodes.flatMap { try engine.run(EnginePass(nodes: [$0])) }.map(Self.law)
    }

    private static func law(_ score: Score) -> [UInt32: Double] {
        guard case .law(let row) = score else { return [:] }
        return row.probabilities.enumerated().reduce(into: [:]) { law, entry in
            if entry.element > 0 { law[UInt32(entry.offset)] = entry.element }
        }
    }

    private static func law(
        behind tokens: [TokenID], _ index: Int, _ policy: SamplingPolicy, by engine: inout LlamaEngine
    ) throws -> [UInt32: Double] {
        let request = ScoreRequest(key: 0, index: index, policy: policy, kind: .law)
        for (place, token) in tokens.enumerated() {
            let node = ForestNode(
                token: token, position: Position(rawValue: place), sequence: 0,
                score: place == tokens.count - 1 ? request : nil)
            let edits: [CacheEdit] = place == 0 ? [.release(0)] : []
            if let score = try engine.run(EnginePass(edits: edits, nodes: [node])).first { return Self.law(score) }
        }
        return [:]
    }
}

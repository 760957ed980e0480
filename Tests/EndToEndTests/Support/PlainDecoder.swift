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
}

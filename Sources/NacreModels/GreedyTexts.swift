import NacreCore
import NacreEngine
import NacreLlama

/// Texts as a target continues them, greedily: what drafters are held against.
struct GreedyTexts: Sendable {
    private struct Text {
        var tokens: [TokenID]
        /// Tokens of the prompt.
        var start: Int
    }

    private var texts: [Text] = []

    /// Tokens of a prompt that are read at most.
    private static let promptMax = 128

    /// Texts with at least one token of the target's.
    var count: Int { texts.count }

    private init(_ texts: [Text]) { self.texts = texts }

    /// Has `target`, with a context of at least 128 tokens and `tokens`, continue prompts.
    ///
    /// - Parameters:
    ///   - tokens: of the target's in each text, at most.
    ///   - least: texts that are made even after the deadline.
    init(
        _ prompts: [String], target: LoadedModel, tokens: Int, until deadline: ContinuousClock.Instant, least: Int = 1
    ) async throws(EngineError) {
        for prompt in prompts where texts.count < least || .now < deadline {
            let all = try target.tokenizer.tokenize(Array(prompt.utf8), addSpecial: true, parseSpecial: false)
            let start = Array(all.suffix(Self.promptMax))
            guard !start.isEmpty else { continue }
            let text = try await Self.decode(start, target, tokens, until: deadline)
            if text.count > start.count { texts.append(Text(tokens: text, start: start.count)) }
        }
    }

    /// Every second text, and the others.
    var halves: (GreedyTexts, GreedyTexts) {
        let numbered = texts.enumerated()
        return (
            GreedyTexts(numbered.filter { $0.offset % 2 == 0 }.map(\.element)),
            GreedyTexts(numbered.filter { $0.offset % 2 == 1 }.map(\.element))
        )
    }

    /// How often `draft`, of the target's vocabulary, would have drafted what the target chose: it reads each text in
    /// one pass, which says at every position what it would have drafted there.
    func agreement(of draft: LoadedModel) async throws(EngineError) -> MeasuredAgreement {
        var total = MeasuredAgreement(agreed: 0, judged: 0)
        for text in texts {
            let drafted = try await Self.choices(
                of: Array(text.tokens.dropLast()), at: 0, scoredFrom: text.start - 1, [.release(0)], draft)
            total.judged += drafted.count
            total.agreed += zip(drafted, text.tokens.dropFirst(text.start)).count { $0 == $1 }
        }
        return total
    }

    /// The text with what the target makes of it; at least one token more unless it ends there.
    private static func decode(
        _ start: [TokenID], _ target: LoadedModel, _ tokens: Int, until deadline: ContinuousClock.Instant
    ) async throws(EngineError) -> [TokenID] {
        var text = start
        var fresh = start
        repeat {
            let from = text.count - fresh.count
            let edits: [CacheEdit] = from == 0 ? [.release(0)] : []
            let choices = try await choices(of: fresh, at: from, scoredFrom: text.count - 1, edits, target)
            guard let next = choices.first, !target.tokenizer.isEndOfGeneration(next) else { break }
            text.append(next)
            fresh = [next]
        } while text.count < start.count + tokens && .now < deadline
        return text
    }

    /// The greedy choices behind the tokens at positions `scoredFrom ...`.
    private static func choices(
        of tokens: [TokenID], at start: Int, scoredFrom first: Int, _ edits: [CacheEdit], _ model: LoadedModel
    ) async throws(EngineError) -> [TokenID] {
        let nodes = tokens.enumerated().map { offset, token in
            ForestNode(
                token: token, position: Position(rawValue: start + offset), sequence: 0,
                score: start + offset >= first ? ScoreRequest(key: 0, index: 0, policy: .greedy) : nil)
        }
        return try await model.host.run(EnginePass(edits: edits, nodes: nodes)).scores.map { score in
            if case .choice(let choice) = score { choice.token } else { 0 }
        }
    }
}

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
    /// Tokens of the target's in all of them.
    private var positions: Int { texts.reduce(0) { $0 + $1.tokens.count - $1.start } }

    private init(_ texts: [Text]) { self.texts = texts }

    /// Has `target`, with a context of `promptMax` and as many tokens as a text may have, continue prompts.
    ///
    /// - Parameters:
    ///   - tokens: of the target's in each text, at most, unless there are too few prompts for `positionsMin`.
    ///   - positionsMin: tokens of the target's in all texts that are made even after the deadline, while there are
    ///     prompts.
    ///   - progress: told when the deadline has passed.
    init(
        _ prompts: [String], target: LoadedModel, tokens: Int, positionsMin: Int,
        until deadline: ContinuousClock.Instant, progress: @Sendable (String) -> Void
    ) async throws(EngineError) {
        let length = max(tokens, (positionsMin + prompts.count - 1) / max(1, prompts.count))
        for prompt in prompts where positions < positionsMin || .now < deadline {
            if positions > 0, .now >= deadline {
                progress("the target is slow: \(positions) of \(positionsMin) positions compared")
            }
            let all = try target.tokenizer.tokenize(Array(prompt.utf8), addSpecial: true, parseSpecial: false)
            let start = Array(all.suffix(Self.promptMax))
            guard !start.isEmpty else { continue }
            let text = try await Self.decode(start, target, length)
            if text.count > start.count { texts.append(Text(tokens: text, start: start.count)) }
        }
    }

    /// The texts in two sets of about the same size and, where kinds of text come in turns, the same kinds: by the
    /// Thue-Morse sequence, since every second text would be of every second kind.
    var halves: (GreedyTexts, GreedyTexts) {
        func half(_ parity: Int) -> GreedyTexts {
            GreedyTexts(texts.enumerated().filter { $0.offset.nonzeroBitCount % 2 == parity }.map(\.element))
        }
        return (half(0), half(1))
    }

    /// How often `draft`, an engine in the target's tokens, would have drafted what the target chose: it reads each
    /// text in one pass, which says at every position what it would have drafted there.
    func agreement<E: Engine & SendableMetatype & ~Copyable>(
        of draft: EngineHost<E>
    ) async throws(EngineError) -> MeasuredAgreement {
        var total = MeasuredAgreement(agreed: 0, judged: 0)
        for text in texts {
            let drafted = try await Self.choices(
                of: Array(text.tokens.dropLast()), at: 0, scoredFrom: text.start - 1, [.release(0)], draft)
            total.judged += drafted.count
            total.agreed += zip(drafted, text.tokens.dropFirst(text.start)).count { $0 == $1 }
        }
        return total
    }

    /// The text with what the target makes of it: so many tokens more unless it ends before.
    private static func decode(
        _ start: [TokenID], _ target: LoadedModel, _ tokens: Int
    ) async throws(EngineError) -> [TokenID] {
        var text = start
        var fresh = start
        repeat {
            let from = text.count - fresh.count
            let edits: [CacheEdit] = from == 0 ? [.release(0)] : []
            let choices = try await choices(of: fresh, at: from, scoredFrom: text.count - 1, edits, target.host)
            guard case let next?? = choices.first, !target.tokenizer.isEndOfGeneration(next) else { break }
            text.append(next)
            fresh = [next]
        } while text.count < start.count + tokens
        return text
    }

    /// The greedy choices behind the tokens at positions `scoredFrom ...`; `nil` where nothing is drafted.
    private static func choices<E: Engine & SendableMetatype & ~Copyable>(
        of tokens: [TokenID], at start: Int, scoredFrom first: Int, _ edits: [CacheEdit], _ host: EngineHost<E>
    ) async throws(EngineError) -> [TokenID?] {
        let nodes = tokens.enumerated().map { offset, token in
            ForestNode(
                token: token, position: Position(rawValue: start + offset), sequence: 0,
                score: start + offset >= first ? ScoreRequest(key: 0, index: 0, policy: .greedy) : nil)
        }
        return try await host.run(EnginePass(edits: edits, nodes: nodes)).scores.map { score in
            if case .choice(let choice) = score { choice.token } else { nil }
        }
    }
}

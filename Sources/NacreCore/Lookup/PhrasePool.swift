/// Short runs of tokens that were met, by the token before them.
///
/// Bounded: at most `phrasesMax` phrases of at most `tokensMax` tokens behind each of at most `keysMax` tokens. A
/// phrase that is met moves to the front of its key; the one that was met longest ago goes first. When there are too
/// many keys, the half of them that learned nothing for the longest time goes.
///
/// - Source: Zhao et al., "Ouroboros", EMNLP 2024 (2402.13720); the pool is that of Fu et al., "Lookahead decoding",
///   ICML 2024: level 7 (6 tokens behind the key), guess sets of 20.
package struct PhrasePool: Sendable {
    package struct Phrase: Sendable {
        package let tokens: [TokenID]
        /// How often it was met.
        var times: Int
    }

    private struct Entry: Sendable {
        /// The latest met first.
        var phrases: [Phrase] = []
        var learned = 0
    }

    package let tokensMax: Int
    private let phrasesMax: Int
    private let keysMax: Int
    private var entries: [TokenID: Entry] = [:]
    private var clock = 0

    package init(tokensMax: Int = 6, phrasesMax: Int = 20, keysMax: Int = 32_768) {
        precondition(tokensMax > 0 && phrasesMax > 0 && keysMax > 1, "\(tokensMax), \(phrasesMax), \(keysMax)")
        self.tokensMax = tokensMax
        self.phrasesMax = phrasesMax
        self.keysMax = keysMax
    }

    /// Phrases held.
    package var count: Int { entries.values.reduce(0) { $0 + $1.phrases.count } }

    /// The phrases behind `token`, the latest met first.
    package func phrases(behind token: TokenID) -> [Phrase] { entries[token]?.phrases ?? [] }

    /// Learns what follows each token of `text` but the last: up to `tokensMax` tokens of it.
    package mutating func learn(_ text: [TokenID]) {
        for place in text.indices.dropLast() {
            learn(Array(text[(place + 1)...].prefix(tokensMax)), behind: text[place])
        }
    }

    package mutating func learn(_ phrase: [TokenID], behind key: TokenID) {
        clock += 1
        var entry = entries[key] ?? Entry()
        entry.learned = clock
        var times = 1
        if let place = entry.phrases.firstIndex(where: { $0.tokens == phrase }) {
            times += entry.phrases.remove(at: place).times
        }
        entry.phrases.insert(Phrase(tokens: phrase, times: times), at: 0)
        if entry.phrases.count > phrasesMax { entry.phrases.removeLast() }
        entries[key] = entry
        if entries.count > keysMax { forgetHalf() }
    }

    private mutating func forgetHalf() {
        // The stamps differ, so that the order is the same in every process.
        let latest = entries.values.map(\.learned).sorted(by: >)
        let oldest = latest[keysMax / 2]
        entries = entries.filter { $0.value.learned > oldest }
    }

    /// Puts a rejected draft to use: what stands behind the rejected token is often right with that token corrected.
    ///
    /// - Parameters:
    ///   - draft: the drafts of one path; as `decided`, from the same position on.
    ///   - decided: what the target committed there, or would have said behind rejected drafts, as far as is known.
    ///   - token: the last token before both.
    /// - Source: Ouroboros, section 3.3.
    package mutating func reuse(_ draft: [TokenID], decided: [TokenID], behind token: TokenID) {
        guard let wrong = zip(draft, decided).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset
        else { return }
        learn(Array(draft[wrong...]))
        let before = wrong > 0 ? decided[wrong - 1] : token
        learn([before] + decided[wrong...] + draft.dropFirst(decided.count))
    }
}

/// Prompt lookup (`ngram`): the last few tokens are looked up in the text itself, and what followed them is proposed.
///
/// The longest n-gram that occurred before decides, shorter ones fill what places it leaves. Of several occurrences the
/// commonest continuation comes first, the most recent one on a tie; the published code takes the leftmost, which is
/// what a text has moved on from. Takes `tokensMax` steps per token taken in or taken back, and keeps about
/// 40 · `tokensMax` bytes per token of the text, which its owner bounds (a job's context).
///
/// - Source: Saxena, "Prompt lookup decoding", 2023; the n-gram drafter of Hugging Face transformers.
package struct PromptLookup: LookupDrafter {
    private struct Gram: Hashable, Sendable {
        let size: Int
        let hash: UInt64
    }

    private let tokensMin: Int
    private let tokensMax: Int
    private let occurrencesMax: Int
    private var text: [TokenID] = []
    /// Where the latest n-gram of this hash ends.
    private var latest: [Gram: Int] = [:]
    /// For each token and size where the n-gram of the same hash ended before, -1 if there was none.
    private var previous: [Int] = []

    /// - Parameters:
    ///   - tokensMin: least tokens that must match, at least 1; as `tokensMax`, the most that are looked at.
    ///   - occurrencesMax: most recent occurrences that are counted.
    package init(tokensMin: Int = 1, tokensMax: Int = 4, occurrencesMax: Int = 16) {
        precondition(1 <= tokensMin && tokensMin <= tokensMax && occurrencesMax > 0, "\(tokensMin)...\(tokensMax)")
        self.tokensMin = tokensMin
        self.tokensMax = tokensMax
        self.occurrencesMax = occurrencesMax
    }

    package var length: Int { text.count }

    package mutating func append(_ tokens: [TokenID], memory: inout LookupMemory) {
        for token in tokens {
            text.append(token)
            previous += Array(repeating: -1, count: sizes)
            for gram in grams(endingAt: text) {
                let before = latest.updateValue(text.count - 1, forKey: gram)
                previous[place(of: gram, endingAt: text.count - 1)] = before ?? -1
            }
        }
    }

    package mutating func rewind(to length: Int) {
        precondition((0...text.count).contains(length), "\(length) of \(text.count) tokens")
        while text.count > length {
            for gram in grams(endingAt: text) {
                let before = previous[place(of: gram, endingAt: text.count - 1)]
                latest[gram] = before < 0 ? nil : before
            }
            previous.removeLast(sizes)
            text.removeLast()
        }
    }

    package func candidates(after path: [TokenID], count: Int, memory: LookupMemory) -> [Candidate] {
        let context = Array(text.suffix(max(0, tokensMax - path.count))) + path.suffix(tokensMax)
        var found: [Candidate] = []
        for gram in grams(endingAt: context).reversed() where found.count < count {
            let counts = continuations(of: gram, context.suffix(gram.size), path)
            found = found.united(with: counts.candidates(count, matched: gram.size), count: count)
        }
        return found
    }

    private func continuations(of gram: Gram, _ tokens: ArraySlice<TokenID>, _ path: [TokenID]) -> ContinuationCounts {
        var counts = ContinuationCounts()
        var end = latest[gram] ?? -1
        var seen = 0
        while end >= 0, seen < occurrencesMax {
            // Hashes may collide. Behind the text's last token the path goes on, and so repeats itself.
            let isEqual = end + 1 >= gram.size && text[(end + 1 - gram.size)...end].elementsEqual(tokens)
            if isEqual, let next = end + 1 < text.count ? text[end + 1] : path.first {
                counts.add(next, recency: end)
                seen += 1
            }
            end = previous[place(of: gram, endingAt: end)]
        }
        return counts
    }

    private var sizes: Int { tokensMax - tokensMin + 1 }

    private func place(of gram: Gram, endingAt end: Int) -> Int { end * sizes + gram.size - tokensMin }

    /// The n-grams at the end of `tokens`, the shortest first.
    private func grams(endingAt tokens: [TokenID]) -> [Gram] {
        var hash: UInt64 = 0
        var grams: [Gram] = []
        for size in stride(from: 1, through: min(tokensMax, tokens.count), by: 1) {
            let token = UInt64(tokens[tokens.count - size].rawValue)
            hash = (hash ^ token) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
            if size >= tokensMin { grams.append(Gram(size: size, hash: hash)) }
        }
        return grams
    }
}

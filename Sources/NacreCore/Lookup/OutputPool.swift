/// Past outputs of all jobs, of one vocabulary, to draft from: what was said once is often said again.
///
/// Two suffix automata, a young one that outputs are added to and an old one. When an output does not fit into the
/// young one any more, the old one is dropped and the young one takes its place. So the pool never holds more than
/// `tokensMax` tokens (about 200 bytes each), what goes is the oldest half at once, and of the last `tokensMax` / 2
/// tokens remembered nothing is missing but the beginning of an output that is longer by itself.
///
/// - Source: Oliaro et al., "SuffixDecoding: extreme speculative decoding for emerging AI applications", 2024, where
///   the
///   tree of past outputs is unbounded.
package struct OutputPool: Sendable {
    package let tokensMax: Int
    package private(set) var young = SuffixAutomaton()
    package private(set) var old = SuffixAutomaton()

    /// Stands between outputs; no vocabulary has it.
    package static let separator = TokenID(rawValue: .max)
    /// Tokens of a text that are looked up.
    package static let contextMax = 64

    /// - Parameter tokensMax: most tokens held, at least 4; the default is about 50 MB when full.
    package init(tokensMax: Int = 262_144) {
        precondition(tokensMax >= 4, "a pool of \(tokensMax) tokens")
        self.tokensMax = tokensMax
    }

    /// Tokens held, with one for each output.
    package var count: Int { young.length + old.length }

    /// Adds a finished output. O(1) amortised per token.
    package mutating func remember(_ output: [TokenID]) {
        let half = tokensMax / 2
        let kept = output.suffix(half - 1)
        guard !kept.isEmpty else { return }
        if young.length + kept.count + 1 > half {
            old = young
            young = SuffixAutomaton()
        }
        for token in kept { young.append(token) }
        young.append(Self.separator)
    }

    /// What followed the longest end of `context` that occurs in either half.
    package func findings(after context: ArraySlice<TokenID>, count: Int) -> [SuffixFinding] {
        [young, old].compactMap { automaton in
            let match = context.suffix(Self.contextMax).reduce(SuffixAutomaton.Match()) {
                automaton.advance($0, by: $1)
            }
            return SuffixFinding(automaton, match, count: count)
        }
    }
}

/// What one automaton proposes behind one text.
package struct SuffixFinding {
    /// Tokens of the longest match that anything followed.
    package let matched: Int
    package let candidates: [Candidate]

    /// Shorter matches that fill the places which the longest leaves.
    private static let matchesMax = 8

    /// `nil` if nothing followed.
    package init?(_ automaton: SuffixAutomaton, _ match: SuffixAutomaton.Match, count: Int) {
        var longest: Int?
        var found: [Candidate] = []
        var next: SuffixAutomaton.Match? = match
        var used = 0
        while let match = next, match.length > 0, used < Self.matchesMax, found.count < count {
            next = automaton.shorter(match)
            let counts = automaton.continuations(of: match, excluding: OutputPool.separator)
            if counts.isEmpty { continue }
            longest = longest ?? match.length
            used += 1
            found = found.united(with: counts.candidates(count, matched: match.length), count: count)
        }
        guard let longest else { return nil }
        matched = longest
        candidates = found
    }
}

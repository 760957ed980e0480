/// Drafts by suffix automaton (`suffix`): the longest end of the text that occurred before, in the text itself or among
/// past outputs, and what followed it.
///
/// Like prompt lookup without a limit to the match, at O(1) amortised per token, with counts over all occurrences. The
/// source with the longer match comes first; the others and shorter matches fill what places it leaves.
///
/// - Source: Oliaro et al., "SuffixDecoding: extreme speculative decoding for emerging AI applications", 2024.
package struct SuffixLookup: LookupDrafter {
    private let windowMax: Int
    /// Tokens that can be taken back without a look at the whole text.
    private static let undoMax = 512
    /// Tokens before the window, which are forgotten.
    private var forgotten = 0
    private var text: [TokenID] = []
    package private(set) var automaton = SuffixAutomaton(undoMax: Self.undoMax)

    /// - Parameter windowMax: most tokens of the text that are indexed; when there are more, the older half is
    ///   forgotten.
    package init(windowMax: Int = 131_072) {
        precondition(windowMax >= 2, "a window of \(windowMax) tokens")
        self.windowMax = windowMax
    }

    package var length: Int { forgotten + text.count }
    /// Tokens of the longest end of the text that occurred before.
    package var matched: Int { automaton.ending.length }

    package mutating func append(_ tokens: [TokenID], memory: inout LookupMemory) {
        for token in tokens {
            text.append(token)
            if text.count <= windowMax {
                automaton.append(token)
            } else {
                forgotten += text.count - windowMax / 2
                text.removeFirst(text.count - windowMax / 2)
                rebuild()
            }
        }
    }

    /// Costs what the tokens cost that are taken back, up to 512 of them; beyond, as much as taking the rest in again.
    package mutating func rewind(to length: Int) {
        precondition((0...self.length).contains(length), "\(length) of \(self.length) tokens")
        let tokens = self.length - length
        text.removeLast(min(tokens, text.count))
        forgotten = length - text.count
        if tokens <= automaton.undoable {
            for _ in 0..<tokens { automaton.removeLast() }
        } else {
            rebuild()
        }
    }

    private mutating func rebuild() {
        automaton = SuffixAutomaton(undoMax: Self.undoMax)
        for token in text { automaton.append(token) }
    }

    package func candidates(after path: [TokenID], count: Int, memory: LookupMemory) -> [Candidate] {
        let match = path.reduce(automaton.ending) { automaton.advance($0, by: $1) }
        let context = Array(text.suffix(max(0, OutputPool.contextMax - path.count))) + path
        let own = SuffixFinding(automaton, match, count: count).map { [$0] } ?? []
        // Of equally long matches the text's own comes first, then the younger outputs.
        let findings = (own + memory.outputs.findings(after: context[...], count: count)).enumerated().sorted {
            ($1.element.matched, $0.offset) < ($0.element.matched, $1.offset)
        }
        return findings.reduce(into: []) { $0 = $0.united(with: $1.element.candidates, count: count) }
    }
}

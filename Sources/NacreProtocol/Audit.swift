package import NacreCore

// What an auditor may ask of a machine: read-only, and used by no decision.

/// A machine's belief about one sequence of its engine.
package struct CachedText: Sendable, Equatable {
    package let sequence: SequenceID
    /// The tokens at positions `0 ..< tokens.count`.
    package let tokens: [TokenID]
    /// Positions filled, of which those beyond `tokens` are void.
    package let filled: Int

    init(_ cursor: CacheCursor, of text: [TokenID]) {
        sequence = cursor.sequence
        tokens = Array(text.prefix(cursor.valid.rawValue))
        filled = cursor.filled.rawValue
    }
}

extension VerifierMachine {
    /// What the cache of each job's sequence holds once the pass in flight has ended: these tokens, then what the
    /// sequence's next part in a pass rewinds.
    package var cachedTexts: [CachedText] {
        jobs.map { CachedText($0.cursor, of: $0.tokens + ($0.inFlight ?? [])) }
    }

    package var freeSequenceCount: Int { freeSequences.count }
}

extension DrafterMachine {
    /// What the cache of each stream's sequence holds once the pass in flight has ended, likewise.
    package var cachedTexts: [CachedText] { streams.map { CachedText($0.stream.cursor, of: $0.stream.tokens) } }

    package var freeSequenceCount: Int { freeSequences.count }
}

extension CoordinatorMachine {
    /// Whether nothing is left of any job but its story.
    package var isIdle: Bool { openJobs == 0 && wishes.isEmpty && hired.isEmpty && notBefore.isEmpty }
}

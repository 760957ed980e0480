package import NacreCore

// What an auditor may ask of a machine: read-only, and used by no decision.

/// A machine's belief about one sequence of its engine.
package struct CachedText: Sendable, Equatable {
    package let sequence: SequenceID
    /// The tokens at positions `0 ..< tokens.count`.
    package let tokens: [TokenID]
    /// Positions filled, of which those beyond `tokens` are void.
    package let filled: Int

    init(sequence: SequenceID, tokens: [TokenID], filled: Int) {
        self.sequence = sequence
        self.tokens = tokens
        self.filled = filled
    }

    init(_ content: TreeCache.Content) {
        sequence = content.sequence
        tokens = content.tokens
        filled = content.filled
    }

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
        jobs.flatMap { job in job.beams?.contents(of: job.tokens) ?? [] }
            + jobs.map { job in
                let cover = job.inFlight?.cover
                let spine = cover?.drafts.filter { $0.sequences.contains(job.cursor.sequence) }.map(\.token) ?? []
                return CachedText(job.cursor, of: job.tokens + spine)
            }
            + guests.map { guest in
                let cover = guest.inFlight?.cover
                let spine = cover?.drafts.filter { $0.sequences.contains(guest.cursor.sequence) }.map(\.token) ?? []
                return CachedText(guest.cursor, of: guest.tokens + spine)
            }
    }

    package var freeSequenceCount: Int { freeSequences.count }
}

extension DrafterMachine {
    /// What the cache of each stream's sequences holds once the pass in flight has ended, likewise.
    package var cachedTexts: [CachedText] {
        streams.flatMap { address, stream in
            let asks = pass?.first { $0.address == address && $0.rollbacks == stream.rollbacks }?.asks ?? []
            let own = stream.cache.contents(text: stream.tokens, tree: stream.growth.proposed)
            return own.map(CachedText.init) + (stream.forest?.contents(stream.tokens, asks) ?? [])
        }
    }

    package var freeSequenceCount: Int { freeSequences.count }
}

extension CoordinatorMachine {
    /// Whether nothing is left of any job but its story.
    package var isIdle: Bool { openJobs == 0 && wishes.isEmpty && hired.isEmpty && notBefore.isEmpty }
}

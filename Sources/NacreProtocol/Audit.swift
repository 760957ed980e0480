package import NacreCore

// What an auditor may ask of a machine: read-only, and used by no decision.

extension VerifierMachine {
    /// What the cache of each job's sequence holds once the pass in flight has ended.
    package var cachedTexts: [(sequence: SequenceID, tokens: [TokenID])] {
        jobs.map { job in
            (job.cursor.sequence, Array((job.tokens + (job.inFlight ?? [])).prefix(job.cursor.valid.rawValue)))
        }
    }

    package var freeSequenceCount: Int { freeSequences.count }
}

extension DrafterMachine {
    /// What the cache of each stream's sequence holds once the pass in flight has ended.
    package var cachedTexts: [(sequence: SequenceID, tokens: [TokenID])] {
        streams.map { ($0.stream.cursor.sequence, Array($0.stream.tokens.prefix($0.stream.cursor.valid.rawValue))) }
    }

    package var freeSequenceCount: Int { freeSequences.count }
}

extension CoordinatorMachine {
    /// Whether nothing is left of any job but its story.
    package var isIdle: Bool { openJobs == 0 && wishes.isEmpty && hired.isEmpty && notBefore.isEmpty }
}

// What event streams carry besides whole jobs.

/// First event of a stream: the job's name and what was settled about it.
package struct JobStarted: Codable, Sendable, Equatable {
    package var id: String
    package var method: String
    /// As `JobDocument`'s.
    package var lossy: Bool?
    package var seed: UInt64

    package init(id: String, method: String, lossy: Bool, seed: UInt64) {
        self.id = id
        self.method = method
        self.lossy = lossy
        self.seed = seed
    }
}

/// Newly committed output.
package struct JobTokens: Codable, Sendable, Equatable {
    /// Index of the first of `tokens` in the output.
    package var start: Int
    package var tokens: [UInt32]
    /// Best minus second-best score of each token, in nats; absent values were infinite.
    package var margins: [Float?]
    package var text: String

    package init(start: Int, tokens: [UInt32], margins: [Float?], text: String) {
        self.start = start
        self.tokens = tokens
        self.margins = margins
        self.text = text
    }
}

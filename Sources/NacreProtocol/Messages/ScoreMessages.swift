package import NacreCore

// Between two verifiers of one target: one, the job's home, has parts of its drafts scored by the other.

/// Opens a score stream: the helper is to hold this text. A long one travels in several of these, as in `DraftOpen`.
package struct ScoreOpen: Sendable, Equatable {
    package var stream: StreamID
    package var job: JobID
    package var attempt: Attempt
    package var key: StreamKey
    package var sampling: SamplingPolicy
    package var promptLength: Position
    package var contextTotal: Int
    package var contextOffset: Int
    package var context: [TokenID]
    /// Rows of the law are wanted, not the target's choices: for beams.
    package var wantsRows: Bool

    package init(
        stream: StreamID, job: JobID, attempt: Attempt, key: StreamKey, sampling: SamplingPolicy,
        promptLength: Position, contextTotal: Int, contextOffset: Int, context: [TokenID], wantsRows: Bool = false
    ) {
        self.wantsRows = wantsRows
        self.stream = stream
        self.job = job
        self.attempt = attempt
        self.key = key
        self.sampling = sampling
        self.promptLength = promptLength
        self.contextTotal = contextTotal
        self.contextOffset = contextOffset
        self.context = context
    }
}

/// Drafts to score behind a text: `tokens` replace what the helper has from `keep` on, the drafts stand on their end.
/// Without drafts only the text moves on, and nothing is answered; where rows are wanted, the one behind the text.
package struct ScoreShard: Sendable, Equatable {
    package var stream: StreamID
    package var shard: UInt32
    package var keep: Position
    package var tokens: [TokenID]
    /// Of each draft its parent's index + 1; 0 is the text's last token.
    package var parents: [Int]
    package var drafts: [TokenID]

    package init(
        stream: StreamID, shard: UInt32, keep: Position, tokens: [TokenID], parents: [Int], drafts: [TokenID]
    ) {
        self.stream = stream
        self.shard = shard
        self.keep = keep
        self.tokens = tokens
        self.parents = parents
        self.drafts = drafts
    }
}

/// What the target chooses behind the text's last token, then behind each draft of a shard. Where rows are wanted there
/// are those in place of choices, in as many of these as they need.
package struct Scores: Sendable, Equatable {
    package var stream: StreamID
    package var shard: UInt32
    package var choices: [Choice]
    /// Time of the pass.
    package var microseconds: UInt32
    package var rows: [BeamRow]
    /// The last of `rows` is a beginning: the first of the next message is the rest of it.
    package var goesOn: Bool

    package init(
        stream: StreamID, shard: UInt32, choices: [Choice], microseconds: UInt32, rows: [BeamRow] = [],
        goesOn: Bool = false
    ) {
        self.rows = rows
        self.goesOn = goesOn
        self.stream = stream
        self.shard = shard
        self.choices = choices
        self.microseconds = microseconds
    }
}

/// Ends a score stream. Sent by either side.
package struct ScoreClose: Sendable, Equatable {
    package var stream: StreamID
    package var reason: CloseReason

    package init(stream: StreamID, reason: CloseReason) {
        self.stream = stream
        self.reason = reason
    }
}

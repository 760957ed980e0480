package import NacreCore

// Between verifier and drafter.

/// Opens a draft stream. A long context travels in several of these: same stream, rising `contextOffset`.
package struct DraftOpen: Sendable, Equatable {
    package var stream: StreamID
    package var job: JobID
    package var attempt: Attempt
    package var epoch: Epoch
    package var key: StreamKey
    package var sampling: SamplingPolicy
    /// Length of the prompt: the noise of position p is that of generated token p − promptLength.
    package var promptLength: Position
    /// The drafter may draft positions below this.
    package var positionLimit: Position
    package var contextTotal: Int
    package var contextOffset: Int
    package var context: [TokenID]

    package init(
        stream: StreamID, job: JobID, attempt: Attempt, epoch: Epoch, key: StreamKey, sampling: SamplingPolicy,
        promptLength: Position, positionLimit: Position, contextTotal: Int, contextOffset: Int, context: [TokenID]
    ) {
        self.stream = stream
        self.job = job
        self.attempt = attempt
        self.epoch = epoch
        self.key = key
        self.sampling = sampling
        self.promptLength = promptLength
        self.positionLimit = positionLimit
        self.contextTotal = contextTotal
        self.contextOffset = contextOffset
        self.context = context
    }
}

/// The drafter holds the whole context and starts to draft.
package struct DraftReady: Sendable, Equatable {
    package var stream: StreamID
    /// Measured time of one draft token, in microseconds.
    package var microsecondsPerToken: UInt32

    package init(stream: StreamID, microsecondsPerToken: UInt32) {
        self.stream = stream
        self.microsecondsPerToken = microsecondsPerToken
    }
}

/// Why a drafter paused after a run of nodes.
package enum DraftEnd: UInt32, Sendable, CaseIterable {
    /// More will follow as soon as it is drawn.
    case open = 0
    /// The position limit is reached.
    case windowFull = 1
    /// The last node ends the generation.
    case endOfGeneration = 2
    /// The drafter's own context is full; it cannot go further.
    case contextFull = 3
}

/// A run of chain nodes: tokens for positions `root + firstNode ...` of this epoch.
package struct Draft: Sendable, Equatable {
    package var stream: StreamID
    package var epoch: Epoch
    /// The committed length the epoch stands on: its node 0 is at this position.
    package var root: Position
    /// Index within the epoch of `tokens[0]`.
    package var firstNode: Int
    package var tokens: [TokenID]
    package var end: DraftEnd

    package init(
        stream: StreamID, epoch: Epoch, root: Position, firstNode: Int, tokens: [TokenID], end: DraftEnd
    ) {
        self.stream = stream
        self.epoch = epoch
        self.root = root
        self.firstNode = firstNode
        self.tokens = tokens
        self.end = end
    }
}

/// What the target decided. `tokens` are the newly committed ones, for positions `committed − tokens.count ..<
/// committed`.
package struct Verdict: Sendable, Equatable {
    package var stream: StreamID
    /// The number to go on with if one of `tokens` is not in the drafter's chain; its root is `committed`.
    package var nextEpoch: Epoch
    package var tokens: [TokenID]
    package var committed: Position
    package var positionLimit: Position

    package init(
        stream: StreamID, nextEpoch: Epoch, tokens: [TokenID], committed: Position, positionLimit: Position
    ) {
        self.stream = stream
        self.nextEpoch = nextEpoch
        self.tokens = tokens
        self.committed = committed
        self.positionLimit = positionLimit
    }
}

/// Why a draft stream ends.
package enum CloseReason: UInt32, Sendable, CaseIterable {
    case jobEnded = 0
    /// The drafter has no free sequence.
    case noRoom = 1
    /// The drafter's context cannot hold this job.
    case contextTooLong = 2
    /// The engine failed on this stream.
    case engineFailed = 3
    /// The drafter was too slow or wrong to be worth its messages.
    case dismissed = 4
}

/// Ends a draft stream. Sent by either side.
package struct DraftClose: Sendable, Equatable {
    package var stream: StreamID
    package var reason: CloseReason

    package init(stream: StreamID, reason: CloseReason) {
        self.stream = stream
        self.reason = reason
    }
}

/// First message of both sides on a data link.
package struct Greeting: Sendable, Equatable {
    package var wireMin: UInt32
    package var wireMax: UInt32
    package var node: String
    package var role: Role
    package var incarnation: Incarnation
    package var vocabularyDigest: UInt64

    package init(
        wireMin: UInt32, wireMax: UInt32, node: String, role: Role, incarnation: Incarnation, vocabularyDigest: UInt64
    ) {
        self.wireMin = wireMin
        self.wireMax = wireMax
        self.node = node
        self.role = role
        self.incarnation = incarnation
        self.vocabularyDigest = vocabularyDigest
    }
}

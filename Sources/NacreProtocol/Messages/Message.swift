package import NacreCore

/// Everything that crosses a node link, checked and in Swift values. The wire form is in proto/; the numbers in the
/// comments are the frame types.
package enum Message: Sendable, Equatable {
    // Data plane: verifier ⇄ drafter. The verifier dials and chooses stream numbers.
    case draftOpen(DraftOpen)  // 1  verifier → drafter
    case draftReady(DraftReady)  // 2  drafter → verifier
    case draft(Draft)  // 3  drafter → verifier
    case verdict(Verdict)  // 4  verifier → drafter
    case draftClose(DraftClose)  // 6  both
    case greeting(Greeting)  // 7  both, first on a data link
    // Control plane: node ⇄ coordinator. The node dials.
    case hello(Hello)  // 20 node → coordinator, first on a control link
    case welcome(Welcome)  // 21
    case heartbeat(Heartbeat)  // 22
    case heartbeatAck(HeartbeatAck)  // 23
    case assignJob(AssignJob)  // 24
    case jobRefused(JobRefused)  // 25
    case commit(Commit)  // 26
    case jobEnded(JobEnded)  // 28
    case cancelJob(CancelJob)  // 29
    case hire(Hire)  // 30
    case offers(Offers)  // 31
    case vocabularyChunk(VocabularyChunk)  // 35 node → coordinator
    case tokenize(Tokenize)  // 36 coordinator → verifier
    case tokenized(Tokenized)  // 37
    // Either plane.
    case goodbye(Goodbye)  // 60
}

// MARK: - Data plane

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

// MARK: - Control plane

package enum Role: UInt32, Sendable, CaseIterable {
    case verifier = 1
    case drafter = 2
}

/// What a node brings. `context` is in tokens of one job, `nodesMax` in nodes of one pass.
package struct Capacity: Sendable, Equatable {
    package var sequences: Int
    package var context: Int
    package var nodesMax: Int

    package init(sequences: Int, context: Int, nodesMax: Int) {
        self.sequences = sequences
        self.context = context
        self.nodesMax = nodesMax
    }
}

package struct Hello: Sendable, Equatable {
    package var node: String
    package var incarnation: Incarnation
    package var role: Role
    package var wireMin: UInt32
    package var wireMax: UInt32
    package var modelDigest: UInt64
    package var vocabularyDigest: UInt64
    /// Where verifiers reach a drafter, "host:port"; empty for verifiers.
    package var dataAddress: String
    package var capacity: Capacity
    /// For people: model file name and description, engine version and stamp, cores.
    package var modelName: String
    package var engineVersion: String
    package var cores: String

    package init(
        node: String, incarnation: Incarnation, role: Role, wireMin: UInt32, wireMax: UInt32, modelDigest: UInt64,
        vocabularyDigest: UInt64, dataAddress: String, capacity: Capacity, modelName: String, engineVersion: String,
        cores: String
    ) {
        self.node = node
        self.incarnation = incarnation
        self.role = role
        self.wireMin = wireMin
        self.wireMax = wireMax
        self.modelDigest = modelDigest
        self.vocabularyDigest = vocabularyDigest
        self.dataAddress = dataAddress
        self.capacity = capacity
        self.modelName = modelName
        self.engineVersion = engineVersion
        self.cores = cores
    }
}

package struct Welcome: Sendable, Equatable {
    package var generation: Generation
    package var wire: UInt32
    package var heartbeatMilliseconds: UInt32
    package var leaseMilliseconds: UInt32
    /// Whether the coordinator lacks the vocabulary of this node's digest.
    package var wantsVocabulary: Bool

    package init(
        generation: Generation, wire: UInt32, heartbeatMilliseconds: UInt32, leaseMilliseconds: UInt32,
        wantsVocabulary: Bool
    ) {
        self.generation = generation
        self.wire = wire
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.leaseMilliseconds = leaseMilliseconds
        self.wantsVocabulary = wantsVocabulary
    }
}

/// A node's load since its last heartbeat.
package struct Load: Sendable, Equatable {
    package var jobs: Int
    /// Share of the time that the engine computed, 0 ... 1.
    package var busy: Float
    /// Mean duration of a pass in microseconds; 0 if there was none.
    package var stepMicroseconds: UInt32

    package init(jobs: Int, busy: Float, stepMicroseconds: UInt32) {
        self.jobs = jobs
        self.busy = busy
        self.stepMicroseconds = stepMicroseconds
    }
}

package struct Heartbeat: Sendable, Equatable {
    package var number: UInt64
    package var load: Load

    package init(number: UInt64, load: Load) {
        self.number = number
        self.load = load
    }
}

package struct HeartbeatAck: Sendable, Equatable {
    package var number: UInt64

    package init(number: UInt64) { self.number = number }
}

/// How the verifier paces drafting and verifying. The tokens are the same for all four.
package enum DecodingMethod: UInt32, Sendable, CaseIterable {
    case autoregressive = 1
    case speculative = 2
    case pearl = 3
    case stream = 4

    package var name: String {
        switch self {
        case .autoregressive: "autoregressive"
        case .speculative: "speculative"
        case .pearl: "pearl"
        case .stream: "stream"
        }
    }

    package init?(name: String) {
        guard let found = DecodingMethod.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }
}

/// A drafter a verifier may hire.
package struct Offer: Sendable, Equatable {
    package var address: String
    package var incarnation: Incarnation

    package init(address: String, incarnation: Incarnation) {
        self.address = address
        self.incarnation = incarnation
    }
}

/// Places a job. A long context travels in several of these: same job and attempt, rising `contextOffset`.
/// `context` is prompt + committed tokens.
package struct AssignJob: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var method: DecodingMethod
    /// Draft length γ; 0 lets the verifier choose.
    package var gamma: Int
    package var key: StreamKey
    package var sampling: SamplingPolicy
    /// Length at which the job ends: prompt + most output tokens.
    package var lengthMax: Position
    package var promptLength: Position
    package var contextTotal: Int
    package var contextOffset: Int
    package var context: [TokenID]
    package var offers: [Offer]

    package init(
        job: JobID, attempt: Attempt, method: DecodingMethod, gamma: Int, key: StreamKey, sampling: SamplingPolicy,
        lengthMax: Position, promptLength: Position, contextTotal: Int, contextOffset: Int, context: [TokenID],
        offers: [Offer]
    ) {
        self.job = job
        self.attempt = attempt
        self.method = method
        self.gamma = gamma
        self.key = key
        self.sampling = sampling
        self.lengthMax = lengthMax
        self.promptLength = promptLength
        self.contextTotal = contextTotal
        self.contextOffset = contextOffset
        self.context = context
        self.offers = offers
    }
}

package enum RefuseReason: UInt32, Sendable, CaseIterable {
    case noRoom = 1
    case contextTooLong = 2
    case draining = 3
}

package struct JobRefused: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var reason: RefuseReason

    package init(job: JobID, attempt: Attempt, reason: RefuseReason) {
        self.job = job
        self.attempt = attempt
        self.reason = reason
    }
}

/// Tokens the target stands behind, for positions `start ...`.
package struct Commit: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var start: Position
    package var tokens: [TokenID]
    /// `Choice.margin` of each token.
    package var margins: [Float]

    package init(job: JobID, attempt: Attempt, start: Position, tokens: [TokenID], margins: [Float]) {
        self.job = job
        self.attempt = attempt
        self.start = start
        self.tokens = tokens
        self.margins = margins
    }
}

package enum EndReason: UInt32, Sendable, CaseIterable {
    case endOfGeneration = 1
    case length = 2
    case cancelled = 3
    /// The verifier's KV cache cannot hold the job.
    case cacheFull = 4
    case engineFailed = 5
}

/// What one attempt cost and gained.
package struct JobStatistics: Sendable, Equatable {
    /// Verify passes that took part in this job's decoding.
    package var rounds: UInt64 = 0
    /// Draft tokens that reached the verifier.
    package var drafted: UInt64 = 0
    /// Draft tokens judged by the target, in a pass or by a row already there.
    package var judged: UInt64 = 0
    /// Judged draft tokens that equal the target's own.
    package var accepted: UInt64 = 0
    /// Time inside passes, in microseconds.
    package var passMicroseconds: UInt64 = 0
    /// Time from the first decoding pass to the end, in microseconds.
    package var elapsedMicroseconds: UInt64 = 0
    /// Median time between the end of one pass and the start of the next, in microseconds.
    package var gapMicroseconds: UInt64 = 0
    /// Drafters lost while the attempt ran.
    package var draftersLost: UInt64 = 0

    package init() {}
}

package struct JobEnded: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var length: Position
    package var reason: EndReason
    /// For people; empty when the reason says it all.
    package var detail: String
    package var statistics: JobStatistics

    package init(
        job: JobID, attempt: Attempt, length: Position, reason: EndReason, detail: String, statistics: JobStatistics
    ) {
        self.job = job
        self.attempt = attempt
        self.length = length
        self.reason = reason
        self.detail = detail
        self.statistics = statistics
    }
}

package struct CancelJob: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt

    package init(job: JobID, attempt: Attempt) {
        self.job = job
        self.attempt = attempt
    }
}

/// The job has no live drafter; the verifier asks for offers.
package struct Hire: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt

    package init(job: JobID, attempt: Attempt) {
        self.job = job
        self.attempt = attempt
    }
}

package struct Offers: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var offers: [Offer]

    package init(job: JobID, attempt: Attempt, offers: [Offer]) {
        self.job = job
        self.attempt = attempt
        self.offers = offers
    }
}

/// A part of a node's vocabulary: the pieces of tokens `first ...`.
package struct VocabularyChunk: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package var piece: [UInt8]
        package var endsGeneration: Bool
        package var isControl: Bool

        package init(piece: [UInt8], endsGeneration: Bool, isControl: Bool) {
            self.piece = piece
            self.endsGeneration = endsGeneration
            self.isControl = isControl
        }
    }
    package var digest: UInt64
    package var total: Int
    package var first: Int
    package var entries: [Entry]

    package init(digest: UInt64, total: Int, first: Int, entries: [Entry]) {
        self.digest = digest
        self.total = total
        self.first = first
        self.entries = entries
    }
}

package struct Tokenize: Sendable, Equatable {
    package var request: UInt64
    package var text: [UInt8]

    package init(request: UInt64, text: [UInt8]) {
        self.request = request
        self.text = text
    }
}

/// The answer to `Tokenize`. Empty `tokens` with a non-empty `error` is a refusal.
package struct Tokenized: Sendable, Equatable {
    package var request: UInt64
    package var tokens: [TokenID]
    package var error: String

    package init(request: UInt64, tokens: [TokenID], error: String) {
        self.request = request
        self.tokens = tokens
        self.error = error
    }
}

package enum GoodbyeCode: UInt32, Sendable, CaseIterable {
    case shuttingDown = 1
    case wireVersion = 2
    case protocolError = 3
    case vocabularyMismatch = 4
    case replaced = 5
    case tooSlow = 6
}

/// The last message on a link: why it closes.
package struct Goodbye: Sendable, Equatable {
    package var code: GoodbyeCode
    package var detail: String

    package init(code: GoodbyeCode, detail: String) {
        self.code = code
        self.detail = detail
    }
}

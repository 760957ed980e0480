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
    package var rule: VerifyRuleKind
    package var shape: DraftShape
    package var branches: Int
    package var payload: PayloadKind
    package var siblings: SiblingDraw
    package var merge: Int
    package var policy: PolicySpecification
    /// Whether drafts come with `DraftMeasure`s, because the job is recorded.
    package var isMeasured: Bool
    /// Tokens that end a generation are drafted behind as behind any other: the job goes on there.
    package var ignoresEnds: Bool
    /// Most drafts below the committed text, prepared ones not counted; 0 leaves it to shape and position limit.
    package var nodesMax: Int
    package var contextTotal: Int
    package var contextOffset: Int
    package var context: [TokenID]

    package init(
        stream: StreamID, job: JobID, attempt: Attempt, epoch: Epoch, key: StreamKey, sampling: SamplingPolicy,
        promptLength: Position, positionLimit: Position, rule: VerifyRuleKind = .coupled, shape: DraftShape = .chain,
        branches: Int = 0, payload: PayloadKind = .rows, siblings: SiblingDraw = .withoutReplacement, merge: Int = 0,
        policy: PolicySpecification = .goodput, isMeasured: Bool = false, ignoresEnds: Bool = false,
        nodesMax: Int = 0, contextTotal: Int, contextOffset: Int, context: [TokenID]
    ) {
        self.stream = stream
        self.job = job
        self.attempt = attempt
        self.epoch = epoch
        self.key = key
        self.sampling = sampling
        self.promptLength = promptLength
        self.positionLimit = positionLimit
        self.rule = rule
        self.shape = shape
        self.branches = branches
        self.payload = payload
        self.siblings = siblings
        self.merge = merge
        self.policy = policy
        self.isMeasured = isMeasured
        self.ignoresEnds = ignoresEnds
        self.nodesMax = nodesMax
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
    /// All that may be drafted is drafted.
    case windowFull = 1
    /// As `windowFull`, because the drafts end the generation.
    case endOfGeneration = 2
    /// The drafter's own context is full; it cannot go further.
    case contextFull = 3
}

/// Drafts, as they are drawn. The nodes of an epoch are numbered in the order in which they are sent.
package struct Draft: Sendable, Equatable {
    /// What was proposed below one node, of a drafter whose drafts are draws; it comes with all its draws.
    package struct Proposal: Sendable, Equatable {
        /// The node: its number + 1, 0 the epoch's root.
        package var node: Int
        package var payload: DraftPayload
        /// The numbers of its children, in the order of drawing; one that came again stands there again.
        package var draws: [Int]

        package init(node: Int, payload: DraftPayload, draws: [Int]) {
            self.node = node
            self.payload = payload
            self.draws = draws
        }
    }

    package var stream: StreamID
    package var epoch: Epoch
    /// The `nextEpoch` of the last verdict that the drafter had taken in; 0 before the first.
    package var heard: Epoch
    /// The committed length the epoch stands on: the position of its first tokens.
    package var root: Position
    /// The number of `tokens[0]`.
    package var firstNode: Int
    /// Empty: the drafter has nothing to add, and `end` says why.
    package var tokens: [TokenID]
    /// The parent of each token: its number + 1, 0 the epoch's root. Empty: each stands on the one before it, the first
    /// of the epoch on the root.
    package var parents: [Int]
    /// `Candidate.probability` of each token, in 255ths; empty if the drafter gives none.
    package var probabilities: [UInt8]
    package var proposals: [Proposal]
    /// Of each token, in a stream that is measured; else empty.
    package var measures: [DraftMeasure] = []
    package var end: DraftEnd
    /// Time of the pass that drew them.
    package var microseconds: UInt32
    /// Of a beam search, for each layer of this message what its nodes are compared with (`JointDraft.references`).
    package var references: [Double] = []
    /// Of a draft forest the next layers, whole; then there are no `tokens`, and `root` is the length of the beams.
    package var layers: [DraftForest.Layer] = []

    /// Drafts that the message holds.
    package var count: Int { layers.reduce(tokens.count) { $0 + $1.draws.count } }

    package init(
        stream: StreamID, epoch: Epoch, heard: Epoch, root: Position, firstNode: Int, tokens: [TokenID],
        parents: [Int] = [], probabilities: [UInt8] = [], proposals: [Proposal] = [], end: DraftEnd,
        microseconds: UInt32 = 0
    ) {
        self.stream = stream
        self.epoch = epoch
        self.heard = heard
        self.root = root
        self.firstNode = firstNode
        self.tokens = tokens
        self.parents = parents
        self.probabilities = probabilities
        self.proposals = proposals
        self.end = end
        self.microseconds = microseconds
    }
}

/// A row of q that a draft left out, please: a test of the drafts below `node` failed.
package struct RowRequest: Sendable, Equatable {
    package var stream: StreamID
    package var epoch: Epoch
    /// As `Draft.Proposal.node`.
    package var node: Int

    package init(stream: StreamID, epoch: Epoch, node: Int) {
        self.stream = stream
        self.epoch = epoch
        self.node = node
    }
}

/// The answer to `RowRequest`.
package struct DraftRow: Sendable, Equatable {
    package var stream: StreamID
    package var epoch: Epoch
    package var node: Int
    package var row: WeightRow

    package init(stream: StreamID, epoch: Epoch, node: Int, row: WeightRow) {
        self.stream = stream
        self.epoch = epoch
        self.node = node
        self.row = row
    }
}

/// How a beam came to be since the last verdict.
package struct BeamStep: Sendable, Hashable {
    /// The beam that it goes on, by its place in that verdict; at first there is one, the text that the stream opened
    /// with.
    package var parent: Int
    package var tokens: [TokenID]

    package init(parent: Int, tokens: [TokenID]) {
        self.parent = parent
        self.tokens = tokens
    }
}

/// What the target decided. `tokens` are the newly committed ones, for positions `committed − tokens.count ..<
/// committed`.
package struct Verdict: Sendable, Equatable {
    package var stream: StreamID
    /// The number to go on with if one of `tokens` is not among the drafter's drafts; its root is `committed`.
    package var nextEpoch: Epoch
    package var tokens: [TokenID]
    package var committed: Position
    package var positionLimit: Position
    /// As `DraftOpen.nodesMax`, from now on.
    package var nodesMax: Int
    /// Of a stream of forests the beams that the next one stands on, by what they were at the last verdict; then there
    /// are no `tokens`, and `committed` is the length of each.
    package var beams: [BeamStep] = []

    package init(
        stream: StreamID, nextEpoch: Epoch, tokens: [TokenID], committed: Position, positionLimit: Position,
        nodesMax: Int = 0
    ) {
        self.stream = stream
        self.nextEpoch = nextEpoch
        self.tokens = tokens
        self.committed = committed
        self.positionLimit = positionLimit
        self.nodesMax = nodesMax
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
    /// The job's drafts need a model, and the drafter has none.
    case unsuited = 5
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
    /// Of a verifier that speaks to another: both must hold the same weights.
    package var modelDigest: UInt64

    package init(
        wireMin: UInt32, wireMax: UInt32, node: String, role: Role, incarnation: Incarnation, vocabularyDigest: UInt64,
        modelDigest: UInt64 = 0
    ) {
        self.wireMin = wireMin
        self.wireMax = wireMax
        self.node = node
        self.role = role
        self.incarnation = incarnation
        self.vocabularyDigest = vocabularyDigest
        self.modelDigest = modelDigest
    }
}

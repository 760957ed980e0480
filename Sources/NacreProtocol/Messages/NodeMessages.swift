package import NacreCore

// Between a node and its coordinator, and the end of any link.

/// What a node does.
package enum Role: UInt32, Sendable, CaseIterable {
    case verifier = 1
    case drafter = 2
}

/// What a node brings. `context` is in tokens of one job, `nodesMax` in nodes of one pass, `sequences` are those of all
/// its shards.
package struct Capacity: Sendable, Equatable {
    package var sequences: Int
    package var context: Int
    package var nodesMax: Int
    package var shards: Int

    package init(sequences: Int, context: Int, nodesMax: Int, shards: Int = 1) {
        self.sequences = sequences
        self.context = context
        self.nodesMax = nodesMax
        self.shards = shards
    }
}

/// How long a pass of so many scored nodes took while so many shards computed at the same time.
package struct PassTime: Sendable, Hashable {
    package var shards: Int
    package var nodes: Int
    package var microseconds: UInt32

    package init(shards: Int, nodes: Int, microseconds: UInt32) {
        self.shards = shards
        self.nodes = nodes
        self.microseconds = microseconds
    }
}

/// How a node introduces itself to the coordinator.
package struct Hello: Sendable, Equatable {
    package var node: String
    package var incarnation: Incarnation
    package var role: Role
    package var wireMin: UInt32
    package var wireMax: UInt32
    package var modelDigest: UInt64
    package var vocabularyDigest: UInt64
    /// Where verifiers reach this node, "host:port": every drafter, and a verifier that scores for others. Empty for
    /// one that does not.
    package var dataAddress: String
    package var capacity: Capacity
    /// For people: model file name and description, engine version and stamp, cores.
    package var modelName: String
    package var engineVersion: String
    package var cores: String
    package var place: ComputePlace
    /// What was measured at start: scored nodes of a verifier, jobs that a drafter draws for.
    package var passTimes: [PassTime]
    /// Whether a verifier's rows are the same in every pass. If not, what it puts out may differ from plain decoding
    /// where two tokens lie as close as rounding.
    package var isExact: Bool
    /// Why `passTimes` are not those of a calm machine, for people; empty if they may be.
    package var disturbance: String
    /// For people: how a drafter's own tokens become those of its `vocabularyDigest`.
    package var bridge: BridgeKind

    package init(
        node: String, incarnation: Incarnation, role: Role, wireMin: UInt32, wireMax: UInt32, modelDigest: UInt64,
        vocabularyDigest: UInt64, dataAddress: String, capacity: Capacity, modelName: String, engineVersion: String,
        cores: String, place: ComputePlace = .unknown, passTimes: [PassTime] = [], isExact: Bool = true,
        disturbance: String = "", bridge: BridgeKind = .none
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
        self.place = place
        self.passTimes = passTimes
        self.isExact = isExact
        self.disturbance = disturbance
        self.bridge = bridge
    }
}

/// The coordinator knows the node; the terms of the link.
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
    /// To the coordinator and back, by its answers to heartbeats; 0 unknown. The node's link fills it in.
    package var roundTripMicroseconds: UInt32
    package var clock: NodeClock
    /// What a verifier's jobs do with drafts; at most `Limits.pairsMax`.
    package var pairs: [PairReport]

    package init(
        jobs: Int, busy: Float, stepMicroseconds: UInt32, roundTripMicroseconds: UInt32 = 0,
        clock: NodeClock = NodeClock(), pairs: [PairReport] = []
    ) {
        self.jobs = jobs
        self.busy = busy
        self.stepMicroseconds = stepMicroseconds
        self.roundTripMicroseconds = roundTripMicroseconds
        self.clock = clock
        self.pairs = pairs
    }
}

/// A node's sign of life.
package struct Heartbeat: Sendable, Equatable {
    package var number: UInt64
    package var load: Load

    package init(number: UInt64, load: Load) {
        self.number = number
        self.load = load
    }
}

/// The coordinator's answer to a heartbeat.
package struct HeartbeatAck: Sendable, Equatable {
    package var number: UInt64

    package init(number: UInt64) { self.number = number }
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

/// Turn a prompt into tokens.
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

/// Why a link closes.
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

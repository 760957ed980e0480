/// A registered node.
package struct NodeDocument: Codable, Sendable, Equatable {
    package var name: String
    /// verifier or drafter.
    package var role: String
    /// Where verifiers reach it; absent for a verifier that scores for no other.
    package var address: String?
    package var model: String
    package var modelDigest: String
    package var vocabularyDigest: String
    package var engine: String
    package var cores: String
    /// Parts that the cores are divided into, each with an engine of its own.
    package var shards: Int
    /// What a pass took at start, by its scored nodes and by the shards that computed at the same time.
    package var passTimes: [PassTimeDocument]
    /// Why these are not to be trusted: something else kept the machine busy; absent if they may be.
    package var disturbance: String?
    /// Whether a verifier's rows are the same in every pass; absent for a drafter, whose need not be.
    package var exact: Bool?
    package var slots: Int
    package var context: Int
    package var jobs: Int
    /// Share of the last heartbeat's time that its engine computed.
    package var busy: Double
    package var stepMicroseconds: Int
    /// Since the node started: passes were under way; none was, though a job could have been decoded.
    package var passingMicroseconds = 0
    package var waitingMicroseconds = 0
    /// From the node to the coordinator and back, by answers to heartbeats; absent before the first.
    package var roundTripMicroseconds: Int?
    /// How a drafter's tokens become its target's (tli, slem or slrs); absent where both have one vocabulary.
    package var bridge: String?
    /// Why no job can use it; absent when one can.
    package var problem: String?

    package init(
        name: String, role: String, address: String?, model: String, modelDigest: String, vocabularyDigest: String,
        engine: String, cores: String, shards: Int, passTimes: [PassTimeDocument], disturbance: String?,
        exact: Bool?, slots: Int, context: Int, jobs: Int, busy: Double, stepMicroseconds: Int, problem: String?
    ) {
        self.name = name
        self.role = role
        self.address = address
        self.model = model
        self.modelDigest = modelDigest
        self.vocabularyDigest = vocabularyDigest
        self.engine = engine
        self.cores = cores
        self.shards = shards
        self.passTimes = passTimes
        self.disturbance = disturbance
        self.exact = exact
        self.slots = slots
        self.context = context
        self.jobs = jobs
        self.busy = busy
        self.stepMicroseconds = stepMicroseconds
        self.problem = problem
    }
}

/// How long a pass of `nodes` scored nodes took while `shards` shards computed at the same time.
package struct PassTimeDocument: Codable, Sendable, Equatable {
    package var shards: Int
    package var nodes: Int
    package var microseconds: Int

    package init(shards: Int, nodes: Int, microseconds: Int) {
        self.shards = shards
        self.nodes = nodes
        self.microseconds = microseconds
    }
}

/// `GET /v1/nodes`.
package struct NodeListDocument: Codable, Sendable, Equatable {
    package var nodes: [NodeDocument]
    package init(nodes: [NodeDocument]) { self.nodes = nodes }
}

package import NacreCore
package import NacreEngine

/// What a verifier and an engine in a child process of its own say to each other: proto/engine.proto.
package enum EngineMessage: Sendable {
    case start(EngineStart)
    case ready(EngineReady)
    case pass(EnginePass)
    /// Scores of a pass, in order; the last ones may come in further messages.
    case scores([Score])
    case refused(EngineError)
}

/// Which model to load, and how to run it.
package struct EngineStart: Sendable, Equatable {
    package var path: String
    /// Addresses of the servers that hold its layers, as `host:port`.
    package var layers: [String]
    package var threads: Int
    /// The cores to stay on; `nil` leaves placement to the system.
    package var cpus: [Int]?
    /// Tokens that one job may have; `nil`: as many as the model was trained on, within reason.
    package var contextPerJob: Int?
    package var sequences: Int
    package var branches: Int
    package var nodesMax: Int
    /// Whether rows must be the same in every pass.
    package var isExact: Bool

    package init(
        path: String, layers: [String], threads: Int, cpus: [Int]? = nil, contextPerJob: Int?, sequences: Int,
        branches: Int, nodesMax: Int, isExact: Bool = true
    ) {
        self.path = path
        self.layers = layers
        self.threads = threads
        self.cpus = cpus
        self.contextPerJob = contextPerJob
        self.sequences = sequences
        self.branches = branches
        self.nodesMax = nodesMax
        self.isExact = isExact
    }
}

/// A model that was loaded.
package struct EngineReady: Sendable, Equatable {
    package var shape: EngineShape
    package var contextPerJob: Int
    package var modelDigest: UInt64
    /// Name, size and number type for people.
    package var description: String

    package init(shape: EngineShape, contextPerJob: Int, modelDigest: UInt64, description: String) {
        self.shape = shape
        self.contextPerJob = contextPerJob
        self.modelDigest = modelDigest
        self.description = description
    }
}

/// Bounds of the link between a verifier and its engine.
package enum EngineLinkLimits {
    /// Payload of one frame, in bytes: a law over the largest vocabulary fits.
    package static let frameBytesMax = 16 << 20
    /// From this many values on, scores go into a further message.
    package static let valuesPerMessage = 64 << 10
    package static let layersMax = 16
    package static let pathBytesMax = 4_096
    package static let nodesMax = 65_536
    package static let sequencesMax = 256
    package static let cpusMax = 512
}

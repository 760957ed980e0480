package import NacreCore
package import NacreEngine
package import NacreLlama
import NacreNode
import NacreWire

/// What a node says of its model, wherever that lies.
package struct ServedModel: Sendable {
    /// Of the first engine.
    package let shape: EngineShape
    /// Engines, each with a part of the slots.
    package let shards: Int
    /// Jobs at once, of all engines together.
    package let slots: Int
    package let tokenizer: LlamaTokenizer
    /// Tokens that one job may have.
    package let contextPerJob: Int
    package let digest: UInt64
    /// Name, size and number type for people.
    package let description: String
    /// What computes it: two nodes agree bit for bit only if this is equal and their processors are of one kind.
    package let engine: String
    /// Whether rows are the same in every pass.
    package let isExact: Bool
    /// How a draft model's tokens become the target's.
    package let bridge: BridgeKind

    package init(_ loaded: LoadedModel) {
        isExact = loaded.isExact
        bridge = .none
        shape = loaded.host.shape
        shards = loaded.hosts.count
        slots = loaded.hosts.reduce(0) { $0 + $1.shape.jobs }
        tokenizer = loaded.tokenizer
        contextPerJob = loaded.contextPerJob
        digest = loaded.model.digest
        description = loaded.model.description
        engine = Self.build
    }

    init(_ ready: EngineReady, of start: EngineStart, tokenizer: LlamaTokenizer) {
        let servers = start.layers.count
        isExact = start.isExact
        bridge = .none
        shape = ready.shape
        shards = 1
        slots = ready.shape.jobs
        self.tokenizer = tokenizer
        contextPerJob = ready.contextPerJob
        digest = ready.modelDigest
        description = ready.description
        engine = "\(Self.build), layers on \(servers) server\(servers == 1 ? "" : "s")"
    }

    /// A drafter without a model, with this vocabulary.
    init(_ tokenizer: LlamaTokenizer, lookups: [LookupKind], slots: Int, contextPerJob: Int, nodesMax: Int) {
        shape = EngineShape(
            vocabularySize: tokenizer.vocabularySize, contextCells: 0, sequences: slots, nodesMax: nodesMax,
            canRewind: true)
        shards = 1
        self.slots = slots
        self.tokenizer = tokenizer
        self.contextPerJob = contextPerJob
        digest = tokenizer.vocabularyDigest
        description = "vocabulary only"
        engine = "lookup \(NacreVersion.current)"
        isExact = true
        bridge = .none
    }

    /// A draft model behind a bridge: all but its weights is the target's.
    init(_ model: LlamaModel, target: LlamaTokenizer, bridge: BridgeKind, shape: EngineShape, contextPerJob: Int) {
        self.shape = shape
        shards = 1
        slots = shape.jobs
        tokenizer = target
        self.contextPerJob = contextPerJob
        var digest = Digest()
        for part in [model.digest, target.vocabularyDigest] {
            withUnsafeBytes(of: part.littleEndian) { digest.absorb($0) }
        }
        Array(bridge.rawValue.utf8).withUnsafeBytes { digest.absorb($0) }
        self.digest = digest.value
        description = model.description
        engine = Self.build
        isExact = true
        self.bridge = bridge
    }

    /// For people, behind a file's name.
    var bridgeWords: String { bridge == .none ? "" : " by \(bridge.rawValue)" }

    private static let build = "libllama \(LlamaBackend.version) \(LlamaBackend.stamp)"
}

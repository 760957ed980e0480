package import ArgumentParser
import Foundation
package import Logging
package import NacreCore
import NacreEngine
package import NacreLlama
package import NacreNode
package import NacreProtocol
package import NacreWire

/// The flags that verifier and drafter have in common: a model, its cores, its coordinator.
package struct ModelOptions: ParsableArguments {
    static let model = Setting<String>("model")
    package static let coordinator = Setting("coordinator", default: HostPort(host: "127.0.0.1", port: 7400))
    static let threads = OptionalSetting<Int>("threads", in: 1...512)
    static let cpus = OptionalSetting<CPUList>("cpus")
    static let context = OptionalSetting<Int>("context", in: 16...1_048_576)
    static let slots = Setting("slots", default: 8, in: 1...250)
    private static let name = OptionalSetting<String>("name")

    package static let declarations: [any SettingDeclaration] = [
        model, coordinator, threads, cpus, context, slots, name,
    ]

    @Option(name: [.short, .long], help: ArgumentHelp("The model: a GGUF file.", valueName: "file"))
    package var model: String?

    @Option(help: ArgumentHelp("Where to register (default 127.0.0.1:7400).", valueName: "host:port"))
    package var coordinator: String?

    @Option(
        help: ArgumentHelp(
            "Threads that compute (default: as many as --cpus names, else all cores).", valueName: "n"))
    package var threads: String?

    @Option(
        help: ArgumentHelp(
            "Cores to stay on, for instance 0-3,6. No two nodes should share one.", valueName: "list"))
    package var cpus: String?

    @Option(
        help: ArgumentHelp(
            "Most tokens of one job, prompt and output (default: as trained, at most 4096).", valueName: "tokens"))
    package var context: String?

    @Option(
        help: ArgumentHelp(
            "Jobs at once (default 8). The KV cache holds --context tokens for each.", valueName: "n"))
    package var slots: String?

    @Option(help: ArgumentHelp("What this node is called (default: role, host and process id).", valueName: "name"))
    package var name: String?

    package init() {}

    package var flags: [String: String?] {
        [
            "model": model, "coordinator": coordinator, "threads": threads, "cpus": cpus, "context": context,
            "slots": slots, "name": name,
        ]
    }

    /// Loads the model as the settings say.
    ///
    /// - Parameters:
    ///   - exact: whether rows must be the same in every pass.
    ///   - shards: decides, once the weights are there, into how many engines the threads are divided.
    /// - Throws: `NacreError` for cores that are not to be had, `EngineError` for a model that is not, and what
    ///   `shards` throws.
    package func load(
        _ settings: Settings, role: Role, exact: Bool, log: Logger,
        shards: (LlamaModel, LlamaSettings) async throws -> Int = { _, _ in 1 }
    ) async throws -> LoadedModel {
        let threads = try CPUList.threads(settings[Self.threads], on: settings[Self.cpus])
        let engine = LlamaSettings(
            threads: threads, cpus: settings[Self.cpus]?.cores, contextPerJob: settings[Self.context] ?? 1,
            sequences: settings[Self.slots], branches: Self.branches(beside: settings[Self.slots]),
            exact: exact)
        let model = try await LlamaModel.load(path: settings[Self.model], exact: engine.exact)
        let loaded = try await LoadedModel.start(
            model, settings: engine, hasTrainedContext: settings[Self.context] == nil,
            shards: try await shards(model, engine), name: role == .verifier ? "target" : "draft")
        log.notice(
            "model loaded",
            metadata: [
                "model": "\(loaded.model.description)", "threads": "\(threads)",
                "cores": "\(settings[Self.cpus]?.description ?? "any")", "context": "\(loaded.contextPerJob)",
                "slots": "\(settings[Self.slots])", "shards": "\(loaded.hosts.count)",
                "rounding": exact ? "exact" : "inexact", "libllama": "\(LlamaBackend.version)",
            ])
        return loaded
    }

    /// Sequences for side branches of trees. So many cost a pass nothing that could be measured (docs/engine.md).
    private static let branchesMax = 64
    private static let nodesMax = 512

    static func branches(beside slots: Int) -> Int { min(branchesMax, 254 - slots) }

    /// What an engine in a child process is to load, its layers on these servers.
    /// - Throws: `NacreError` for cores that are not to be had.
    package func remoteStart(_ settings: Settings, layers: LayerAddresses, exact: Bool) throws -> EngineStart {
        let threads = try CPUList.threads(settings[Self.threads], on: settings[Self.cpus])
        return EngineStart(
            path: settings[Self.model], layers: layers.addresses.map(\.description), threads: threads,
            cpus: settings[Self.cpus]?.cores, contextPerJob: settings[Self.context],
            sequences: settings[Self.slots], branches: Self.branches(beside: settings[Self.slots]),
            nodesMax: Self.nodesMax, isExact: exact)
    }

    package func nodeName(_ settings: Settings, role: Role) -> String {
        let prefix = role == .verifier ? "verifier" : "drafter"
        let host = ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? "host"
        return settings[Self.name] ?? "\(prefix)-\(host)-\(ProcessInfo.processInfo.processIdentifier)"
    }

    /// How this node introduces itself.
    package func hello(_ settings: Settings, _ loaded: LoadedModel, role: Role, dataAddress: String) -> Hello {
        hello(settings, ServedModel(loaded), role: role, dataAddress: dataAddress)
    }

    /// How this node introduces itself.
    package func hello(_ settings: Settings, _ model: ServedModel, role: Role, dataAddress: String) -> Hello {
        let file = URL(fileURLWithPath: settings[Self.model]).lastPathComponent
        let threads = try? CPUList.threads(settings[Self.threads], on: settings[Self.cpus])
        return Hello(
            node: nodeName(settings, role: role), incarnation: Incarnation(rawValue: .random(in: 1 ... .max)),
            role: role, wireMin: Limits.wireVersion, wireMax: Limits.wireVersion, modelDigest: model.digest,
            vocabularyDigest: model.tokenizer.vocabularyDigest, dataAddress: dataAddress,
            capacity: Capacity(
                sequences: model.slots, context: model.contextPerJob, nodesMax: model.shape.nodesMax,
                shards: model.shards),
            modelName: "\(file)\(model.bridgeWords) (\(model.description))", engineVersion: model.engine,
            cores: settings[Self.cpus]?.description ?? "any",
            place: threads.map { .here(threads: $0, cpus: settings[Self.cpus]) } ?? .unknown,
            isExact: role == .drafter || model.isExact, bridge: model.bridge)
    }

    /// Measured pass times for the log: `1: 980, 2: 1410, ...`.
    package static func describe(_ cost: StepCostModel) -> String {
        [1, 2, 3, 4, 6, 8, 12, 16].map { "\($0): \(Int(cost.microseconds(nodes: $0)))" }.joined(separator: ", ")
    }
}

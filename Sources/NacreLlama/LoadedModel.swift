package import NacreCore
package import NacreEngine

/// A model ready to work: its engines on threads of their own, its weights, its tokenizer.
package struct LoadedModel: Sendable {
    /// The engines, which have the weights in common: one, or one for each shard. Shut them down at the end.
    package let hosts: [EngineHost<LlamaEngine>]
    /// The weights, with what is known about them.
    package let model: LlamaModel
    /// Text to tokens and back; needs no `await`.
    package let tokenizer: LlamaTokenizer
    /// Tokens that one job may have.
    package let contextPerJob: Int
    /// Whether rows are the same in every pass (`LlamaSettings.exact`).
    package let isExact: Bool

    /// The first engine.
    package var host: EngineHost<LlamaEngine> { hosts[0] }

    /// Most tokens of one job that a cache is made for unless somebody asks for more: caches of long contexts are
    /// large.
    private static let contextDefaultMax = 4_096

    /// Tokens that one job may have unless somebody asks for another number.
    package static func contextDefault(of model: LlamaModel) -> Int { min(model.contextTrained, contextDefaultMax) }

    /// Loads the model at `path` and starts an engine for it; see `start(_:settings:)`.
    ///
    /// - Throws: `.modelUnreadable`, `.modelUnsupported`, `.failed` (settings); no thread is left then.
    package static func start(
        path: String, settings: LlamaSettings, hasTrainedContext: Bool = false, name: String
    ) async throws(EngineError) -> LoadedModel {
        let model = try await LlamaModel.load(path: path, exact: settings.exact)
        return try await start(model, settings: settings, hasTrainedContext: hasTrainedContext, name: name)
    }

    /// Starts engines for a model on new threads called `name`. Shut them down at the end.
    ///
    /// - Parameters:
    ///   - hasTrainedContext: gives each job what the model was trained on, at most 4,096 tokens, in place of
    ///     `settings.contextPerJob`.
    ///   - shards: engines that divide the settings' threads, cores and sequences among themselves.
    /// - Throws: `.modelUnsupported`, `.failed` (settings); the threads have then ended.
    package static func start(
        _ model: LlamaModel, settings: LlamaSettings, hasTrainedContext: Bool = false, shards: Int = 1, name: String
    ) async throws(EngineError) -> LoadedModel {
        var settings = settings
        if hasTrainedContext { settings.contextPerJob = contextDefault(of: model) }
        if shards > 1, let complaint = settings.complaint ?? settings.complaint(aboutShards: shards) {
            throw EngineError(.failed, "the engine's settings cannot be used", remedy: complaint)
        }
        let tokenizer = try LlamaTokenizer(model)
        let hosts = try await hosts(of: model, settings.divided(into: shards), name: name)
        return LoadedModel(
            hosts: hosts, model: model, tokenizer: tokenizer, contextPerJob: settings.contextPerJob,
            isExact: settings.exact)
    }

    /// Measures ways to divide the settings' threads and cores among engines, with small caches that are gone again
    /// afterwards.
    ///
    /// - Parameter candidates: numbers of shards.
    /// - Throws: `.modelUnsupported`, `.failed`.
    package static func measure(
        _ model: LlamaModel, settings: LlamaSettings, candidates: [Int]
    ) async throws(EngineError) -> [ShardDivision] {
        var small = settings
        small.contextPerJob = 128
        // libllama cannot have passes of fewer nodes than sequences.
        small.nodesMax = min(settings.nodesMax, 256)
        var divisions: [[EngineHost<LlamaEngine>]] = []
        do throws(EngineError) {
            for shards in candidates {
                divisions.append(try await hosts(of: model, small.divided(into: shards), name: "trial"))
            }
            let measured = try await ShardCalibration.measure(divisions)
            for host in divisions.joined() { await host.shutdown() }
            return measured
        } catch {
            for host in divisions.joined() { await host.shutdown() }
            throw error
        }
    }

    /// One engine for each of `parts`, all over the same weights.
    private static func hosts(
        of model: LlamaModel, _ parts: [LlamaSettings], name: String
    ) async throws(EngineError) -> [EngineHost<LlamaEngine>] {
        var hosts: [EngineHost<LlamaEngine>] = []
        do throws(EngineError) {
            for (shard, part) in parts.enumerated() {
                hosts.append(
                    try await EngineHost.start(name: parts.count > 1 ? "\(name) \(shard)" : name) {
                        () throws(EngineError) in try LlamaEngine(model: model, settings: part)
                    })
            }
            return hosts
        } catch {
            for host in hosts { await host.shutdown() }
            throw error
        }
    }

    /// Measures the engines, all at the same time; see `Engine.calibrate`.
    ///
    /// - Returns: what passes cost, of each engine.
    package func calibrate() async throws(EngineError) -> [[PassCost]] {
        try await ShardCalibration.all(hosts) { (engine) throws(EngineError) in try engine.calibrate() }
    }

    /// Frees the engines and ends their threads.
    package func shutdown() async {
        for host in hosts { await host.shutdown() }
    }
}

package import NacreEngine

/// A model ready to work: its engine on a thread of its own, its weights, its tokenizer.
package struct LoadedModel: Sendable {
    /// The engine. Shut it down at the end.
    package let host: EngineHost<LlamaEngine>
    /// The weights, with what is known about them.
    package let model: LlamaModel
    /// Text to tokens and back; needs no `await`.
    package let tokenizer: LlamaTokenizer
    /// Tokens that one job may have.
    package let contextPerJob: Int

    /// Most tokens of one job that a cache is made for unless somebody asks for more: caches of long contexts are
    /// large.
    private static let contextDefaultMax = 4_096

    /// Tokens that one job may have unless somebody asks for another number.
    package static func contextDefault(of model: LlamaModel) -> Int { min(model.contextTrained, contextDefaultMax) }

    /// Loads the model at `path` on a new thread called `name` and starts an engine there. Shut `host` down at the
    /// end.
    ///
    /// - Parameter hasTrainedContext: gives each job what the model was trained on, at most 4,096 tokens, in place of
    ///   `settings.contextPerJob`.
    /// - Throws: `.modelUnreadable`, `.modelUnsupported`, `.failed` (settings); the thread has then ended.
    package static func start(
        path: String, settings: LlamaSettings, hasTrainedContext: Bool = false, name: String
    ) async throws(EngineError) -> LoadedModel {
        let host = try await EngineHost.start(name: name) { () throws(EngineError) in
            let model = try LlamaModel(path: path, exact: settings.exact)
            var settings = settings
            if hasTrainedContext { settings.contextPerJob = contextDefault(of: model) }
            return try LlamaEngine(model: model, settings: settings)
        }
        do throws(EngineError) {
            let (model, tokenizer) = try await host.withEngine { (engine) throws(EngineError) in
                (engine.model, try LlamaTokenizer(engine.model))
            }
            let context = hasTrainedContext ? contextDefault(of: model) : settings.contextPerJob
            return LoadedModel(host: host, model: model, tokenizer: tokenizer, contextPerJob: context)
        } catch {
            await host.shutdown()
            throw error
        }
    }
}

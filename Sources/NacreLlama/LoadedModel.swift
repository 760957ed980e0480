package import NacreEngine

/// A model ready to work: its engine on a thread of its own, its weights, its tokenizer.
package struct LoadedModel: Sendable {
    /// The engine. Shut it down at the end.
    package let host: EngineHost<LlamaEngine>
    /// The weights, with what is known about them.
    package let model: LlamaModel
    /// Text to tokens and back; needs no `await`.
    package let tokenizer: LlamaTokenizer

    /// Loads the model at `path` on a new thread called `name` and starts an engine there. Shut `host` down at the
    /// end.
    ///
    /// - Throws: `.modelUnreadable`, `.modelUnsupported`, `.failed` (settings); the thread has then ended.
    package static func start(
        path: String, settings: LlamaSettings, name: String
    ) async throws(EngineError) -> LoadedModel {
        let host = try await EngineHost.start(name: name) { () throws(EngineError) in
            let model = try LlamaModel(path: path, exact: settings.exact)
            return try LlamaEngine(model: model, settings: settings)
        }
        do throws(EngineError) {
            let (model, tokenizer) = try await host.withEngine { (engine) throws(EngineError) in
                (engine.model, try LlamaTokenizer(engine.model))
            }
            return LoadedModel(host: host, model: model, tokenizer: tokenizer)
        } catch {
            await host.shutdown()
            throw error
        }
    }
}

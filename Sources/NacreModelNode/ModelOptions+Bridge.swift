package import Logging
import NacreCore
package import NacreEngine
package import NacreLlama
package import NacreNode

// A drafter of another vocabulary than its target's.
extension ModelOptions {
    package static let targetVocabulary = OptionalSetting<String>("target-vocabulary")
    package static let bridge = OptionalSetting<BridgeName>("bridge")

    /// A draft model behind a bridge: its engine takes and gives the target's tokens.
    package struct Bridged: Sendable {
        package let served: ServedModel
        package let host: EngineHost<BridgedEngine<LlamaEngine>>
    }

    /// Loads the draft model that the settings name, and the vocabulary of its target.
    ///
    /// - Returns: `nil` if both have one vocabulary, so that there is nothing to bridge.
    /// - Throws: `.badUsage` for a bridge that cannot work, with those that can; `EngineError` for models that cannot
    ///   be loaded.
    package func loadBridged(_ settings: Settings, path: String, log: Logger) async throws -> Bridged? {
        let threads = try CPUList.threads(settings[Self.threads], on: settings[Self.cpus])
        let target = try LlamaTokenizer(path: path)
        // The vocabulary alone says whether the pair goes together, in a moment.
        let draft = try LlamaTokenizer(path: settings[Self.model])
        let asked = settings[Self.bridge]?.kind
        if target.vocabularyDigest == draft.vocabularyDigest {
            log.notice("the draft model has the target's vocabulary: no bridge is needed")
            return nil
        }
        let bridge: VocabularyBridge
        do throws(BridgeRefusal) {
            bridge = try VocabularyBridge(target: target, draft: draft, asked: asked)
        } catch {
            throw NacreError(.badUsage, "--bridge \(asked?.rawValue ?? "auto"): \(error)")
        }
        let model = try await LlamaModel.load(path: settings[Self.model], exact: false)
        let context = settings[Self.context] ?? LoadedModel.contextDefault(of: model)
        let engine = LlamaSettings(
            threads: threads, cpus: settings[Self.cpus]?.cores, contextPerJob: context,
            sequences: settings[Self.slots], branches: Self.branches(beside: settings[Self.slots]), exact: false)
        let host = try await EngineHost.start(name: "draft") { () throws(EngineError) in
            var inner = try LlamaEngine(model: model, settings: engine)
            // The first passes touch memory for the first time; better now than in a job.
            _ = try inner.calibrate(budget: .milliseconds(100))
            return BridgedEngine(inner, bridge: bridge, contextMax: context)
        }
        log.notice(
            "model loaded",
            metadata: [
                "model": "\(model.description)", "threads": "\(threads)",
                "cores": "\(settings[Self.cpus]?.description ?? "any")", "context": "\(context)",
                "slots": "\(settings[Self.slots])", "bridge": "\(bridge.kind.rawValue)",
                "target.tokens": "\(target.vocabularySize)", "shared": "\(bridge.overlap.shared)",
                "share.of.text": bridge.textShare.map { "\(Int((100 * $0).rounded())) %" } ?? "unknown",
                "libllama": "\(LlamaBackend.version)",
            ])
        return Bridged(
            served: ServedModel(model, target: target, bridge: bridge.kind, shape: host.shape, contextPerJob: context),
            host: host)
    }
}

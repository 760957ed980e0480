package import Logging
package import NacreCore
package import NacreEngine
import NacreLlama
package import NacreNode
package import NacreProtocol

// A drafter with no model of its own needs the target's vocabulary only.
extension ModelOptions {
    /// Tokens of one job unless somebody asks for another number: as many as a prompt and an output may have. They cost
    /// memory only as they come, some 200 bytes each for each kind of lookup.
    private static let contextDefault = Limits.promptTokensMax + Limits.outputTokensMax
    private static let nodesMax = 512

    /// Reads the vocabulary of the model that the settings name, and leaves its weights alone.
    ///
    /// - Parameter lookups: what is to draft.
    /// - Throws: `.modelUnreadable`, `.modelUnsupported`.
    package func loadVocabulary(
        _ settings: Settings, for lookups: [LookupKind], log: Logger
    ) throws(EngineError) -> ServedModel {
        let tokenizer = try LlamaTokenizer(path: settings[Self.model])
        let context = settings[Self.context] ?? Self.contextDefault
        log.notice(
            "vocabulary loaded",
            metadata: [
                "model": "\(settings[Self.model])", "tokens": "\(tokenizer.vocabularySize)",
                "lookup": "\(lookups.names)", "context": "\(context)", "slots": "\(settings[Self.slots])",
            ])
        return ServedModel(
            tokenizer, lookups: lookups, slots: settings[Self.slots], contextPerJob: context, nodesMax: Self.nodesMax)
    }

    /// How a drafter introduces itself that looks drafts up, alone or beside a model.
    package func hello(
        _ settings: Settings, _ model: ServedModel, lookups: [LookupKind], hasModel: Bool, dataAddress: String
    ) -> Hello {
        var hello = hello(settings, model, role: .drafter, dataAddress: dataAddress)
        guard !lookups.isEmpty else { return hello }
        let names = lookups.map(\.rawValue).joined(separator: "+")
        hello.modelDigest = model.digest(with: lookups)
        guard hasModel else {
            hello.modelName = "\(names) (vocabulary of \(hello.fileName))"
            // It computes next to nothing: nobody has to wait for it.
            hello.place = .unknown
            return hello
        }
        hello.modelName = "\(hello.fileName)+\(names)\(model.bridgeWords) (\(model.description))"
        return hello
    }
}

extension ServedModel {
    /// What drafts together are known by.
    package func digest(with lookups: [LookupKind]) -> UInt64 {
        guard !lookups.isEmpty else { return digest }
        var whole = Digest()
        withUnsafeBytes(of: digest.littleEndian) { whole.absorb($0) }
        Array(lookups.names.utf8).withUnsafeBytes { whole.absorb($0) }
        return whole.value
    }
}

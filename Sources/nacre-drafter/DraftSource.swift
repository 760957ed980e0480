import Logging
import NacreCore
import NacreEngine
import NacreLlama
import NacreModelNode
import NacreNode
import NacreProtocol
import NacreRoles

/// What drafts: a model on its engine's thread, or no model at all.
struct DraftSource {
    let served: ServedModel
    /// What a pass takes that draws for so many jobs; empty where a draft is not a pass.
    let costs: [PassCost]
    let submit: EnginePump.Submit
    let shutdown: @Sendable () async -> Void

    /// A model, loaded and warm.
    init(_ options: ModelOptions, _ settings: Settings, log: Logger) async throws {
        // What a drafter proposes is a hint: its last bits may depend on what else it computes.
        let loaded = try await options.load(settings, role: .drafter, exact: false, log: log)
        guard loaded.host.shape.canRewind else { throw Self.recurrent }
        // The first passes touch memory for the first time; better now than in a job.
        costs = try await loaded.host.calibrate(budget: .milliseconds(100))
        served = ServedModel(loaded)
        submit = { loaded.host.submit($0, done: $1) }
        shutdown = { await loaded.host.shutdown() }
    }

    /// A model behind a bridge.
    init(_ bridged: ModelOptions.Bridged) throws(NacreError) {
        guard bridged.host.shape.canRewind else { throw Self.recurrent }
        served = bridged.served
        costs = []
        submit = { bridged.host.submit($0, done: $1) }
        shutdown = { await bridged.host.shutdown() }
    }

    private static var recurrent: NacreError {
        NacreError(
            .failed, "this model's cache cannot be rewound, so it cannot draft",
            remedy: "use a draft model without recurrent layers")
    }

    /// A vocabulary. The machine is told that there is no model, and asks for no pass.
    init(_ vocabulary: ServedModel) {
        served = vocabulary
        costs = []
        submit = { _, done in done(.failure(EngineError(.failed, "this drafter has no model"))) }
        shutdown = {}
    }
}

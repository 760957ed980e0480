import NacreCore
package import NacreNode

/// What a local cluster consists of, checked before anything is started.
package struct ClusterPlan: Sendable {
    package let installation: Installation
    /// Paths of the models.
    package let target: String
    package let draft: String
    /// What drafts without a model, as `nacre-drafter --lookup` reads it; `nil`: nothing does.
    package let lookup: String?
    /// Whether drafters have a model.
    package let hasDraftModel: Bool
    package let cores: CoreAssignment
    /// Where the coordinator listens for nodes and for clients; port 0 for any free one.
    package var listen = HostPort(host: "127.0.0.1", port: 0)
    package var http = HostPort(host: "127.0.0.1", port: 0)
    /// Tokens per job, and jobs at once, of each node; `nil` for the node's own default.
    package var context: Int?
    package var slots: Int?
    /// Whether verifiers may round differently from pass to pass.
    package var hasInexactRounding = false
    package var logLevel: String?
    /// How a draft model's tokens become the target's, as `nacre-drafter --bridge` reads it; `nil` where both have one
    /// vocabulary.
    package var bridge: String?
    /// A file of the coordinator's settings; what the plan says itself comes first.
    package var coordinatorSettings: String?

    /// What drafts, for people: a path, kinds of lookups, or both.
    package var drafting: String { [hasDraftModel ? draft : nil, lookup].compactMap(\.self).joined(separator: "+") }

    /// Most processes of one role: enough for any one machine, and few enough to list.
    package static let processesMax = 64
    /// The slots of nodes that are told nothing.
    package static let slotsUsual = 8

    /// - Parameters:
    ///   - target: path of the target model, `nil` for the one that Nacre comes with; as `draft`.
    ///   - lookup: what drafts without a model: in the model's place if `draft` is `nil`, else beside it. Placed plain,
    ///     it drafts without the model.
    ///   - coresMax: see `CoreAssignment`; so are the next two.
    /// - Throws: `.badUsage` for a model file or a lookup that is none, `.failed` without default models.
    package init(
        installation: Installation, target: String?, draft: String?, verifiers: Int = 1, drafters: Int = 1,
        lookup: String? = nil, coresMax: Int? = nil, placement: ClusterPlacement? = nil, drafterCores: Int = 1
    ) throws(NacreError) {
        self.installation = installation
        if let target {
            self.target = target
        } else {
            self.target = try installation.model(Installation.defaultTarget)
        }
        do throws(LookupNameError) {
            self.lookup = try lookup.map { text throws(LookupNameError) in try [LookupKind](parsing: text).names }
        } catch {
            throw NacreError(.badUsage, "--lookup: \(error.description)")
        }
        hasDraftModel = lookup == nil || draft != nil && placement != .plain
        if hasDraftModel, let draft {
            self.draft = draft
        } else if lookup != nil {
            self.draft = self.target
        } else {
            self.draft = try installation.model(Installation.defaultDraft)
        }
        try Installation.checkModel(self.target, flag: "target")
        if drafters > 0 { try Installation.checkModel(self.draft, flag: "draft") }
        // Without a model there is nothing to take turns for.
        let place = hasDraftModel || placement == .apart ? placement ?? .apart : .beside
        cores = CoreAssignment(
            available: try .available(), verifiers: verifiers, drafters: drafters, coresMax: coresMax, placement: place,
            drafterCores: drafterCores)
    }

    /// One process to start.
    struct Process {
        let name: String
        let role: String
        let executable: String
        let arguments: [String]
    }

    private var logArguments: [String] { logLevel.map { ["--log-level", $0] } ?? [] }

    var coordinator: Process {
        Process(
            name: "coordinator", role: "coordinator", executable: "nacre-coordinator",
            arguments: ["--listen", "\(listen)", "--http", "\(http)"]
                + (coordinatorSettings.map { ["--config", $0] } ?? []) + logArguments)
    }

    /// Verifiers and drafters, to be started once the coordinator listens at `control`.
    func nodes(control: HostPort) -> [Process] {
        func process(_ role: String, _ number: Int, _ model: String, _ share: CoreAssignment.Share) -> Process {
            var arguments = ["--model", model, "--coordinator", "\(control)", "--name", "\(role)-\(number)"]
            arguments += ["--threads", "\(share.threads)", "--cpus", "\(share.cores)"]
            if let context { arguments += ["--context", "\(context)"] }
            if let slots { arguments += ["--slots", "\(slots)"] }
            if hasInexactRounding, role == "verifier" { arguments.append("--inexact-rounding") }
            if role == "drafter", let lookup {
                arguments += ["--lookup", lookup] + (hasDraftModel ? [] : ["--vocabulary-only"])
            }
            if role == "drafter", hasDraftModel, let bridge {
                arguments += ["--target-vocabulary", target, "--bridge", bridge]
            }
            return Process(
                name: "\(role)-\(number)", role: role, executable: "nacre-\(role)", arguments: arguments + logArguments)
        }
        return cores.verifiers.enumerated().map { process("verifier", $0 + 1, target, $1) }
            + cores.drafters.enumerated().map { process("drafter", $0 + 1, draft, $1) }
    }
}

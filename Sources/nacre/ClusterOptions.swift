import ArgumentParser
import NacreAPI
import NacreClient
import NacreLlama
import NacreModels
import NacreNode

/// The models of a cluster on this machine, and what each of its nodes may use.
struct ClusterModels: ParsableArguments {
    @Option(help: ArgumentHelp("The target model, a GGUF file (default: the one Nacre comes with).", valueName: "path"))
    var target: String?

    @Option(help: ArgumentHelp("The draft model, of any vocabulary (default: as above).", valueName: "path"))
    var draft: String?

    @Option(
        help: ArgumentHelp(
            "Drafters without a model, the most trusted first: ngram, suffix, phrases. In place of a draft model, or "
                + "beside it where --draft names one.", valueName: "kind,..."))
    var lookup: String?

    @Option(
        help: ArgumentHelp(
            "How a draft model of another vocabulary drafts: auto, tli (tokens that both have), slem (by way of the "
                + "text), slem+tli (slem for greedy text, tli for sampled), slrs (tiny vocabularies only) (default "
                + "auto; not used where both have one vocabulary).",
            valueName: "kind"))
    var bridge: String?

    @Option(help: "Most cores, and threads, of each verifier (default 8).")
    var threads: Int?

    @Option(help: "Most tokens of a job, prompt and output (default: the nodes').")
    var context: Int?

    @Option(help: "Most jobs at once on a node (default: the nodes').")
    var slots: Int?

    @Flag(
        help: ArgumentHelp(
            "Let verifiers round as is fastest at long contexts: output may differ from plain decoding where two "
                + "tokens are almost tied."))
    var inexactRounding = false

    @Option(
        help: ArgumentHelp(
            "How much the processes log: \(Telemetry.levels.joined(separator: ", ")).", valueName: "level"))
    var logLevel: String?

    static let bridges = ModelPair.bridgeNames

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads must be 1 or more.") }
        try Self.check(bridge: bridge)
        if let logLevel, !Telemetry.levels.contains(logLevel) {
            throw ValidationError("--log-level must be one of \(Telemetry.levels.joined(separator: ", ")).")
        }
    }

    func plan(
        verifiers: Int, drafters: Int, placement: ClusterPlacement? = nil, drafterCores: Int = 1,
        coresMax: Int? = nil
    ) throws -> ClusterPlan {
        var plan = try ClusterPlan(
            installation: .current(), target: target, draft: draft, verifiers: verifiers, drafters: drafters,
            lookup: lookup, coresMax: coresMax ?? threads, placement: placement, drafterCores: drafterCores)
        plan.context = context
        plan.slots = slots
        plan.hasInexactRounding = inexactRounding
        plan.logLevel = logLevel
        if plan.hasDraftModel, drafters > 0, draft != nil || target != nil, plan.isOfTwoVocabularies {
            plan.bridge = bridge ?? "auto"
        }
        return plan
    }
}

/// The models and nodes of a cluster on this machine.
struct ClusterOptions: ParsableArguments {
    @OptionGroup var models: ClusterModels

    @Option(name: .customLong("verifiers"), help: ArgumentHelp("Verifiers to start (default 1).", valueName: "n"))
    var verifiersGiven: Int?

    @Option(
        name: .customLong("drafters"),
        help: ArgumentHelp("Drafters to start; 0 for none with a model (default 1).", valueName: "n"))
    var draftersGiven: Int?

    var verifiers: Int { verifiersGiven ?? 1 }
    /// At least one where drafts are looked up.
    var drafters: Int { max(draftersGiven ?? 1, models.lookup == nil ? 0 : 1) }
    /// Where drafters have to be, because none shall have a model.
    var placementGiven: ClusterPlacement? { draftersGiven == 0 ? .plain : nil }

    /// The options that were given: they say nothing about a cluster that runs already.
    var given: [String] {
        let flags = [
            ("--target", models.target != nil), ("--draft", models.draft != nil), ("--lookup", models.lookup != nil),
            ("--bridge", models.bridge != nil),
            ("--threads", models.threads != nil),
            ("--context", models.context != nil), ("--slots", models.slots != nil),
            ("--inexact-rounding", models.inexactRounding), ("--log-level", models.logLevel != nil),
            ("--verifiers", verifiersGiven != nil), ("--drafters", draftersGiven != nil),
        ]
        return flags.filter { $0.1 }.map { $0.0 }
    }

    func validate() throws {
        try ClusterModels.check(verifiers: [verifiers], drafters: [drafters])
    }

    func plan() throws -> ClusterPlan {
        try models.plan(verifiers: verifiers, drafters: drafters, placement: placementGiven)
    }

    /// A plan with room for so many jobs at once.
    ///
    /// - Throws: `.badUsage` if the slots that were asked for do not suffice: jobs that wait are not at once.
    func plan(jobsAtOnce: Int, placement: ClusterPlacement?) throws -> ClusterPlan {
        let nodes = drafters > 0 ? min(verifiers, drafters) : verifiers
        let needed = (jobsAtOnce + nodes - 1) / nodes
        if let slots = models.slots, slots < needed {
            throw NacreError(
                .badUsage, "\(jobsAtOnce) jobs at once do not fit in \(slots) slots of each node",
                remedy: "leave --slots out, or make it \(needed) or more")
        }
        var plan = try models.plan(verifiers: verifiers, drafters: drafters, placement: placementGiven ?? placement)
        if models.slots == nil, jobsAtOnce > ClusterPlan.slotsUsual { plan.slots = jobsAtOnce }
        return plan
    }
}

extension ClusterModels {
    static func check(bridge: String?) throws {
        if let bridge, !bridges.contains(bridge) {
            throw ValidationError("--bridge must be one of \(bridges.joined(separator: ", ")).")
        }
    }

    /// Refuses numbers of processes that no machine is for.
    static func check(verifiers: [Int], drafters: [Int]) throws {
        guard verifiers.allSatisfy((1...ClusterPlan.processesMax).contains) else {
            throw ValidationError("--verifiers must lie between 1 and \(ClusterPlan.processesMax).")
        }
        guard drafters.allSatisfy((0...ClusterPlan.processesMax).contains) else {
            throw ValidationError("--drafters must lie between 0 and \(ClusterPlan.processesMax).")
        }
    }
}

extension ClusterPlan {
    /// Whether the draft model has another vocabulary than the target. What is wrong with a file its node says better.
    var isOfTwoVocabularies: Bool {
        guard let left = try? LlamaTokenizer(path: target), let right = try? LlamaTokenizer(path: draft) else {
            return false
        }
        return left.vocabularyDigest != right.vocabularyDigest
    }

    /// Runs `body` on a cluster of its own, on free ports, which is gone when this returns, throws or is interrupted.
    func withPrivateCluster<Result: Sendable>(
        _ terminal: Terminal, _ body: @escaping @Sendable (CoordinatorClient) async throws -> Result
    ) async throws -> Result {
        try await Interruption.guarding {
            let attachment = ChildProcess.Attachment.attached { _ in }
            let cluster = try await Cluster.launch(self, attachment: { _ in attachment })
            do {
                let result = try await CoordinatorClient.with(cluster.http, body)
                await cluster.stop()
                return result
            } catch {
                await cluster.stop()
                throw error
            }
        }
    }
}

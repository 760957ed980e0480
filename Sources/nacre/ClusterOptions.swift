import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

/// The models of a cluster on this machine, and what each of its nodes may use.
struct ClusterModels: ParsableArguments {
    @Option(help: ArgumentHelp("The target model, a GGUF file (default: the one Nacre comes with).", valueName: "path"))
    var target: String?

    @Option(help: ArgumentHelp("The draft model, of the target's vocabulary (default: as above).", valueName: "path"))
    var draft: String?

    @Option(
        help: ArgumentHelp(
            "Drafters without a model, the most trusted first: ngram, suffix, phrases. In place of a draft model, or "
                + "beside it where --draft names one.", valueName: "kind,..."))
    var lookup: String?

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

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads must be 1 or more.") }
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
        return plan
    }
}

/// The models and nodes of a cluster on this machine.
struct ClusterOptions: ParsableArguments {
    @OptionGroup var models: ClusterModels

    @Option(help: "Verifiers to start.")
    var verifiers = 1

    @Option(help: "Drafters to start; 0 for none.")
    var drafters = 1

    func validate() throws {
        try ClusterModels.check(verifiers: [verifiers], drafters: [drafters])
    }

    func plan() throws -> ClusterPlan { try models.plan(verifiers: verifiers, drafters: drafters) }

    /// A plan with room for so many jobs at once.
    func plan(jobsAtOnce: Int) throws -> ClusterPlan {
        var plan = try plan()
        if models.slots == nil, jobsAtOnce > ClusterPlan.slotsUsual { plan.slots = jobsAtOnce }
        return plan
    }
}

extension ClusterModels {
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

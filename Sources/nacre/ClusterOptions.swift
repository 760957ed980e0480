import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

/// The models and nodes of a cluster on this machine.
struct ClusterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The target model, a GGUF file (default: the one Nacre comes with).", valueName: "path"))
    var target: String?

    @Option(help: ArgumentHelp("The draft model, of the target's vocabulary (default: as above).", valueName: "path"))
    var draft: String?

    @Option(help: "Verifiers to start.")
    var verifiers = 1

    @Option(help: "Drafters to start; 0 for none.")
    var drafters = 1

    @Option(help: "Most cores, and threads, of each verifier (default 8).")
    var threads: Int?

    @Option(help: "Most tokens of a job, prompt and output (default: the nodes').")
    var context: Int?

    @Option(help: "Most jobs at once on a node (default: the nodes').")
    var slots: Int?

    @Option(
        help: ArgumentHelp(
            "How much the processes log: \(Telemetry.levels.joined(separator: ", ")).", valueName: "level"))
    var logLevel: String?

    func validate() throws {
        guard (1...ClusterPlan.processesMax).contains(verifiers) else {
            throw ValidationError("--verifiers must lie between 1 and \(ClusterPlan.processesMax).")
        }
        guard (0...ClusterPlan.processesMax).contains(drafters) else {
            throw ValidationError("--drafters must lie between 0 and \(ClusterPlan.processesMax).")
        }
        if let threads, threads < 1 { throw ValidationError("--threads must be 1 or more.") }
        if let logLevel, !Telemetry.levels.contains(logLevel) {
            throw ValidationError("--log-level must be one of \(Telemetry.levels.joined(separator: ", ")).")
        }
    }

    func plan() throws -> ClusterPlan {
        var plan = try ClusterPlan(
            installation: .current(), target: target, draft: draft, verifiers: verifiers, drafters: drafters,
            coresMax: threads)
        plan.context = context
        plan.slots = slots
        plan.logLevel = logLevel
        return plan
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

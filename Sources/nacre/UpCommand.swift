import ArgumentParser
import Foundation
import NacreAPI
import NacreClient
import NacreNode
import Synchronization

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Start a cluster of real processes on this machine.",
        discussion: """
            Stays until Ctrl-C or `nacre down`, then stops every process it has started; with --detach it returns as
            soon as the cluster is ready. Where the drafter computes is decided as `nacre plan` does, by what both
            models are measured to take: on cores of its own, on the verifier's in turns with it, or nowhere if it does
            not pay. --placement overrides that. No two processes compute on a core at the same time, unless there are
            more processes than cores: that is warned of. A drafter without a model (--lookup without --draft) computes
            next to nothing and has no core of its own.

            Examples:
              nacre up
              nacre up --detach && nacre run "import os" && nacre down
              nacre up --target T.gguf --draft D.gguf --verifiers 2 --slots 4
              nacre up --placement apart
              nacre up --lookup suffix
              nacre up --draft D.gguf --lookup suffix,phrases
              nacre up --config tuned.yaml
            """)

    @OptionGroup var cluster: ClusterOptions

    @Option(help: ArgumentHelp("Where nodes register.", valueName: "host:port"))
    var listen = "127.0.0.1:7400"

    @Option(help: ArgumentHelp("Where clients talk HTTP/2.", valueName: "host:port"))
    var http = "127.0.0.1:7401"

    @Option(
        help: ArgumentHelp(
            "Where the draft model computes: auto, apart (cores of its own), together (in turns), plain (nowhere; what "
                + "--lookup names drafts all the same)."))
    var placement = PlacementChoice.auto

    @Option(
        help: ArgumentHelp("Cores, and threads, of each drafter with --placement apart (default 1).", valueName: "n"))
    var drafterThreads: Int?

    @Option(
        help: ArgumentHelp(
            "A file of the coordinator's settings (policy, pair-policies, method, ...), as `nacre tune --out` writes "
                + "it.",
            valueName: "file"))
    var config: String?

    @Flag(help: "Return when the cluster is ready; `nacre down` stops it.")
    var detach = false

    @Flag(help: "Write what was started as JSON.")
    var json = false

    func validate() throws {
        guard let drafterThreads else { return }
        guard drafterThreads > 0 else { throw ValidationError("--drafter-threads must be 1 or more.") }
        guard placement == .apart else { throw ValidationError("--drafter-threads goes with --placement apart.") }
    }

    func run() async throws {
        let (listen, http) = (try HostPort(listen), try HostPort(http))
        let (cluster, choice, isDetached, json) = (cluster, placement, detach, json)
        let (settings, drafterThreads) = (config, drafterThreads)
        // A running cluster is in the way of the measurements too.
        try UpSession.requireNone()
        try await Interruption.guarding {
            var (plan, reason) = try await cluster.placed(
                choice, drafterThreads: drafterThreads, Terminal.standard())
            if plan.cores.isShared {
                Terminal.standard().note(
                    "warning: there are fewer cores than processes, so that some compute on one at the same time and "
                        + "are slow")
            }
            plan.listen = listen
            plan.http = http
            plan.coordinatorSettings = settings
            try await UpSession(plan: plan, reason: reason, isDetached: isDetached, json: json).run()
        }
    }
}

/// One run of `nacre up`.
private final class UpSession: Sendable {
    let plan: ClusterPlan
    /// Why the drafter is where it is.
    let reason: String
    let isDetached: Bool
    let json: Bool
    let terminal = Terminal.standard()
    let folder = ClusterFolder.standard()
    /// Whether the processes' log lines are shown: what fails during the start is told once, as an error.
    private let logsShown: Mutex<Bool>

    init(plan: ClusterPlan, reason: String, isDetached: Bool, json: Bool) {
        self.plan = plan
        self.reason = reason
        self.isDetached = isDetached
        self.json = json
        logsShown = Mutex(plan.logLevel != nil)
    }

    /// - Throws: `.failed` if there is a cluster.
    static func requireNone() throws {
        if let record = try ClusterFolder.standard().running() {
            throw NacreError(
                .failed, "a cluster is running already, at \(record.http)", remedy: "stop it with `nacre down`")
        }
    }

    func run() async throws {
        try Self.requireNone()
        folder.clear()
        try folder.create()
        let start = ContinuousClock.now
        let cluster: Cluster
        do {
            cluster = try await Cluster.launch(plan, attachment: attachment, progress: progress)
        } catch {
            folder.clear()
            throw error
        }
        do {
            try folder.write(ClusterRecord(cluster, isDetached: isDetached))
            logsShown.withLock { $0 = true }
            try announce(cluster, after: start.duration(to: .now))
        } catch {
            // Nobody could find these processes again.
            await cluster.stop()
            folder.clear()
            throw error
        }
        if isDetached { return }
        do {
            try await cluster.watch { child in
                terminal.note("nacre: \(child.name) ended (\(child.ending.map { "\($0)" } ?? "?")); the others go on")
            }
        } catch {
            // The processes' farewells to each other are of no use to the person who asked for the end.
            logsShown.withLock { $0 = plan.logLevel != nil }
            await cluster.stop()
            folder.clear()
            if error is CancellationError { progress("stopped every process") }
            throw error
        }
    }

    private func attachment(_ name: String) -> ChildProcess.Attachment {
        if isDetached { return .detached(log: folder.logPath(name)) }
        return .attached { [self] line in
            if logsShown.withLock({ $0 }) { terminal.note("[\(name)] \(Terminal.harmless(line))") }
        }
    }

    /// What `--json` prints: the record, and where the drafter is.
    private struct Report: Encodable {
        let record: ClusterRecord
        let placement: String
        let reason: String

        private enum CodingKeys: String, CodingKey {
            case placement, reason
        }

        func encode(to encoder: any Encoder) throws {
            try record.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(placement, forKey: .placement)
            try container.encode(reason, forKey: .reason)
        }
    }

    private func progress(_ text: String) { if terminal.showsProgress { terminal.note(text) } }

    private func announce(_ cluster: Cluster, after time: Duration) throws {
        let record = ClusterRecord(cluster, isDetached: isDetached)
        if json {
            return try terminal.write(
                json: Report(record: record, placement: plan.cores.placement.rawValue, reason: reason))
        }
        try terminal.line("ready at \(cluster.http) after \(Figures.decimal(time / .seconds(1), digits: 1)) s")
        try terminal.line("cores: \(plan.cores.description)")
        try terminal.line("placement: \(plan.cores.placement.rawValue), \(reason)")
        for process in record.processes { try terminal.line("\(process.name): pid \(process.pid)") }
        guard terminal.isInteractive else { return }
        let stop = isDetached ? "stop with: nacre down" : "stop with Ctrl-C"
        try terminal.line("try: nacre run \"def fibonacci(n):\"    \(stop)")
    }
}

struct DownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Stop the cluster that `nacre up` has started.",
        discussion: """
            Stops only processes that `nacre up` has written down and that are still the same ones.

            Examples:
              nacre down
              nacre down --json
            """)

    @Flag(help: "Write what was stopped as JSON.") var json = false

    /// What `--json` prints.
    private struct Report: Encodable {
        /// The cluster's address; absent if none was running.
        let http: String?
        let stopped: [ClusterRecord.Process]
    }

    func run() async throws {
        let folder = ClusterFolder.standard()
        let terminal = Terminal.standard()
        guard let record = try folder.running() else {
            folder.clear()
            if json { return try terminal.write(json: Report(http: nil, stopped: [])) }
            if terminal.showsProgress { terminal.note("no cluster is running") }
            return
        }
        let stopped = record.running
        await record.stop()
        guard record.running.isEmpty else {
            let left = record.running.map { "\($0.name) (pid \($0.pid))" }.joined(separator: ", ")
            throw NacreError(.failed, "\(left) did not stop", remedy: "look at them with ps")
        }
        folder.clear()
        if json { return try terminal.write(json: Report(http: "\(record.http)", stopped: stopped)) }
        if terminal.showsProgress { terminal.note("stopped the cluster at \(record.http)") }
    }
}

import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode
import Synchronization

struct TuneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune", abstract: "Find the fastest way to decode with a pair of models on this machine.",
        discussion: """
            Tries every method under policies of several parameters, in alternation with plain decoding, on the tuning
            half of Nacre's prompts. All ways are measured a little, the better half of them a little more, and so on;
            the last three share what is left of the time. It ends when that is spent, or when the best is clear, and
            says in what share of resamples it leads. Every output is --tokens long: a token that ends the text does not
            end the job, unless with --stop-at-eos. Ctrl-C shows the best so far. The settings are for the
            coordinator: nacre up --config FILE, or nacre-coordinator --config FILE. In a pipe: a line for each way,
            separated by tabs.

            Examples:
              nacre tune
              nacre tune --target T.gguf --draft D.gguf --budget 10m --out tuned.yaml
              nacre up --target T.gguf --draft D.gguf --config tuned.yaml
              nacre tune --methods speculative,stream --jobs 4 --budget 90s --json
            """)

    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var measuring: MeasuringOptions

    @Option(help: ArgumentHelp("Most time to take, as in 90s, 10m or 1h (default 10m).", valueName: "time"))
    var budget = "10m"

    @Option(help: ArgumentHelp("Methods to choose from (default speculative,pearl,stream).", valueName: "list"))
    var methods: String?

    @Option(help: ArgumentHelp("Jobs at once that it shall be fast for (default 1).", valueName: "n"))
    var jobs = 1

    @Option(help: ArgumentHelp("Write the settings to this file; without it a terminal shows them.", valueName: "file"))
    var out: String?

    @Flag(help: "Write everything that was found as JSON.") var json = false

    private static let jobsMax = 64

    func validate() throws {
        guard (1...Self.jobsMax).contains(jobs) else {
            throw ValidationError("--jobs must lie between 1 and \(Self.jobsMax).")
        }
        guard cluster.drafters > 0 else {
            throw ValidationError("--drafters must be 1 or more: there is nothing to tune.")
        }
    }

    /// What is known so far, kept outside of the task that Ctrl-C ends.
    private final class Kept: Sendable {
        let state = Mutex<(state: Tuner.State, nodes: [NodeDocument])?>(nil)
    }

    func run() async throws {
        let (start, terminal) = (ContinuousClock.now, Terminal.standard())
        let limit = try TimeSpan(budget, flag: "--budget").duration
        let out = try out.map { path in try OutputFile(path) }
        let known = DecodingVariant.methods.filter { $0 != DecodingVariant.plain.method }
        var names = try CheckOptions.names(methods ?? "speculative,pearl,stream", "method", of: known)
        names = names.indices.filter { !names[..<$0].contains(names[$0]) }.map { names[$0] }
        let tuner = Tuner(
            TuningSpace.variants(methods: names), prompts: try measuring.prompts(half: "tuning", turns: .max),
            jobs: jobs, template: measuring.template(), deadline: start + limit)
        let plan = try cluster.plan(jobsAtOnce: jobs, placement: measuring.clusterPlacement)
        let (kept, machine, command) = (Kept(), MeasuringMachine.current(), MeasuringOptions.commandLine)
        let report: @Sendable (Tuner.State, [NodeDocument], Bool) -> TuningReport = { state, nodes, isWhole in
            TuningReport(
                state, of: tuner, nodes: nodes, cores: plan.cores, machine: machine, command: command,
                budget: limit / .seconds(1), spent: start.duration(to: .now) / .seconds(1), interrupted: !isWhole)
        }
        if terminal.showsProgress { terminal.note("starting a cluster: \(plan.cores.description)") }
        var failure: (any Error)?
        do {
            try await plan.withPrivateCluster(terminal) { coordinator in
                let line = ProgressLine(terminal)
                defer { line.clear() }
                let nodes = try await coordinator.nodes()
                try await tuner.run(at: coordinator) { state in
                    kept.state.withLock { $0 = (state, nodes) }
                    // What was found is in the file even if this process is killed.
                    if let out { try out.write(report(state, nodes, false).settings) }
                } progress: {
                    line.show(start.duration(to: .now) / limit, $0)
                }
            }
        } catch {
            failure = error
        }
        guard let (state, nodes) = kept.state.withLock({ $0 }) else { throw failure ?? CancellationError() }
        let found = report(state, nodes, failure == nil)
        try show(found, on: terminal)
        if let out {
            try out.write(found.settings)
            if terminal.isInteractive, !json {
                try terminal.line("settings are in \(out.path): nacre up --config \(ShellText.quoted(out.path))")
            }
        }
        if let failure = failure ?? found.failure { throw failure }
    }

    private func show(_ report: TuningReport, on terminal: Terminal) throws {
        if json { return try terminal.write(json: report) }
        if terminal.isInteractive { try terminal.line(report.placing) }
        try report.table.write(to: terminal)
        guard terminal.isInteractive else { return }
        try terminal.line("")
        for line in report.curves + [""] + report.verdict { try terminal.line(line) }
        try terminal.line(report.footing)
        guard out == nil else { return }
        try terminal.line("")
        try terminal.write(report.settings)
    }
}

import ArgumentParser
import NacreClient
import NacreNode

struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Write what happened in a job as a timeline for Perfetto or Chrome.",
        discussion: """
            The timeline shows the verifier's passes, its commits and every drafter's passes, so the overlap of drafting
            and verifying can be seen. Open it at ui.perfetto.dev or in chrome://tracing. A drafter's pass is placed
            where its drafts arrived, so it lies later than it was by their way. The last 64 jobs can be traced, the
            first 4,096 events of each.

            With --decisions: how the drafts of a job that was submitted with --record did, position by position, for
            `nacre replay` and `nacre simulate`. The last 16 such jobs have that.

            Examples:
              nacre trace 3fa2 -o trace.json
              nacre trace 3fa2 --decisions -o job.trace
            """)

    @OptionGroup var job: JobName
    @OptionGroup var connection: ConnectionOptions

    @Option(name: [.short, .long], help: ArgumentHelp("Where to write (default: standard output).", valueName: "file"))
    var output: String?

    @Flag(help: "Write the recording instead of the timeline.") var decisions = false

    func run() async throws {
        let (terminal, prefix, isRecording) = (Terminal.standard(), job.id, decisions)
        let output = try output.map { path in try OutputFile(path) }
        try await connection.withCoordinator { coordinator in
            let id = try await coordinator.resolve(prefix)
            let trace = isRecording ? try await coordinator.recording(id) : try await coordinator.trace(id)
            if let output {
                try output.write(trace)
            } else {
                try terminal.write(String(decoding: trace, as: UTF8.self))
            }
        }
    }
}

import ArgumentParser
import Foundation
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

            Example:
              nacre trace 3fa2 -o trace.json
            """)

    @OptionGroup var job: JobName
    @OptionGroup var connection: ConnectionOptions

    @Option(name: [.short, .long], help: ArgumentHelp("Where to write (default: standard output).", valueName: "file"))
    var output: String?

    func run() async throws {
        let (terminal, prefix, output) = (Terminal.standard(), job.id, output)
        try await connection.withCoordinator { coordinator in
            let trace = try await coordinator.trace(try await coordinator.resolve(prefix))
            guard let output else {
                try terminal.write(String(decoding: trace, as: UTF8.self))
                return
            }
            do {
                try Data(trace).write(to: URL(fileURLWithPath: output), options: .atomic)
            } catch {
                throw NacreError(
                    .failed, "could not write \(output): \(error.localizedDescription)",
                    remedy: "check the folder and its room")
            }
        }
    }
}

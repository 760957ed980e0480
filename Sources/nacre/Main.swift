import ArgumentParser
import NacreLlama
import NacreNode

@main
enum Main {
    static func main() async { await CommandLineMain.run(NacreCommand.self) }
}

struct NacreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nacre",
        abstract:
            "Distributed speculative decoding: drafters guess ahead, verifiers decide, the output is the target's.",
        discussion: """
            Examples:
              nacre demo                                  a cluster, a job and its figures
              nacre up                                    a cluster on this machine, until Ctrl-C
              nacre run "def main():"                     a job, streamed
              nacre run --file prompt.txt --max-tokens 64 --json
              nacre nodes
              nacre models info T.gguf D.gguf             two files: do they fit?

            Exit status: 0 done, 1 failed, 2 bad usage, 3 coordinator unreachable, 130 interrupted.
            """,
        version: "nacre \(NacreVersion.current), \(LlamaBackend.title)",
        groupedSubcommands: [
            CommandGroup(
                name: "Jobs",
                subcommands: [
                    RunCommand.self, SubmitCommand.self, JobsCommand.self, JobCommand.self, WaitCommand.self,
                    CancelCommand.self, TraceCommand.self,
                ]),
            CommandGroup(
                name: "Cluster",
                subcommands: [
                    UpCommand.self, PlanCommand.self, DownCommand.self, NodesCommand.self, StatusCommand.self,
                    TopCommand.self, PolicyCommand.self,
                ]),
            CommandGroup(name: "Models", subcommands: [ModelsCommand.self, ReplayCommand.self, SimulateCommand.self]),
            CommandGroup(
                name: "Proof", subcommands: [DemoCommand.self, CheckCommand.self, BenchCommand.self, TuneCommand.self]),
        ])
}

import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Start a cluster, stream an answer, and compare it with plain decoding.",
        discussion: """
            The cluster is of real processes on free ports; it is gone at the end, also after Ctrl-C. The answer goes to
            stdout as it is accepted, the figures after it. Exit status 1 if the two outputs differ.

            Examples:
              nacre demo
              nacre demo --target T.gguf --draft D.gguf --max-tokens 256
              nacre demo --json
            """)

    @Argument(help: "The prompt (default: the beginning of a Python program).")
    var prompt: String?
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var decoding: DecodingOptions
    @Flag(help: "Write the result as JSON, without the stream.") var json = false

    func run() async throws {
        let plan = try cluster.plan()
        var job = JobRequest(prompt: prompt ?? Demonstration.prompt)
        decoding.apply(to: &job)
        job.maxTokens = job.maxTokens ?? 192
        let (request, json, terminal) = (job, json, Terminal.standard())
        terminal.note("starting a cluster: \(plan.cores.description)")
        let result = try await plan.withPrivateCluster(terminal) { coordinator in
            terminal.note("streaming tokens as they are accepted:\n")
            if !json { try terminal.write(request.prompt, isBold: true) }
            return try await Demonstration.run(request, cores: plan.cores, at: coordinator) { text in
                if !json { try terminal.write(text) }
            }
        }
        if json {
            try terminal.write(json: result)
        } else {
            try terminal.write("\n\n")
            let width = result.figures.map(\.name.count).max() ?? 0
            for (name, value) in result.figures {
                try terminal.line(name + String(repeating: " ", count: width - name.count + 2) + value)
            }
        }
        if let divergence = result.divergence {
            throw NacreError(.failed, "the outputs differ: \(divergence.sentence)")
        }
    }
}

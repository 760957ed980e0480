import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Compare every method with plain decoding, token by token.",
        discussion: """
            Starts a cluster of its own. The exit status is 1 if any output differs from plain decoding's; the first
            difference is shown with the lead, in nats, that plain decoding's token had there, and whether it lies
            within the noise that the shape of a pass adds on this engine. That noise is measured in the same run: how
            far the leads of equal tokens after equal contexts differ. A lead within it means that the two tokens were
            as good as tied; any other difference is a defect.

            Examples:
              nacre check --target T.gguf --draft D.gguf
              nacre check --target T.gguf --draft D.gguf --methods stream,pearl --gamma 8 --max-tokens 256
              nacre check --prompts prompts.txt --temperature 0.8 --seed 7 --json
            """)

    @OptionGroup var cluster: ClusterOptions
    @Option(
        help: ArgumentHelp(
            "A prompt per line, or prompts between lines of --- or --- category (default: ten beginnings of Python).",
            valueName: "path"))
    var prompts: String?
    @Option(help: "Methods to compare, separated by commas.")
    var methods = "speculative,pearl,stream"
    @OptionGroup var decoding: DecodingOptions
    @Flag(help: "Write the result as JSON.") var json = false

    private static let known = ["autoregressive", "speculative", "pearl", "stream"]

    /// What `--json` prints.
    private struct Report: Encodable {
        let target: String
        let draft: String
        let same: Bool
        let methods: [MethodComparison]
    }

    func run() async throws {
        let names = methods.split(separator: ",").map(String.init)
        if names.isEmpty { throw NacreError(.badUsage, "--methods names no method") }
        for name in names where !Self.known.contains(name) {
            throw NacreError(.badUsage, NearestName.complaint(about: name, kind: "method", among: Self.known))
        }
        let texts = try prompts.map { try PromptFile.read($0) } ?? PromptFile.builtIn
        let plan = try cluster.plan()
        var job = JobRequest(prompt: "")
        decoding.apply(to: &job)
        job.maxTokens = job.maxTokens ?? 64
        let (template, terminal) = (job, Terminal.standard())
        if terminal.showsProgress { terminal.note("starting a cluster: \(plan.cores.description)") }
        let results = try await plan.withPrivateCluster(terminal) { coordinator in
            try await Comparison.run(texts, methods: names, template: template, at: coordinator) { progress in
                if terminal.showsProgress { terminal.note(progress) }
            }
        }
        let same = results.allSatisfy { $0.divergences == 0 }
        if json {
            try terminal.write(json: Report(target: plan.target, draft: plan.draft, same: same, methods: results))
        } else {
            try write(results, to: terminal)
        }
        if !same {
            let unexplained = results.contains { $0.unexplained > 0 }
            throw NacreError(
                .failed,
                unexplained
                    ? "outputs differ from plain decoding's"
                    : "outputs differ from plain decoding's, by no more than the engine's noise")
        }
    }

    private func write(_ results: [MethodComparison], to terminal: Terminal) throws {
        var table = Table("method", "prompts", "tokens", "divergences", "unexplained", "noise", "accepted", "first")
        for result in results {
            let rate = result.judged > 0 ? Double(result.accepted) / Double(result.judged) : nil
            table.add(
                result.method, "\(result.prompts)", "\(result.tokens)", "\(result.divergences)",
                "\(result.unexplained)", Figures.decimal(Double(result.noise), digits: 6),
                Figures.decimal(rate, digits: 3), result.firstSentence ?? "-")
        }
        try table.write(to: terminal)
    }
}

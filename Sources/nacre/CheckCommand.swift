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
            within the noise that the shape of a pass adds on this engine. That noise is measured in the same run, on
            plain decoding: how far leads move when the prompts are decoded together instead of one by one. A lead
            within it means that the two tokens were as good as tied; any other difference is a defect.

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
        /// The engine's batch-shape noise, in nats.
        let noise: Float
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
        let result = try await plan.withPrivateCluster(terminal) { coordinator in
            try await Comparison.run(texts, methods: names, template: template, at: coordinator) { progress in
                if terminal.showsProgress { terminal.note(progress) }
            }
        }
        if json {
            try terminal.write(
                json: Report(
                    target: plan.target, draft: plan.draft, same: result.isSame, noise: result.noise.nats,
                    methods: result.methods))
        } else {
            try write(result, to: terminal)
        }
        if let failure = result.failure { throw failure }
    }

    private func write(_ result: Comparison.Result, to terminal: Terminal) throws {
        var table = Table("method", "prompts", "tokens", "divergences", "unexplained", "accepted", "first")
        for method in result.methods {
            let rate = method.judged > 0 ? Double(method.accepted) / Double(method.judged) : nil
            table.add(
                method.method, "\(method.prompts)", "\(method.tokens)", "\(method.divergences)",
                "\(method.unexplained)", Figures.decimal(rate, digits: 3),
                method.sentence(noise: result.noise) ?? "-")
        }
        try table.write(to: terminal)
        let noise = Figures.decimal(Double(result.noise.nats), digits: 6)
        try terminal.line("batch-shape noise: \(noise) nats over \(result.noise.tokens) tokens of plain decoding")
    }
}

import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Compare every way of speculating with plain decoding, token by token.",
        discussion: """
            Starts clusters of its own, one after the other, and runs each combination of the values given; what \
            does not go together is shown as refused. Methods mtad (lossy by design), beam \
            and dsbd (several texts) are left out. The exit \
            status is 1 if an output differs from plain decoding's for a reason that the engine's noise does not \
            explain, or a job fails. The first difference is shown with the lead, in nats, that plain decoding's \
            token had there. The noise is what the shape of a pass adds on this engine. It is measured in the same \
            run, on plain decoding: how far leads move when the prompts are decoded together instead of one by one, \
            and on another cluster. A lead within it means that the two tokens were as good as tied; any other \
            difference is a defect.

            Examples:
              nacre check --target T.gguf --draft D.gguf
              nacre check --lookup suffix,phrases
              nacre check --methods stream,pearl --gamma 8 --max-tokens 256
              nacre check --rules coupled,block --tree chain --tree 4,2,2,1 --jobs 1,4
              nacre check --prompts prompts.txt --temperature 0.8 --seed 7 --json
              nacre check --matrix
              nacre check --matrix --verifiers 1 --drafters 1 --max-tokens 16
            """)

    @OptionGroup var models: ClusterModels
    @OptionGroup var axes: CheckOptions
    @Option(
        help: ArgumentHelp(
            "A prompt per line, or prompts between lines of --- or --- category (default: ten beginnings of Python; "
                + "of the matrix the first four).",
            valueName: "path"))
    var prompts: String?
    @OptionGroup var decoding: DecodingOptions
    @Flag(help: "Write the result as JSON.") var json = false

    private static let matrixPrompts = 4
    // Any will do, if it is the same whenever the matrix is run.
    private static let matrixSeed: UInt64 = 7

    /// What `--json` prints.
    private struct Report: Encodable {
        struct MeasuredNoise: Encodable {
            let temperature: Double
            let nats: Float
            /// Tokens of plain decoding it was measured on.
            let tokens: Int
        }

        let target: String
        let draft: String
        /// Whether the target's rows are the same in every pass.
        let exact: Bool
        /// Whether no output differs.
        let same: Bool
        /// Output tokens held against plain decoding's.
        let tokens: Int
        let divergences: Int
        let unexplained: Int
        let noise: [MeasuredNoise]
        let cells: [CheckCell]
    }

    func run() async throws {
        let grid = try axes.grid(temperature: decoding.temperature)
        let builtIn = PromptFile.builtIn.prefix(axes.matrix ? Self.matrixPrompts : .max)
        var job = JobRequest(prompt: "")
        decoding.apply(to: &job)
        job.maxTokens = job.maxTokens ?? 64
        if axes.matrix { job.seed = job.seed ?? Self.matrixSeed }
        var comparison = Comparison(try prompts.map { try PromptFile.read($0) } ?? Array(builtIn), template: job)
        let terminal = Terminal.standard()
        for (number, nodes) in grid.clusters.enumerated() {
            let plan = try models.plan(verifiers: nodes.verifiers, drafters: nodes.drafters)
            let place = grid.clusters.count > 1 ? "cluster \(number + 1) of \(grid.clusters.count)" : "cluster"
            if terminal.showsProgress { terminal.note("starting \(place): \(plan.cores.description)") }
            let (cells, before) = (grid.cells(on: nodes), comparison)
            comparison = try await plan.withPrivateCluster(terminal) { coordinator in
                var comparison = before
                try await comparison.run(cells, at: coordinator) { progress in
                    if terminal.showsProgress { terminal.note("\(place): \(progress)") }
                }
                return comparison
            }
        }
        let result = comparison.result
        let plan = try models.plan(verifiers: 1, drafters: 1)
        if json {
            try terminal.write(json: report(result, plan))
        } else {
            try write(result, to: terminal)
        }
        if let failure = result.failure { throw failure }
    }

    private func report(_ result: Comparison.Result, _ plan: ClusterPlan) -> Report {
        Report(
            target: plan.target, draft: plan.drafting, exact: result.isExact, same: result.divergences == 0,
            tokens: result.tokens,
            divergences: result.divergences, unexplained: result.unexplained,
            noise: result.noises.sorted { $0.key < $1.key }.map {
                Report.MeasuredNoise(temperature: $0.key, nats: $0.value.nats, tokens: $0.value.tokens)
            }, cells: result.cells)
    }

    private func write(_ result: Comparison.Result, to terminal: Terminal) throws {
        var table = Table(
            "method", "rule", "tree", "branches", "jobs", "verifiers", "drafters", "temperature", "tokens",
            "divergences", "unexplained", "accepted", "first")
        for cell in result.cells {
            let rate = cell.judged > 0 ? Double(cell.accepted) / Double(cell.judged) : nil
            let refused = cell.refusal.map { "refused: \($0)" } ?? cell.failure.map { "failed: \($0)" }
            table.add(
                cell.method, cell.rule, cell.tree, "\(cell.branches)", "\(cell.jobs)", "\(cell.verifiers)",
                "\(cell.drafters)", "\(cell.temperature)", "\(cell.tokens)", "\(cell.divergences.count)",
                "\(cell.unexplained)", Figures.decimal(rate, digits: 3),
                refused ?? cell.sentence(result.noise(of: cell)) ?? "-")
        }
        try table.write(to: terminal)
        let compared = result.cells.count { $0.outputs > 0 }
        try terminal.line(
            "\(compared) combinations, \(result.tokens) tokens compared: \(result.divergences) divergences, "
                + "\(result.unexplained) unexplained")
        if !result.isExact {
            try terminal.line(
                "the target's rounding is inexact (--inexact-rounding): plain decoding itself, too, may differ from "
                    + "run to run where two tokens are almost tied")
        }
        for (temperature, noise) in result.noises.sorted(by: { $0.key < $1.key }) {
            let nats = Figures.decimal(Double(noise.nats), digits: 6)
            try terminal.line(
                "batch-shape noise at temperature \(temperature): \(nats) nats over \(noise.tokens) tokens of plain "
                    + "decoding")
        }
    }
}

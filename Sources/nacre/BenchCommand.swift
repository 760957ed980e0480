import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure how fast every way of speculating is, against plain decoding.",
        discussion: """
            Starts a cluster of its own on this machine, warms up, and takes every sample in each way before the next
            sample, another way first each time. A sample is as many prompts as there are jobs at once; its rate is by
            the clock on the wall, from the first token of the first job to the end of the last. Ratios are to plain
            decoding of the same prompts in the same repetition. Medians and quartiles of all samples are shown. One
            sample more comes first for each number of jobs, in which the cluster learns what that load is like: its
            ratio is shown by itself, as first_ratio. The exit status is 1 if an output differs from plain decoding's.
            Every output is --tokens long: a token that ends the text does not end the job, unless with --stop-at-eos.

            Method mtad is lossy by design: its rate is of another text, and its output is compared with nothing.

            Above temperature 0 rules rejection and block draw other texts of the same law than plain decoding does:
            they are compared with nothing, and their rows say samples.

            Methods beam and dsbd draw several texts at once, of which the likeliest is the output, and commit nothing
            before their end. Counted are that text's tokens alone, over the decoding time in the job's document: from
            the first pass that draws to the last one's end. (Of the others the first token, which the prompt's pass
            gives, is neither in the count nor in the time.) Texts end where they end, within --tokens. Where the others
            are greedy, these are drawn at temperature \(DecodingVariant.beamTemperature). Their output is compared
            with nothing: the row says samples, or lossy where width-threshold or keep-one makes it so. All of them are
            also held against the first of them: beam,dsbd says what drafts give beams.

            A method can have settings of its own, named as the options of `nacre run`: speculative:gamma=6,
            stream:tree=best,branches=8, mtad:tau=0.3, dsbd:beams=4,draft-beams=8,gamma=3. With helpers=1 another
            verifier scores for the job's (--verifiers 2). With --policies each method that leaves its draft length open
            is measured under each policy.

            Examples:
              nacre bench
              nacre bench --target T.gguf --draft D.gguf --jobs 1,2,4,8 --report bench.html
              nacre bench --methods all --temperature 0.8
              nacre bench --methods speculative:gamma=2,speculative:gamma=4,pearl,stream --repeat 5
              nacre bench --methods stream,speculative:rule=rejection,speculative:rule=block --temperature 0.8
              nacre bench --methods beam,dsbd,dsbd:beams=2,draft-beams=4 --temperature 1
              nacre bench --drafters 0 --verifiers 2 --methods beam,beam:helpers=1
              nacre bench --lookup suffix --prompts prompts.txt
              nacre bench --tokens 256 --stop-at-eos
              nacre bench --methods stream,speculative --policies svip,adaedl:lambda=0.4 --json figures.json
              nacre bench --coordinator 127.0.0.1:7401 --prompts prompts.txt --tokens 128
            """)

    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var measuring: MeasuringOptions

    @Option(
        help: ArgumentHelp(
            "Methods to measure, or all: \(DecodingVariant.all.joined(separator: ", ")) (default "
                + "speculative,pearl,stream).",
            valueName: "list"))
    var methods: String?

    @Option(
        help: ArgumentHelp("Policies to measure them under, or all (default: the coordinator's).", valueName: "list"))
    var policies: String?

    @Option(help: ArgumentHelp("Numbers of jobs at once (default 1).", valueName: "list"))
    var jobs = "1"

    @Option(help: ArgumentHelp("How often each prompt is decoded in each way (default 3).", valueName: "n"))
    var `repeat` = 3

    @Option(
        help: ArgumentHelp(
            "Measure the cluster of this coordinator instead of one of our own; other work of it spoils the figures.",
            valueName: "host:port"))
    var coordinator: String?

    @Option(help: ArgumentHelp("Write the figures as JSON to this file; - for stdout.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Write a report with plots to this file, one page of HTML.", valueName: "file"))
    var report: String?

    private static let jobsMax = 64

    func validate() throws {
        guard (1...10_000).contains(`repeat`) else {
            throw ValidationError("--repeat must lie between 1 and 10000.")
        }
        let given = cluster.given + (measuring.placement == nil ? [] : ["--placement"])
        if coordinator != nil, let flag = given.first {
            throw ValidationError("\(flag) is about a cluster of our own: leave it out, or --coordinator.")
        }
    }

    func run() async throws {
        let terminal = Terminal.standard()
        // Whether they can be written is better known before the measuring.
        let figures = try json.flatMap { path in try path == "-" ? nil : OutputFile(path) }
        let page = try report.map { path in try OutputFile(path) }
        let atOnce = Set(try CheckOptions.numbers(jobs, "--jobs", 1...Self.jobsMax)).sorted()
        let benchmark = Benchmark(
            try variants(), prompts: try measuring.prompts(), jobs: atOnce, repetitions: `repeat`,
            template: measuring.template())
        let plan =
            try coordinator == nil
            ? cluster.plan(jobsAtOnce: atOnce.max() ?? 1, placement: measuring.clusterPlacement) : nil
        let command = MeasuringOptions.commandLine
        let body: @Sendable (CoordinatorClient) async throws -> BenchmarkReport = { coordinator in
            let line = ProgressLine(terminal)
            defer { line.clear() }
            var report = BenchmarkReport(
                benchmark, nodes: try await coordinator.nodes(), cores: plan?.cores, command: command)
            let start = ContinuousClock.now
            let outcome = try await benchmark.run(at: coordinator) { share, what in line.show(share, what) }
            report.add(outcome, seconds: start.duration(to: .now) / .seconds(1))
            return report
        }
        let result: BenchmarkReport
        if let plan {
            if terminal.showsProgress { terminal.note("starting a cluster: \(plan.cores.description)") }
            result = try await plan.withPrivateCluster(terminal, body)
        } else {
            let address = try HostPort(coordinator ?? "")
            result = try await Interruption.guarding { try await CoordinatorClient.with(address, body) }
        }
        try show(result, on: terminal)
        if let figures {
            try figures.write(String(decoding: try JSON.encode(result, pretty: true), as: UTF8.self) + "\n")
        }
        if let page {
            try page.write(BenchmarkPage(result).html)
            if terminal.showsProgress { terminal.note("the report is in \(page.path)") }
        }
        if let failure = result.failure { throw failure }
    }

    private func variants() throws -> [DecodingVariant] {
        var methods = try CheckOptions.some(DecodingVariant.list(methods ?? "speculative,pearl,stream"), "--methods")
        if methods == ["all"] { methods = DecodingVariant.all }
        var policies = try policies.map { try CheckOptions.some(DecodingVariant.list($0), "--policies") } ?? []
        if policies == ["all"] { policies = DecodingVariant.policies }
        for policy in policies { try DecodingVariant.check(policy: policy) }
        let variants = DecodingVariant.grid(
            methods: try methods.map { try DecodingVariant(parsing: $0) }, policies: policies)
        if coordinator == nil { try checkNodes(for: variants) }
        return variants
    }

    /// - Throws: `.badUsage` if our own cluster lacks what one of `variants` is about.
    private func checkNodes(for variants: [DecodingVariant]) throws {
        if cluster.drafters == 0, let drafting = variants.first(where: \.needsDrafter) {
            throw NacreError(
                .badUsage, "\(drafting) needs a drafter", remedy: "leave --drafters 0 out, or add --lookup suffix")
        }
        if let helped = variants.first(where: { $0.helpers ?? 0 >= cluster.verifiers }) {
            let count = helped.helpers ?? 0
            throw NacreError(
                .badUsage, "\(helped) needs \(count) verifier\(count == 1 ? "" : "s") beside the job's",
                remedy: "add --verifiers \(count + 1)")
        }
    }

    private func show(_ result: BenchmarkReport, on terminal: Terminal) throws {
        if json == "-" { return try terminal.write(json: result) }
        if terminal.isInteractive, let placing = result.placing { try terminal.line(placing) }
        try result.table.write(to: terminal)
        for refusal in result.refusals { terminal.note("left out: \(refusal.name): \(refusal.reason)") }
        for note in result.notes { terminal.note(note) }
        guard terminal.isInteractive else { return }
        try terminal.line("")
        try terminal.line("\(result.identity); \(result.machine)")
        try terminal.line("\(result.target) with drafts of \(result.draft); a sample is a group of prompts, once")
        try terminal.line(result.length)
    }
}

/// What `nacre bench` and `nacre tune` decode.
struct MeasuringOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A prompt per line, or prompts between lines of --- or --- category (default: one of each category that "
                + "Nacre comes with).",
            valueName: "path"))
    var prompts: String?

    @Option(
        help: ArgumentHelp(
            "Output tokens of a job: jobs go on behind tokens that end the text, so that all samples are as long "
                + "(default 64).",
            valueName: "n"))
    var tokens = 64

    @Flag(help: "Let jobs end where their text ends; --tokens is then the most.")
    var stopAtEos = false

    @Option(help: "0 is greedy (default 0).")
    var temperature: Double?

    @Option(help: "64-bit seed, above temperature 0 (default 7).")
    var seed: UInt64?

    /// Where the drafter of a cluster that is measured may compute.
    enum Placement: String, ExpressibleByArgument, CaseIterable {
        case apart, together
    }

    @Option(
        help: ArgumentHelp(
            "Where the drafter computes: apart, on cores of its own, which plain decoding then does without; together, "
                + "on all of the verifier's, in turns (default apart; without a model it needs no place)."))
    var placement: Placement?

    /// `nil` where the plan says.
    var clusterPlacement: ClusterPlacement? { placement.flatMap { ClusterPlacement(rawValue: $0.rawValue) } }

    func validate() throws {
        guard tokens >= 2 else {
            throw ValidationError("--tokens must be 2 or more: one token takes no decoding time.")
        }
    }

    /// The settings of every job.
    func template() -> JobRequest {
        var request = JobRequest(prompt: "")
        request.maxTokens = tokens
        request.temperature = temperature
        // Any will do, if it is everyone's.
        request.seed = seed ?? 7
        request.ignoreEos = stopAtEos ? nil : true
        return request
    }

    /// - Parameters:
    ///   - half: of the prompts that Nacre comes with; what is chosen on one half is measured on the other.
    ///   - turns: how many of each category.
    func prompts(half: String = "reporting", turns: Int = 1) throws -> [Prompt] {
        if let prompts { return try PromptFile.readAll(prompts) }
        return try PromptFile.shipped(half, of: .current(), turns: turns)
    }

    /// As it was typed, to be repeated; words that a shell would take apart in quotation marks.
    static var commandLine: String {
        (["nacre"] + CommandLine.arguments.dropFirst()).map(ShellText.quoted).joined(separator: " ")
    }
}

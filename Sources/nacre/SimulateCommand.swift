import ArgumentParser
import NacreClient
import NacreNode

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Say how fast a cluster would be that is not there.",
        discussion: """
            An event simulation of drafters, verifiers and the way between them, for each method. Where drafts agree is
            chance (--alpha), or as it was recorded (--trace, which also knows what passes took and how long the way
            was). What passes take can also come from a file (--tables: what `nacre nodes --json` writes, or
            {"target": {"1": 90, "4": 96}, "draft": {"1": 6}} in milliseconds) or from the running cluster (--live).
            --target, --draft and --delay come before all of these. Between two sizes of passes, and beyond the largest,
            times are taken to go on straight. Where only a pass for one job is known, --draft counts for each of a
            pass's jobs, the longest that it can take. A cluster's drafter has the table that it measured; a trace's,
            which is of one job, grows as its target does unless --draft says more. Left out are prompts, trees, passes
            that wait for drafts, and cores that verifier and drafter share. In a pipe: method, policy, tokens per
            second, ratio to plain decoding, acceptance, tokens per pass, busy shares, separated by tabs.

            Examples:
              nacre simulate --target 1:90,4:96,8:130 --draft 6 --alpha 0.7
              nacre simulate --trace job.trace --delay 20
              nacre simulate --trace job.trace --draft 1:2.5,8:6 --jobs 8 --drafters 2 --policy fixed:gamma=3
              nacre simulate --live --alpha 0.6 --jobs 4
              nacre simulate --target 1:42,8:70 --draft 1:5,4:9 --jobs 2000 --verifiers 500 --drafters 500 --tokens 200
            """)

    @Option(help: ArgumentHelp("What `nacre run --record` wrote: costs and agreement.", valueName: "file"))
    var trace: String?
    @Option(help: ArgumentHelp("JSON with what passes take.", valueName: "file")) var tables: String?
    @Flag(help: "Take what the nodes of the running cluster measured.") var live = false
    @Option(
        help: ArgumentHelp("Milliseconds of a target pass by its nodes, as in 1:90,4:96,8:130.", valueName: "table"))
    var target: String?
    @Option(help: ArgumentHelp("Milliseconds of a drafter's pass by the jobs that it draws for.", valueName: "table"))
    var draft: String?
    @Option(help: "Probability that a draft is the target's token (default 0.8).") var alpha: Double?
    @Option(
        help: ArgumentHelp(
            "One way between drafter and verifier (default: the trace's, else 0).", valueName: "milliseconds"))
    var delay: Double?
    @Option(help: ArgumentHelp("At most so much more, at random.", valueName: "milliseconds")) var jitter = 0.0
    @Option(help: "Jobs at once.") var jobs = 1
    @Option(help: "Tokens of each job (default: as many as the trace has, else 2000).") var tokens: Int?
    @Option(help: "Verifiers, up to 1000.") var verifiers = 1
    @Option(help: "Drafters, up to 1000.") var drafters = 1
    @Option(help: "Only this method; can be given several times (default: all).") var method: [String] = []
    @Option(help: "How draft lengths are chosen; `nacre policy list` names the policies.") var policy = "goodput"
    @Flag(help: "Let drafts rest where they do not pay.") var governed = false
    @Option(help: "Of the chance that drafts agree by.") var seed: UInt64 = 1
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if [trace != nil, tables != nil, live].count(where: { $0 }) > 1 {
            throw ValidationError("Give one of --trace, --tables and --live.")
        }
        if trace != nil, alpha != nil {
            throw ValidationError("--trace says where drafts agree: leave --alpha out.")
        }
        if trace == nil, tables == nil, !live, target == nil || draft == nil {
            throw ValidationError("Give --trace, --tables or --live, or --target and --draft.")
        }
    }

    func run() async throws {
        var question = try await source()
        if let alpha { question.alpha = alpha }
        if let delay { question.delay = delay }
        if let tokens { question.tokens = tokens }
        question.methods = method
        (question.jitter, question.jobs) = (jitter, jobs)
        (question.verifiers, question.drafters) = (verifiers, drafters)
        (question.policy, question.isGoverned, question.seed) = (policy, governed, seed)
        let answers = try question.run()
        let terminal = Terminal.standard()
        for assumption in question.assumptions { terminal.note(assumption) }
        if !governed { terminal.note("drafts never rest; in jobs they do where they do not pay: see --governed") }
        if connection.json { return try terminal.write(json: answers) }
        var table = Table(
            "method", "policy", "tokens_per_s", "ratio", "accepted", "tokens_per_pass", "verifier_busy", "drafter_busy")
        for answer in answers {
            table.add(
                answer.method, answer.policy, Figures.decimal(answer.tokensPerSecond, digits: 1),
                Figures.decimal(answer.ratio, digits: 2), Figures.percent(answer.acceptanceRate),
                Figures.decimal(answer.tokensPerPass, digits: 2), Figures.percent(answer.verifierBusy),
                Figures.percent(answer.drafterBusy))
        }
        try table.write(to: terminal)
        guard terminal.isInteractive, jobs == 1, let (nodes, rate) = question.bound else { return }
        try terminal.line("at most \(Figures.decimal(rate, digits: 1)) if drafts cost nothing, in passes of \(nodes)")
    }

    /// The question with costs and agreement, from where they were asked to come.
    private func source() async throws -> Simulation {
        let target = try target.map { try Simulation.table($0, "--target") }
        let draft = try draft.map { try Simulation.table($0, "--draft") }
        if let trace {
            var question = try Simulation(TraceFile(reading: trace))
            if let target { question.target = target }
            if let draft { question.draft = draft }
            return question
        }
        if let target, let draft { return Simulation(target: target, draft: draft) }
        let measured =
            if let tables {
                try MeasuredTables(reading: tables)
            } else {
                try MeasuredTables(try await connection.withCoordinator { try await $0.nodes() })
            }
        let known = draft ?? measured.draft
        guard !known.isEmpty else {
            throw NacreError(
                .badUsage, "nobody says what a draft takes", remedy: "give --draft, in milliseconds for one token")
        }
        return Simulation(target: target ?? measured.target, draft: known)
    }
}

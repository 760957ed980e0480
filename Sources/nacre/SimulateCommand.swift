import ArgumentParser
import NacreClient
import NacreNode

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Say how fast a cluster would be that is not there.",
        discussion: """
            An event simulation of drafters, verifiers and the way between them, for each method, with drafts that agree
            at random. Left out are prompts, trees, and cores that verifier and drafter share. `nacre nodes --json` has
            what passes take (pass_times), a job's statistics how many drafts agree. In a pipe: method, policy, tokens
            per second, ratio to plain decoding, acceptance, tokens per pass, busy shares, separated by tabs.

            Examples:
              nacre simulate --target 1:90,4:96,8:130 --draft 6 --alpha 0.7
              nacre simulate --target 1:90,16:140 --draft 1:6,8:9 --jobs 8 --drafters 2 --delay 5
              nacre simulate --target 42 --draft 5 --jobs 4000 --verifiers 500 --drafters 500 --tokens 200
            """)

    @Option(
        help: ArgumentHelp("Milliseconds of a target pass by its nodes, as in 1:90,4:96,8:130.", valueName: "table"))
    var target: String
    @Option(help: ArgumentHelp("Milliseconds of a drafter's pass by the jobs that it draws for.", valueName: "table"))
    var draft: String
    @Option(help: "Probability that a draft is the target's token.") var alpha = 0.8
    @Option(help: ArgumentHelp("One way between drafter and verifier.", valueName: "milliseconds")) var delay = 0.0
    @Option(help: ArgumentHelp("At most so much more, at random.", valueName: "milliseconds")) var jitter = 0.0
    @Option(help: "Jobs at once.") var jobs = 1
    @Option(help: "Tokens of each job.") var tokens = 2_000
    @Option(help: "Verifiers, up to 1000.") var verifiers = 1
    @Option(help: "Drafters, up to 1000.") var drafters = 1
    @Option(help: "How draft lengths are chosen; `nacre policy list` names the policies.") var policy = "goodput"
    @Flag(help: "Let drafts rest where they do not pay.") var governed = false
    @Option(help: "Of the chance that drafts agree by.") var seed: UInt64 = 1
    @Flag(help: "Write the result as JSON.") var json = false

    func run() async throws {
        var question = Simulation(
            target: try Simulation.table(target, "--target"), draft: try Simulation.table(draft, "--draft"))
        question.alpha = alpha
        (question.delay, question.jitter) = (delay, jitter)
        (question.jobs, question.tokens, question.verifiers, question.drafters) = (jobs, tokens, verifiers, drafters)
        (question.policy, question.isGoverned, question.seed) = (policy, governed, seed)
        let answers = try question.run()
        let terminal = Terminal.standard()
        if json { return try terminal.write(json: answers) }
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
}

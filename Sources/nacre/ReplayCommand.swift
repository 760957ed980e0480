import ArgumentParser
import NacreClient
import NacreNode

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Score draft-length policies on recorded jobs.",
        discussion: """
            Plays what `nacre run --record` wrote again under other policies, with the costs that were measured then:
            tokens per second, their ratio to plain decoding, and their share of what somebody reaches who knows
            beforehand where drafts agree (for pearl and stream a bound that none reaches: there drafts cost it no
            time). Positions at which nothing was drafted are left out. Several traces of the same models are played one
            after the other, each from what its pair knows of those before, and scored together. In a pipe: method,
            policy, tokens per second, ratio, share of the bound, drafts per pass, acceptance, separated by tabs.

            Examples:
              nacre run --file prompt.txt --max-tokens 512 --record job.trace
              nacre replay job.trace
              nacre replay job.trace --policy svip --policy adaedl:lambda=0.3 --policy fixed:gamma=4
              nacre replay first.trace second.trace --governed
              nacre replay job.trace --method speculative --method pearl --governed --json
            """)

    @Argument(help: ArgumentHelp("What was recorded, one job or several.", valueName: "trace")) var traces: [String]
    @Option(
        help: ArgumentHelp(
            "A policy as in adaedl:lambda=0.4; can be given several times (default: all, and a few fixed lengths)."))
    var policy: [String] = []
    @Option(help: "speculative, pearl or stream; can be given several times (default: the recorded one).")
    var method: [String] = []
    @Flag(help: "Let drafts rest where they do not pay.") var governed = false
    @Flag(help: "Write the result as JSON.") var json = false

    func run() async throws {
        let files = try traces.map { try TraceFile(reading: $0) }
        let report = try Replay(files, policies: policy, methods: method, isGoverned: governed).run()
        let terminal = Terminal.standard()
        if json { return try terminal.write(json: report) }
        var table = Table(
            "method", "policy", "tokens_per_s", "ratio", "of_bound", "drafts_per_pass", "accepted")
        for answer in report.answers {
            table.add(
                answer.method, answer.policy, Figures.decimal(answer.tokensPerSecond, digits: 1),
                Figures.decimal(answer.ratio, digits: 2), Figures.percent(answer.shareOfBound),
                Figures.decimal(answer.draftsPerPass, digits: 2), Figures.percent(answer.acceptanceRate))
        }
        try table.write(to: terminal)
        guard terminal.isInteractive else { return }
        try terminal.line(
            "\(report.known) of \(report.positions) positions had drafts, \(Figures.percent(report.agreement)) agreed; "
                + "plain decoding \(Figures.decimal(report.plainTokensPerSecond, digits: 1)) tokens/s")
        if report.withStatistics < report.known {
            terminal.note(
                "\(report.known - report.withStatistics) positions have no statistics of q: policies that stop token "
                    + "by token go on there")
        }
    }
}

import ArgumentParser
import NacreClient
import NacreModels
import NacreNode

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Say where a drafter should compute, or that there should be none.",
        discussion: """
            Times both models here, on one, half and all of the cores, sees how often they agree on a few prompts, and
            works out how fast one job would be: drafter on cores of its own, overlapped; drafter and verifier in turns
            on the same cores; no drafter; and with --drafter-host-rtt a drafter on another host like this one. Of a
            draft model of another vocabulary the bridge that --bridge names is measured; without it slem+tli and tli
            both, where auto takes one of these, and the faster is taken. What was measured is kept. `nacre up` decides
            by the same figures. In a pipe: chosen (* or -), placement, cores of the verifier, cores of the drafter,
            tokens per second, draft length, description, separated by tabs.

            Examples:
              nacre plan
              nacre plan --target T.gguf --draft D.gguf --cpus 0-3
              nacre plan --target T.gguf --draft other.gguf --bridge slem
              nacre plan --target T.gguf --draft D.gguf --drafter-host-rtt 0.3ms --drafter-host-cores 4 --agreement 0.8
            """)

    @Option(help: ArgumentHelp("The target model, a GGUF file (default: the one Nacre comes with).", valueName: "path"))
    var target: String?
    @Option(help: ArgumentHelp("The draft model, of any vocabulary (default: as above).", valueName: "path"))
    var draft: String?
    @Option(
        help: ArgumentHelp(
            "How a draft model of another vocabulary drafts: \(ClusterModels.bridges.joined(separator: ", ")) "
                + "(default auto).", valueName: "kind"))
    var bridge: String?
    @Option(help: ArgumentHelp("The cores to plan for, for instance 0-3,6 (default: all).", valueName: "list"))
    var cpus: String?
    @Option(
        help: ArgumentHelp(
            "Considers a drafter on another host, so far away and back: 0.3ms (which --drafter-host-cores without this "
                + "assumes).",
            valueName: "time"))
    var drafterHostRtt: String?
    @Option(help: "Cores of that host (default: as many as here).")
    var drafterHostCores: Int?
    @Option(help: "Share of drafts that the target agrees with, 0 to 1 (default: measured).")
    var agreement: Double?
    @Option(
        help: ArgumentHelp(
            "Prompts to measure the agreement on (default: some that Nacre comes with).", valueName: "path"))
    var prompts: String?
    @Flag(help: "Measure again what is kept.") var recalibrate = false
    @Flag(help: "Write the result as JSON.") var json = false

    func validate() throws {
        if let agreement, !(0...1).contains(agreement) {
            throw ValidationError("--agreement must lie between 0 and 1.")
        }
        try ClusterModels.check(bridge: bridge)
        if let drafterHostCores, drafterHostCores < 1 {
            throw ValidationError("--drafter-host-cores must be 1 or more.")
        }
    }

    func run() async throws {
        let plan = try ClusterPlan(installation: .current(), target: target, draft: draft)
        let available = try CPUList.available()
        let list = try cpus.map { text throws(NacreError) in try CPUList(text) } ?? available
        if let core = list.cores.first(where: { !available.cores.contains($0) }) {
            throw NacreError(
                .badUsage, "core \(core) is not among those that this process may use: \(available)",
                remedy: "name others with --cpus")
        }
        var survey = try PlacementSurvey(plan, cores: list, prompts: prompts)
        survey.agreement = agreement
        survey.bridge = bridge
        survey.recalibrates = recalibrate
        if drafterHostRtt != nil || drafterHostCores != nil {
            let time = try drafterHostRtt.map { text throws(NacreError) in try Self.microseconds(text) }
            survey.drafterHost = (drafterHostCores ?? list.cores.count, time ?? 300)
        }
        let terminal = Terminal.standard()
        let report = try await survey.run { if terminal.showsProgress { terminal.note($0) } }
        if json { return try terminal.write(json: report) }
        var table = Table("", "placement", "verifier", "drafter", "tokens_per_s", "drafts", "which is")
        for option in report.options {
            let isChosen = option.description == report.choice.description
            table.add(
                isChosen ? "*" : "-", option.placement, "\(option.verifierCores)", "\(option.drafterCores)",
                Figures.decimal(option.tokensPerSecond, digits: 1), "\(option.draftLength)", option.description)
        }
        try table.write(to: terminal)
        guard terminal.isInteractive else { return }
        let source = report.agreementPositions.map { "of \($0) measured" } ?? "as given"
        try terminal.line("\nchosen: \(report.choice.description)")
        try terminal.line("why: \(report.reason)")
        if let disturbance = report.disturbance {
            try terminal.line("but the machine had other work meanwhile (\(disturbance)): the next plan measures again")
        }
        let share = Figures.percent(report.agreement)
        try terminal.line("agreement: drafts are the target's choice at \(share) of positions (\(source))")
        if let bridge = report.bridge {
            let passes = Figures.decimal(report.passesPerDraft, digits: 1)
            try terminal.line("bridge: drafts are of another vocabulary (\(bridge)) and take \(passes) passes each")
        }
        for other in report.bridges {
            let (share, passes) = (Figures.percent(other.agreement), Figures.decimal(other.passesPerDraft, digits: 1))
            let speed = Figures.decimal(other.tokensPerSecond, digits: 1)
            try terminal.line("compared: \(other.bridge), right at \(share), \(passes) passes each, \(speed) tokens/s")
        }
        let own = report.bridge == nil ? nil : (bridge == "auto" ? nil : bridge) ?? report.bridgeToName
        let command = Self.command(
            report.choice, plan, list, isPart: list != available, bridge: own.map { " --bridge \($0)" } ?? "",
            vocabulary: report.bridge == nil ? "" : " --target-vocabulary \(ShellText.quoted(plan.target))")
        try terminal.line("start it with: \(command)")
    }

    /// How the choice is started.
    ///
    /// - Parameters:
    ///   - isPart: whether `list` is not all that this process may use.
    ///   - bridge: what says how drafts of another vocabulary are made.
    ///   - vocabulary: what tells a drafter alone of the target's.
    private static func command(
        _ choice: PlacementReport.Option, _ plan: ClusterPlan, _ list: CPUList, isPart: Bool, bridge: String,
        vocabulary: String
    ) -> String {
        let (target, draft) = (ShellText.quoted(plan.target), ShellText.quoted(plan.draft))
        guard choice.placement == "remote" else {
            let drafter = choice.placement == "apart" ? " --drafter-threads \(choice.drafterCores)" : ""
            return (isPart ? "taskset -c \(list) " : "")
                + "nacre up --placement \(choice.placement) --threads \(choice.verifierCores)\(drafter) "
                + "--target \(target) --draft \(draft)\(bridge)"
        }
        let node = "--coordinator HOST:7400"
        let cores = CPUList(cores: list.cores.prefix(choice.verifierCores)) ?? list
        return """
            nacre-coordinator --listen HOST:7400
              nacre-verifier \(node) --model \(target) --threads \(choice.verifierCores) --cpus \(cores)
              there: nacre-drafter \(node) --model \(draft) --threads \(choice.drafterCores)\(vocabulary)\(bridge)
            """
    }

    /// A time as people write it: 0.3ms, 300us, 1s; a number alone is milliseconds.
    static func microseconds(_ text: String) throws(NacreError) -> Double {
        let units: [(String, Double)] = [("us", 1), ("µs", 1), ("ms", 1e3), ("s", 1e6), ("", 1e3)]
        guard let unit = units.first(where: { text.hasSuffix($0.0) }), let number = Double(text.dropLast(unit.0.count)),
            number >= 0, number.isFinite
        else { throw NacreError(.badUsage, "'\(text)' is no time", remedy: "write it as 0.3ms, 300us or 1s") }
        return number * unit.1
    }
}

extension PlacementSurvey {
    /// Of a plan's models, on these cores.
    ///
    /// - Parameter prompts: a file of prompts; `nil` takes what Nacre comes with.
    init(_ plan: ClusterPlan, cores: CPUList, prompts: String? = nil) throws {
        let texts = try PromptFile.forAgreement(prompts, of: plan.installation)
        self.init(target: plan.target, draft: plan.draft, cores: cores.cores, prompts: texts)
    }
}

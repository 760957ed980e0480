package import NacreAPI
package import NacreCore
package import NacreNode

/// What `nacre tune` found, and how sure it is.
package struct TuningReport: Sendable, Encodable {
    /// One way to decode.
    package struct Arm: Sendable, Encodable {
        /// As `DecodingVariant` writes it.
        package let name: String
        package let samples: Int
        /// Geometric mean of tokens per second over plain decoding's of the same prompts: of finalists in the last
        /// round, if that had samples enough, else over all samples; absent if never measured.
        package let ratio: Double?
        package let tokensPerSecond: Quartiles?
        /// Of finalists with enough samples: how they stood in the last round, over samples drawn again.
        package let finding: PairedBootstrap.Finding?
        /// Whether it was in the last round.
        package let isFinalist: Bool
        let variant: DecodingVariant

        enum CodingKeys: String, CodingKey { case name, samples, ratio, tokensPerSecond, finding, isFinalist }
    }

    /// A round of elimination.
    package struct Round: Sendable, Encodable {
        package let ways: Int
        package let samples: Int
        package let best: String
        /// Of the best, and of the last that stayed.
        package let ratio: Double
        package let lastStaying: Double
    }

    /// A way at less than this chance to be as good as the best is called slower.
    package static let doubt = 0.05

    package let target: String
    package let draft: String
    /// Files of the models, as policies of pairs name them; absent unless there is one pair.
    package let pair: String?
    package let machine: MeasuringMachine
    package let placement: ClusterPlacement
    /// The placement, the cores, and what plain decoding has of them.
    package let placing: String
    package let version: String
    package let command: String
    package let jobs: Int
    package let maxTokens: Int
    /// Whether jobs went on behind tokens that end a text, so that all outputs are `maxTokens` long.
    package let ignoreEos: Bool
    package let budgetSeconds: Double
    package let spentSeconds: Double
    /// Whether it was stopped before its time.
    package let interrupted: Bool
    package let plainTokensPerSecond: Quartiles?
    /// The best first.
    package let arms: [Arm]
    package let rounds: [Round]
    /// Ways that the coordinator refuses, and why.
    package let refusals: [Benchmark.Refusal]
    package let outputs: Int
    package let differing: Int
    package let exact: Bool

    /// - Parameters:
    ///   - nodes: those of the cluster that was measured.
    ///   - spent: seconds since the command began.
    package init(
        _ state: Tuner.State, of tuner: Tuner, nodes: [NodeDocument], cores: CoreAssignment, machine: MeasuringMachine,
        command: String, budget: Double, spent: Double, interrupted: Bool
    ) {
        func models(_ role: String) -> [String] { Set(nodes.filter { $0.role == role }.map(\.model)).sorted() }
        func file(_ model: String) -> String {
            model.split(separator: " (", maxSplits: 1).first.map(String.init) ?? model
        }
        let (targets, drafts) = (models("verifier"), models("drafter"))
        target = targets.joined(separator: ", ")
        draft = drafts.joined(separator: ", ")
        pair = targets.count == 1 && drafts.count == 1 ? "\(file(targets[0]))/\(file(drafts[0]))" : nil
        self.machine = machine
        (placement, placing) = (cores.placement, cores.sentence)
        version = NacreVersion.current
        self.command = command
        jobs = tuner.jobs
        maxTokens = tuner.template.maxTokens ?? 0
        ignoreEos = tuner.template.ignoreEos ?? false
        (budgetSeconds, spentSeconds, self.interrupted) = (budget, spent, interrupted)
        plainTokensPerSecond = Quartiles(state.plain)
        (outputs, differing, exact) = (state.outputs, state.differing, state.exact)
        refusals = state.refusals.sorted { $0.key < $1.key }.map {
            Benchmark.Refusal(name: tuner.variants[$0.key].description, reason: $0.value)
        }
        let search = state.search
        let findings = Dictionary(uniqueKeysWithValues: zip(search.survivors, search.findings))
        let arms = search.ranking.filter { state.refusals[$0] == nil }.map { arm in
            Arm(
                name: tuner.variants[arm].description, samples: search.samples(of: arm),
                ratio: findings[arm]?.mean ?? search.mean(of: arm), tokensPerSecond: Quartiles(state.rates[arm]),
                finding: findings[arm], isFinalist: search.isFinal && search.survivors.contains(arm),
                variant: tuner.variants[arm])
        }
        let finalists = arms.filter { $0.finding != nil }.sorted { ($0.ratio ?? 0) > ($1.ratio ?? 0) }
        self.arms = finalists + arms.filter { $0.finding == nil }
        rounds = search.rounds.enumerated().map { number, round in
            let next = number + 1 < search.rounds.count ? search.rounds[number + 1].arms.count : search.survivors.count
            return Round(
                ways: round.arms.count, samples: round.samples, best: tuner.variants[round.arms[0]].description,
                ratio: round.means[0], lastStaying: round.means[min(next, round.means.count) - 1])
        }
    }

    /// The fastest that was found; `nil` if nothing beats plain decoding.
    package var winner: Arm? { arms.first.flatMap { ($0.ratio ?? 0) > 1 ? $0 : nil } }

    /// What it found, in sentences.
    package var verdict: [String] {
        guard let best = arms.first, let ratio = best.ratio else { return ["nothing was measured"] }
        var lines: [String] = []
        let times = "\(Figures.decimal(ratio, digits: 2)) times plain decoding"
        if let finding = best.finding {
            let range = "\(Figures.decimal(finding.low, digits: 2)) to \(Figures.decimal(finding.high, digits: 2))"
            lines.append(
                "\(best.name): \(times) (90 %: \(range)); it leads in \(Figures.percent(finding.leads)) of resamples")
            let others = arms.dropFirst().filter { ($0.finding?.isBeaten ?? 1) < 1 - Self.doubt }
            if !others.isEmpty {
                let names = others.map { "\($0.name) (\(Figures.percent($0.finding?.leads)))" }
                lines.append("cannot be told apart from it: \(names.joined(separator: "; "))")
            }
            if finding.low <= 1, finding.high >= 1 { lines.append("nor can plain decoding") }
        } else {
            lines.append("\(best.name): \(times), of \(best.samples) samples: too few to say how sure that is")
        }
        if winner == nil { lines.append("nothing is faster than plain decoding here") }
        if differing > 0 {
            lines.append(
                "\(differing) of \(outputs) outputs differ from plain decoding's"
                    + (exact ? "" : "; the target's rounding is inexact, which may tip ties"))
        }
        return lines
    }

    /// What it rests on.
    package var footing: String {
        "plain decoding: \(Figures.decimal(plainTokensPerSecond?.median, digits: 1)) tokens/s; "
            + "\(Figures.decimal(spentSeconds, digits: 0)) s taken, \(outputs) outputs compared; "
            + Figures.outputLength(maxTokens, ignoreEos: ignoreEos)
    }

    /// Why the tuning failed; `nil` if it did not.
    package var failure: NacreError? {
        guard exact, differing > 0 else { return nil }
        return NacreError(
            .failed, "\(differing) of \(outputs) outputs differ from plain decoding's",
            remedy: "`nacre check` looks closer")
    }

    /// The settings for `nacre-coordinator --config` and `nacre up --config`: what was found, as comments, and what
    /// jobs get that say nothing else.
    package var settings: String {
        var lines = ["nacre tune, \(machine.date), \(machine)", "\(target) with drafts of \(draft)", placing, command]
        lines = (lines + verdict).map { "# \(Terminal.harmless($0).replacing("\n", with: " "))" }
        guard let variant = winner?.variant else {
            return (lines + ["method: autoregressive", ""]).joined(separator: "\n")
        }
        lines.append("method: \(variant.method)")
        if let tree = variant.tree { lines.append("tree: \(Self.quoted(tree))") }
        if let branches = variant.branches { lines.append("branches: \(branches)") }
        if let policy = variant.policy {
            lines.append(
                pair.map { "pair-policies: \(Self.quoted("\($0) \(policy)"))" } ?? "policy: \(Self.quoted(policy))")
        }
        return (lines + [""]).joined(separator: "\n")
    }

    private static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
}

// In words and lines.
extension TuningReport {
    /// The ways that were measured, the best first.
    package var table: Table {
        var table = Table("method", "ratio", "90_percent", "tokens_per_s", "samples", "leads", "stage")
        for arm in arms where arm.samples > 0 {
            let range = arm.finding.map {
                "\(Figures.decimal($0.low, digits: 2))-\(Figures.decimal($0.high, digits: 2))"
            }
            table.add(
                arm.name, Figures.decimal(arm.ratio, digits: 2), range ?? "-",
                Figures.decimal(arm.tokensPerSecond?.median, digits: 1), "\(arm.samples)",
                Figures.percent(arm.finding?.leads), arm.isFinalist ? "finalist" : "left")
        }
        return table
    }

    /// Ratios over fixed draft lengths, as bars of text; empty where less than two lengths were measured.
    package var curves: [String] {
        var lines: [String] = []
        for method in DecodingVariant.methods {
            let points = arms.compactMap { arm -> (length: Int, ratio: Double, samples: Int)? in
                guard arm.variant.method == method, let length = TuningSpace.length(of: arm.variant),
                    let ratio = arm.ratio
                else { return nil }
                return (length, ratio, arm.samples)
            }.sorted { $0.length < $1.length }
            guard points.count > 1, let most = points.map(\.ratio).max(), most > 0 else { continue }
            lines.append("\(method), ratio to plain decoding over draft length:")
            for point in points {
                let bar = String(repeating: "#", count: Int((40 * point.ratio / most).rounded()))
                let length = String(repeating: " ", count: point.length < 10 ? 1 : 0) + "\(point.length)"
                let padding = String(repeating: " ", count: 40 - bar.count)
                lines.append(
                    "  \(length)  \(bar)\(padding)  \(Figures.decimal(point.ratio, digits: 2))  n=\(point.samples)")
            }
        }
        for (number, round) in rounds.enumerated() {
            lines.append(
                "round \(number + 1): \(round.ways) ways, \(round.samples) samples each; best \(round.best) with "
                    + Figures.decimal(round.ratio, digits: 2) + ", last to stay "
                    + Figures.decimal(round.lastStaying, digits: 2)
            )
        }
        return lines
    }
}

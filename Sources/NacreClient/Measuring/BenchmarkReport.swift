package import NacreAPI
import NacreCore
package import NacreNode

/// A benchmark's figures and all that is needed to believe or to repeat them.
package struct BenchmarkReport: Sendable, Codable {
    /// The models as their nodes describe them.
    package let target: String
    package let draft: String
    /// Which process computed on which cores; absent for a cluster that was there already.
    package let cores: String?
    package let placement: ClusterPlacement?
    /// Both, and what plain decoding has of the cores.
    package let placing: String?
    package var machine = MeasuringMachine.current()
    package let version: String
    package let engine: String
    /// As it was typed.
    package let command: String
    package let prompts: Int
    package let repetitions: Int
    package let maxTokens: Int
    /// Whether jobs went on behind tokens that end a text, so that all outputs are `maxTokens` long.
    package let ignoreEos: Bool
    package let temperature: Double
    package private(set) var cells: [BenchmarkCell] = []
    package private(set) var refusals: [Benchmark.Refusal] = []
    package private(set) var timelines: [JobTimeline] = []
    package private(set) var seconds = 0.0

    /// - Parameter nodes: those of the cluster that is measured.
    package init(_ benchmark: Benchmark, nodes: [NodeDocument], cores: CoreAssignment?, command: String) {
        func models(_ role: String) -> String {
            let names = Set(nodes.filter { $0.role == role }.map(\.model)).sorted()
            return names.isEmpty ? "none" : names.joined(separator: ", ")
        }
        target = models("verifier")
        draft = models("drafter")
        self.cores = cores?.description
        placement = cores?.placement
        placing = cores?.sentence
        version = NacreVersion.current
        engine = Set(nodes.map(\.engine)).sorted().joined(separator: ", ")
        self.command = command
        prompts = benchmark.prompts.count
        repetitions = benchmark.repetitions
        maxTokens = benchmark.template.maxTokens ?? 0
        ignoreEos = benchmark.template.ignoreEos ?? false
        temperature = benchmark.template.temperature ?? 0
    }

    /// Takes in what was measured, in so many seconds.
    package mutating func add(_ outcome: Benchmark.Outcome, seconds: Double) {
        cells += outcome.cells
        refusals += outcome.refusals
        timelines += outcome.timelines
        self.seconds += seconds
    }

    /// How long outputs are.
    package var length: String { Figures.outputLength(maxTokens, ignoreEos: ignoreEos) }

    package var outputs: Int { total { _ in true } }
    package var differing: Int { cells.reduce(0) { $0 + $1.differing } }
    /// Whether the target's rows are the same in every pass.
    package var isExact: Bool { cells.allSatisfy(\.exact) }

    private func total(_ isMeant: (BenchmarkCell) -> Bool) -> Int {
        cells.filter(isMeant).reduce(0) { $0 + $1.outputs }
    }

    /// "all 96 outputs are plain decoding's", or how many are not, and how many need not be.
    package var identity: String {
        let compared = total(\.isCompared)
        let kinds = [
            (total(\.lossy), "of lossy methods"), (total { $0.drawsBeams && !$0.lossy }, "drawn as beams"),
            (total(\.drawsAnew), "drawn anew"),
        ]
        let left = kinds.filter { $0.0 > 0 }.map { "\($0) \($1)" }.joined(separator: " and ")
        let others = left.isEmpty ? "" : "; \(left) are not compared"
        guard differing > 0 else { return "all \(compared) outputs are plain decoding's, token by token\(others)" }
        let excuse = isExact ? "" : "; the target's rounding is inexact (--inexact-rounding), which may tip ties"
        return "\(differing) of \(compared) outputs differ from plain decoding's\(excuse)\(others)"
    }

    /// Why the benchmark failed; `nil` if it did not. With inexact rounding outputs may differ without a defect.
    package var failure: NacreError? {
        if isExact, let cell = cells.first(where: { $0.differing > 0 }), let divergence = cell.divergence {
            return NacreError(
                .failed, "\(identity): \(cell.name), \(cell.jobs) at once, \(divergence.sentence)",
                remedy: "`nacre check` looks closer")
        }
        if let refusal = refusals.first, Set(cells.map(\.name)).count == 1 {
            return NacreError(.badUsage, "nothing was measured beside plain decoding: \(refusal.reason)")
        }
        return nil
    }

    /// What the rows do not say, for people.
    package var notes: [String] {
        var notes: [String] = []
        let drawn = cells.filter(\.drawsBeams)
        if !drawn.isEmpty {
            var names: [String] = []
            for cell in drawn where !names.contains(cell.name) { names.append(cell.name) }
            let warm = drawn.lazy.compactMap(\.temperature).first.map {
                ", and they are drawn at temperature \($0), since greedily all would be one"
            }
            notes.append(
                "\(names.joined(separator: ", ")): tokens are those of the likeliest text alone, from the first pass "
                    + "to the end; a pass adds to several texts, each ends where it ends\(warm ?? "")")
        }
        let anew = Set(cells.filter(\.drawsAnew).map(\.name)).sorted()
        if !anew.isEmpty {
            notes.append(
                "\(anew.joined(separator: ", ")): drawn from plain decoding's law by other noise, so that texts "
                    + "differ; that law is held by the test suite")
        }
        for jobs in Set(drawn.map(\.jobs)).sorted() {
            let group = drawn.filter { $0.jobs == jobs }
            for cell in group.dropFirst() {
                guard let ratio = Quartiles(zip(cell.rates, group[0].rates).map { $0 / $1 }) else { continue }
                let range = ratio.count > 1 ? " (\(Figures.range(ratio, digits: 2)))" : ""
                notes.append(
                    "\(cell.name) has \(Figures.decimal(ratio.median, digits: 2))\(range) times the tokens per second "
                        + "of \(group[0].name), \(jobs) at once")
            }
        }
        for cell in cells {
            guard let helped = cell.helped else { continue }
            notes.append("\(cell.name), \(cell.jobs) at once: other verifiers scored for it \(helped) times")
        }
        return notes
    }

    /// The figures, a line for each cell.
    package var table: Table {
        var table = Table(
            "jobs", "method", "tokens_per_s", "quartiles", "ratio", "quartiles", "first_ratio", "accepted",
            "mean_accepted", "verifier_busy", "samples", "output")
        for cell in cells {
            table.add(
                "\(cell.jobs)", cell.name, Figures.decimal(cell.tokensPerSecond?.median, digits: 1),
                Figures.range(cell.tokensPerSecond, digits: 1), Figures.decimal(cell.ratio?.median, digits: 2),
                Figures.range(cell.ratio, digits: 2), Figures.decimal(cell.firstRatio, digits: 2),
                Figures.percent(cell.acceptanceRate), Figures.decimal(cell.meanAcceptedTokens, digits: 2),
                Figures.percent(cell.verifierBusy), "\(cell.rates.count)", cell.identity)
        }
        return table
    }
}

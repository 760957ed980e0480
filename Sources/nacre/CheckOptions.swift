import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

/// What `nacre check` compares: values of each axis, separated by commas.
struct CheckOptions: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "Every rule, chains, trees and branches, 1 and 4 jobs, 1 and 2 verifiers and drafters, at temperature 0, "
                + "and coupled at 0.8 as well; the options below replace values of this grid."))
    var matrix = false

    @Option(help: "Methods: autoregressive, speculative, pearl, stream (default the last three; of the matrix stream).")
    var methods: String?

    @Option(help: "Rules: coupled, rejection, block; above temperature 0 coupled only (default coupled).")
    var rules: String?

    @Option(
        help: ArgumentHelp(
            "A draft shape, as in `nacre run --tree`; can be given several times (default chain).", valueName: "shape"))
    var tree: [String] = []

    @Option(help: "Numbers of drafts to prepare for likely outcomes (default 0).")
    var branches: String?

    @Option(help: "Numbers of jobs at once (default 1).")
    var jobs: String?

    @Option(help: "Numbers of verifiers; those beside a job's own help it (default 1).")
    var verifiers: String?

    @Option(help: "Numbers of drafters; a job uses all of them (default 1).")
    var drafters: String?

    private static let jobsMax = 64
    private static let branchesMax = 256

    /// The combinations asked for.
    ///
    /// - Parameter temperature: the one asked for, if any.
    func grid(temperature: Double?) throws -> CheckGrid {
        var grid = matrix ? CheckGrid.matrix : CheckGrid()
        if let methods {
            if methods.split(separator: ",").contains("mtad") {
                throw NacreError(
                    .badUsage,
                    "method mtad is lossy by design: its output need not be plain decoding's, so there is nothing to "
                        + "compare token by token",
                    remedy: "leave it out; Scripts/bench-methods reports the perplexity of its output")
            }
            if let name = methods.split(separator: ",").first(where: { JobRequest.beamMethods.contains(String($0)) }) {
                throw NacreError(
                    .badUsage,
                    "method \(name) promises the law of its beams, not plain decoding's tokens, so there is nothing to "
                        + "compare token by token",
                    remedy: "leave it out; the law is held by the test suite (docs/methods.md)")
            }
            grid.methods = try Self.names(methods, "method", of: ["autoregressive", "speculative", "pearl", "stream"])
        }
        if let rules { grid.rules = try Self.names(rules, "rule", of: ["coupled", "rejection", "block"]) }
        if !tree.isEmpty || branches != nil {
            let numbers = try Self.numbers(branches ?? "0", "--branches", 0...Self.branchesMax)
            grid.drafts = (tree.isEmpty ? ["chain"] : tree).flatMap { shape in
                numbers.map { CheckGrid.Drafts(tree: shape, branches: $0) }
            }
        }
        if let jobs { grid.jobs = try Self.numbers(jobs, "--jobs", 1...Self.jobsMax) }
        if let verifiers { grid.verifiers = try Self.numbers(verifiers, "--verifiers", 1...ClusterPlan.processesMax) }
        if let drafters { grid.drafters = try Self.numbers(drafters, "--drafters", 0...ClusterPlan.processesMax) }
        if let temperature { grid.temperatures = [temperature] }
        if let rule = grid.incomparableRule {
            throw Self.incomparable(rule, temperature ?? 0)
        }
        return grid
    }

    /// Why outputs under a rule are not held against plain decoding's.
    private static func incomparable(_ rule: String, _ temperature: Double) -> NacreError {
        NacreError(
            .badUsage,
            "rule \(rule) draws another text of the target's law than plain decoding does, so that tokens cannot be "
                + "compared at temperature \(temperature)",
            remedy: "leave --temperature out, or use the rule coupled")
    }

    private static func parts(_ list: String, _ flag: String) throws -> [String] {
        try some(list.split(separator: ",").map(String.init), flag)
    }

    /// - Throws: `.badUsage` if there are none.
    static func some(_ parts: [String], _ flag: String) throws -> [String] {
        if parts.isEmpty { throw NacreError(.badUsage, "\(flag) names nothing", remedy: "separate values by commas") }
        return parts
    }

    static func names(_ list: String, _ kind: String, of known: [String]) throws -> [String] {
        let names = try parts(list, "--\(kind)s")
        for name in names where !known.contains(name) {
            throw NacreError(.badUsage, NearestName.complaint(about: name, kind: kind, among: known))
        }
        return names
    }

    static func numbers(_ list: String, _ flag: String, _ range: ClosedRange<Int>) throws -> [Int] {
        try parts(list, flag).map { part in
            guard let number = Int(part), range.contains(number) else {
                throw NacreError(
                    .badUsage,
                    "\(flag) takes numbers from \(range.lowerBound) to \(range.upperBound) separated by commas, not "
                        + "'\(part)'")
            }
            return number
        }
    }
}

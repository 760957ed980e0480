import Foundation
import NacreAPI
import NacreClient
import NacreCore
import TestStatistics
import Testing

/// Bridge `slrs` between files: a target of a tiny vocabulary, and drafters that speak in bytes or in longer tokens of
/// their own (ALGORITHMS 5.2). What docs/methods.md promises of it: L0 and L2 under `coupled`, L0 and L1 under the
/// others; and of the other bridges the same.
@Suite(
    .serialized,
    .enabled(
        if: SyntheticModel.smallTarget != nil && SyntheticModel.byteDraft != nil,
        "needs Python packages: see what Scripts/python says"))
struct StringLevelDrafterTests {
    private static let other = Jobs.root + "Models/pycode-600k-v1536-q8_0.gguf"
    private static let texts = ["def main():\n    ", "x = \"🐚 日本\"\n"]

    private static func with(
        _ bridge: String, draft: String, _ body: (TestCluster) async throws -> Void
    ) async throws {
        let target = try #require(SyntheticModel.smallTarget)
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            try cluster.startVerifier("verifier-1", model: target)
            let arguments = ["--target-vocabulary", target, "--bridge", bridge]
            try cluster.startDrafter("drafter-1", model: draft, arguments: arguments)
            try await cluster.until("both are there") { coordinator in
                let status = try await coordinator.status()
                return status.ready && status.drafters == 1
            }
            let drafter = try await cluster.withClient { try await $0.nodes() }.first { $0.role == "drafter" }
            #expect(drafter?.bridge == bridge)
            try await body(cluster)
            #expect(cluster.casualties == [])
        }
    }

    // MARK: - Tokens

    /// Drafts of a fixed length, which no governor lets rest. Where tests are not thorough, each text in every second
    /// way, the next text in the others.
    private static let requests: [JobRequest] = {
        let ways = ["coupled", "rejection", "block"].flatMap { rule in
            [("speculative", "chain"), ("pearl", "chain"), ("stream", "chain"), ("speculative", "2,2")]
                .filter { rule != "block" || $0.1 == "chain" }.map { (method: $0.0, rule: rule, tree: $0.1) }
        }
        return texts.enumerated().flatMap { number, text in
            ways.covering { ($0 + number) % 2 == 0 }.flatMap { way -> [JobRequest] in
                var request = JobRequest(prompt: text)
                (request.method, request.rule, request.tree, request.maxTokens) = (way.method, way.rule, way.tree, 96)
                if way.tree == "chain" { request.gamma = 2 }
                guard way.rule == "coupled" else { return [request] }
                var sampled = request
                (sampled.temperature, sampled.seed) = (0.8, UInt64(number))
                return [request, sampled]
            }
        }
    }()

    @Test("SLRS: the target's own tokens, greedily and under a seed", arguments: [nil, other])
    func tokens(draft: String?) async throws {
        let draft = try draft ?? #require(SyntheticModel.byteDraft)
        try await Self.with("slrs", draft: draft) { cluster in
            let (plain, others) = try await cluster.withClient { coordinator in
                (
                    try await coordinator.runPlain(Self.requests, atOnce: 4),
                    try await coordinator.runAll(Self.requests, atOnce: 4)
                )
            }
            let differences = Jobs.differences(plain, others)
            #expect(differences.isEmpty, "\(differences.joined(separator: "; "))")
            let judged = others.reduce(0) { $0 + $1.document.statistics.judged }
            let accepted = others.reduce(0) { $0 + $1.document.statistics.accepted }
            #expect(judged > 5 * Self.requests.count && accepted > Self.requests.count, "\(accepted) of \(judged)")
        }
    }

    // MARK: - Laws

    private static let policy = SamplingPolicy(temperature: 0.9, topK: 8)
    private static let jobs: UInt64 = 24

    struct Way: Sendable, CustomTestStringConvertible {
        let bridge: String
        var rule = "rejection"
        var tree = "chain"
        var payload = "rows"
        var testDescription: String { "\(bridge), \(rule), \(tree), \(payload)" }

        func request(_ seed: UInt64) -> JobRequest {
            let texts = StringLevelDrafterTests.texts
            var request = JobRequest(prompt: texts[Int(seed) % texts.count])
            (request.method, request.rule, request.tree, request.payload) = ("speculative", rule, tree, payload)
            if tree == "chain" { request.gamma = 2 }
            (request.maxTokens, request.seed) = (64, seed)
            (request.temperature, request.topK) = (StringLevelDrafterTests.policy.temperature, 8)
            return request
        }
    }

    /// Each token is held against the target's own law behind the text that was committed before it, which is the
    /// law of the text as a whole, of any length, with no outcome enumerated.
    @Test(
        "what is sampled over a bridge has the target's law, token by token",
        arguments: [
            Way(bridge: "slrs", rule: "block"), Way(bridge: "slrs", tree: "2,2", payload: "scalar"),
            Way(bridge: "tli"), Way(bridge: "slem"), Way(bridge: "slrs"),
        ].covering { $0 < 4 })
    func law(_ way: Way) async throws {
        let target = try PlainDecoder(#require(SyntheticModel.smallTarget))
        try await Self.with(way.bridge, draft: try #require(SyntheticModel.byteDraft)) { cluster in
            let requests = (0..<Self.jobs).map(way.request)
            let finished = try await cluster.withClient { try await $0.runAll(requests, atOnce: 4) }
            var (own, colder) = (Calibration(), Calibration())
            for (request, job) in zip(requests, finished) {
                let tokens = job.document.tokens
                let laws = try target.laws(request.prompt, Self.policy, along: tokens)
                own.observe(tokens, laws)
                colder.observe(tokens, laws.map(Self.colder))
            }
            #expect(own.worst < 5.5, "\(own.worst) standard deviations from the target's law")
            // As many tokens tell a temperature of 0.9 from one of 0.5.
            #expect(colder.worst > 5.5, "a wrong law is only \(colder.worst) standard deviations off")
            let statistics = finished.map(\.document.statistics)
            let (judged, accepted) = (statistics.map(\.judged).reduce(0, +), statistics.map(\.accepted).reduce(0, +))
            // How many there are is a matter of how soon the drafter has read the texts.
            #expect(accepted > 40 && judged - accepted > 20, "\(accepted) of \(judged)")
        }
    }

    /// The law at a temperature of 0.5: of the same tokens, since top-k takes the same at any.
    private static func colder(_ law: [UInt32: Double]) -> [UInt32: Double] {
        let weights = law.mapValues { pow($0, policy.temperature / 0.5) }
        let total = weights.values.reduce(0, +)
        return weights.mapValues { $0 / total }
    }

    /// Sums of what came less its probability, for the likeliest token, the second, ..., and for each token by itself:
    /// under the right law they are 0 on average, with a variance that is known. Of 1,500 tokens a bias of 0.07 in the
    /// probability of the likeliest is 5.5 standard deviations.
    private struct Calibration {
        private var sums: [String: (sum: Double, variance: Double)] = [:]
        private var isImpossible = false

        mutating func observe(_ tokens: [UInt32], _ laws: [[UInt32: Double]]) {
            for (token, law) in zip(tokens, laws) {
                if law[token] == nil { isImpossible = true }
                let ranked = law.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
                for (rank, entry) in ranked.enumerated() {
                    for name in ["rank \(rank)", "token \(entry.key)"] {
                        let (p, came) = (entry.value, entry.key == token ? 1.0 : 0)
                        sums[name, default: (0, 0)].sum += came - p
                        sums[name, default: (0, 0)].variance += p * (1 - p)
                    }
                }
            }
        }

        /// The largest of the sums that are large enough to be normal, in standard deviations.
        var worst: Double {
            if isImpossible { return .infinity }
            return sums.values.filter { $0.variance > 10 }.map { abs($0.sum) / $0.variance.squareRoot() }.max() ?? 0
        }
    }

    // MARK: - Refusals

    @Test(
        "SLRS with a large vocabulary is refused with what works, and with a small one that takes too many rows",
        arguments: ["nacre-drafter", "up", "check", "plan"])
    func refusals(command: String) async throws {
        try await PatchedModel.withFolder { folder in
            let pairs = [(Jobs.target, Self.other), (Jobs.target, try #require(SyntheticModel.byteDraft))]
            for (target, draft) in pairs {
                let arguments = [
                    "nacre-drafter": ["--model", draft, "--target-vocabulary", target, "--bridge", "slrs"],
                    "up": [
                        "up", "--detach", "--target", target, "--draft", draft, "--bridge", "slrs", "--placement",
                        "apart", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
                    ],
                    "check": ["check", "--target", target, "--draft", draft, "--bridge", "slrs", "--max-tokens", "4"],
                    "plan": ["plan", "--target", target, "--draft", draft, "--bridge", "slrs"],
                ]
                let isDaemon = command == "nacre-drafter"
                let result = try await Command.run(
                    isDaemon ? command : "nacre", arguments[command] ?? [], environment: ["XDG_RUNTIME_DIR": folder])
                #expect(result.status == (command == "plan" ? 1 : 2) && result.complaints.count == 1, "\(result)")
                #expect(result.errors.contains("`slrs` takes more than 256 rows"), "\(result)")
                #expect(result.errors.contains("use `slem` or `tli`"), "\(result)")
            }
        }
    }
}

import Foundation
import NacreAPI
import NacreClient
import TestStatistics
import Testing

/// A drafter of another vocabulary, as processes: the target's own tokens, whatever the bridge (ALGORITHMS 5).
@Suite(.serialized) struct BridgedDrafterTests {
    private static let other = Jobs.root + "Models/pycode-600k-v1536-q8_0.gguf"

    /// What tokenizers treat each in their own way.
    private static let texts = [
        "def main():\n    ", "x = \"🐚🦪 日本語のテキスト\"\nprint(x)\n# 真珠", "pi = 3.14159265358979\nn = 10000000\n",
        "class A:\n\tdef f(self):\n\t\treturn [1,   2]\n\n\n\nclass B:\n", "   leading", "import os, sys\n",
    ]

    /// Where tests are not thorough, each text in every second way, the next text in the others.
    private static func requests(_ rules: [String]) -> [JobRequest] {
        let ways = rules.flatMap { rule in
            (rule == "block" ? ["chain"] : ["chain", "4,2,2,1", "best"]).flatMap { tree in
                Jobs.speculating.filter { $0 != "pearl" || tree == "chain" }.map {
                    (method: $0, rule: rule, tree: tree)
                }
            }
        }
        return texts.enumerated().flatMap { number, text in
            ways.covering { ($0 + number) % 2 == 0 }.flatMap { way -> [JobRequest] in
                var request = JobRequest(prompt: text)
                (request.method, request.rule, request.tree, request.maxTokens) = (way.method, way.rule, way.tree, 32)
                guard way.rule == "coupled" else { return [request] }
                var sampled = request
                (sampled.temperature, sampled.seed) = (0.7, UInt64(number))
                return [request, sampled]
            }
        }
    }

    private static func run(_ bridge: String, shown: String, _ rules: [String]) async throws {
        try await TestCluster.with(drafters: 0) { cluster in
            let arguments = ["--target-vocabulary", Jobs.target, "--bridge", bridge]
            try cluster.startDrafter("drafter-1", model: other, arguments: arguments)
            try await cluster.until("the drafter is there") { try await $0.status().drafters == 1 }
            let nodes = try await cluster.withClient { try await $0.nodes() }
            let drafter = try #require(nodes.first { $0.role == "drafter" })
            let verifier = try #require(nodes.first { $0.role == "verifier" })
            #expect(drafter.bridge == shown && verifier.bridge == nil)
            #expect(drafter.vocabularyDigest == verifier.vocabularyDigest, "it drafts in the target's tokens")
            #expect(drafter.model.contains("v1536-q8_0.gguf by \(shown) ("), "\(drafter.model)")
            let requests = requests(rules)
            let (plain, others) = try await cluster.withClient { coordinator in
                (
                    try await coordinator.runPlain(requests, atOnce: 4),
                    try await coordinator.runAll(requests, atOnce: 4)
                )
            }
            let differences = Jobs.differences(plain, others)
            #expect(differences.isEmpty, "\(differences.joined(separator: "; "))")
            let accepted = others.reduce(0) { $0 + $1.document.statistics.accepted }
            #expect(accepted > 2 * requests.count, "\(accepted) accepted in \(requests.count) jobs")
            #expect(cluster.casualties == [])
        }
    }

    @Test("SLEM greedy equality for a pair with different tokenizers, and equality under a seed")
    func exactMatch() async throws { try await Self.run("slem", shown: "slem", ["coupled", "rejection", "block"]) }

    @Test("TLI greedy equality for a pair with different tokenizers, and equality under a seed")
    func intersection() async throws { try await Self.run("tli", shown: "tli", ["coupled", "rejection", "block"]) }

    @Test("the bridge that is taken by itself gives the target's tokens too")
    func auto() async throws { try await Self.run("auto", shown: "slem+tli", ["coupled"]) }

    @Test("nacre up --draft with another vocabulary starts a drafter behind a bridge, and says so")
    func up() async throws {
        try await PatchedModel.withFolder { folder in
            let own = ["XDG_RUNTIME_DIR": folder]
            let start = [
                "up", "--detach", "--draft", Self.other, "--placement", "apart", "--listen", "127.0.0.1:0", "--http",
                "127.0.0.1:0",
            ]
            let up = try await Command.run("nacre", start, environment: own)
            #expect(up.status == 0 && up.output.contains("drafts over a bridge (auto)"), "\(up)")
            let nodes = try await Command.run("nacre", ["nodes"], environment: own)
            #expect(nodes.output.split(separator: "\n").contains { $0.hasSuffix("\tslem+tli") }, "\(nodes)")
            let run = try await Command.run(
                "nacre", ["run", "import os\n", "--max-tokens", "48", "--json"], environment: own)
            #expect(try JSON.decode(JobDocument.self, from: Array(run.output.utf8)).statistics.accepted > 0, "\(run)")
            let down = try await Command.run("nacre", ["down"], environment: own)
            #expect(down.status == 0, "\(down)")
        }
    }

    @Test("nacre check covers bridges through real processes", arguments: [["--bridge", "tli"], []])
    func check(_ bridge: [String]) async throws {
        let some = ["check", "--draft", Self.other, "--max-tokens", "16", "--tree", "chain", "--tree", "best"] + bridge
        for sampling in [[], ["--temperature", "0.8", "--seed", "3"]] {
            let result = try await Command.run("nacre", some + sampling)
            #expect(result.status == 0 && result.output.contains("0 divergences, 0 unexplained"), "\(result)")
        }
    }

    @Test("the report of a pair of two vocabularies says overlap, bridge and expected acceptance before anything runs")
    func report() async throws {
        let check = try await Command.run("nacre", ["models", "check", Jobs.target, Self.other, "--json"])
        #expect(check.status == 0 && check.errors.isEmpty, "\(check)")
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(check.output.utf8)) as? [String: Any])
        let pair = try #require(document["pair"] as? [String: Any])
        #expect(pair["bridge"] as? String == "slem+tli" && pair["is_usable"] as? Bool == true)
        #expect((0.8...0.95).contains(try #require(pair["text_share"] as? Double)))
        let prediction = try #require(pair["prediction"] as? [String: Any])
        #expect((0.9...1).contains(try #require(prediction["draft_mass"] as? Double)))
        let rates = try #require(prediction["acceptances"] as? [[String: Any]])
        #expect(rates.compactMap { $0["bridge"] as? String } == ["tli", "slem"])
        #expect((0...0.1).contains(try #require(prediction["low_mass"] as? Double)))
        for rate in rates {
            #expect((0.1...0.9).contains(try #require(rate["greedy"] as? Double)))
            #expect((0.1...0.9).contains(try #require(rate["sampled"] as? Double)))
        }
    }

    @Test(
        "what cannot work is refused with what does",
        arguments: [
            (["--bridge", "slrs", "--target-vocabulary", Jobs.target], "use `slem` or `tli`"),
            (["--bridge", "tli"], "add --target-vocabulary target.gguf"),
            (["--bridge", "telepathy", "--target-vocabulary", Jobs.target], "give one of auto, tli, slem"),
            (
                ["--target-vocabulary", Jobs.target, "--vocabulary-only", "--lookup", "suffix"],
                "leave --target-vocabulary"
            ),
        ])
    func refusals(arguments: [String], words: String) async throws {
        let result = try await Command.run("nacre-drafter", ["--model", Self.other] + arguments)
        #expect(result.status == 2 && result.complaints.count == 1 && result.errors.contains(words), "\(result)")
    }
}

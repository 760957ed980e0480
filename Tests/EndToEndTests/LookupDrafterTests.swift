import Foundation
import NacreAPI
import NacreClient
import Testing

/// Drafters without a draft model, as processes: the target's own tokens, whatever was looked up.
@Suite(.serialized) struct LookupDrafterTests {
    /// Of the kind that lookups are for: it says everything twice.
    private static let prompt = """
        def add(a, b):
            return a + b


        def sub(a, b):
            return a - b


        def add(a, b):
            return a + b


        def sub(a, b):

        """

    private static func requests() -> [JobRequest] {
        var requests: [JobRequest] = []
        for (rule, tree) in [
            ("coupled", "chain"), ("coupled", "best"), ("coupled", "4,2,2,1"), ("rejection", "chain"),
            ("rejection", "best"), ("block", "chain"),
        ] {
            for method in Jobs.speculating where method != "pearl" || tree == "chain" {
                var request = JobRequest(prompt: prompt)
                (request.method, request.rule, request.tree, request.maxTokens) = (method, rule, tree, 64)
                requests.append(request)
                guard rule == "coupled" else { continue }
                (request.temperature, request.seed) = (0.7, 11)
                requests.append(request)
            }
        }
        return requests
    }

    @Test(
        "every way to speculate gives the tokens of plain decoding, and drafts are accepted",
        arguments: [
            ["--lookup", "ngram", "--vocabulary-only"], ["--lookup", "suffix", "--vocabulary-only"],
            ["--lookup", "phrases", "--vocabulary-only"], ["--lookup", "suffix"],
        ])
    func identity(_ arguments: [String]) async throws {
        let isAlone = arguments.contains("--vocabulary-only")
        try await TestCluster.with(drafters: 0) { cluster in
            try cluster.startDrafter("drafter-1", model: isAlone ? Jobs.target : Jobs.draft, arguments: arguments)
            try await cluster.until("the drafter is there") { try await $0.status().drafters == 1 }
            let node = try await cluster.withClient { try await $0.nodes() }.first { $0.role == "drafter" }
            let name = isAlone ? "\(arguments[1]) (vocabulary of " : "pycode-3m-q8_0.gguf+suffix ("
            #expect(node?.model.hasPrefix(name) == true, "\(node?.model ?? "no drafter")")
            let requests = Self.requests()
            let (plain, others) = try await cluster.withClient { coordinator in
                // One after the other: the drafter remembers, and drafts what the ones before have put out.
                let plain = try await coordinator.runPlain(requests, atOnce: 4)
                return (plain, try await coordinator.runAll(requests, atOnce: 2))
            }
            let differences = Jobs.differences(plain, others)
            #expect(differences.isEmpty, "\(differences.joined(separator: "; "))")
            // A single job may be over before its drafter has begun, or be better off without.
            let accepted = others.reduce(0) { $0 + $1.document.statistics.accepted }
            #expect(accepted > requests.count, "\(accepted) accepted in \(requests.count) jobs")
            #expect(cluster.casualties == [])
        }
    }

    @Test(
        "nacre up --lookup starts a drafter that has no model, beside the verifier, also where no model is to draft",
        arguments: [[], ["--placement", "plain", "--draft", Jobs.draft], ["--drafters", "0", "--draft", Jobs.draft]])
    func up(_ more: [String]) async throws {
        try await PatchedModel.withFolder { folder in
            let own = ["XDG_RUNTIME_DIR": folder]
            let start = ["up", "--detach", "--lookup", "suffix,phrases", "--listen", "127.0.0.1:0", "--http"]
            let up = try await Command.run("nacre", start + ["127.0.0.1:0"] + more, environment: own)
            let placing = "placement: beside, a drafter without a model computes next to nothing"
            #expect(up.status == 0 && up.output.contains(placing), "\(up)")
            let nodes = try await Command.run("nacre", ["nodes"], environment: own)
            #expect(nodes.output.contains("suffix+phrases (vocabulary of pycode-8m-q8_0.gguf)"), "\(nodes)")
            let run = try await Command.run(
                "nacre", ["run", Self.prompt, "--max-tokens", "48", "--json"], environment: own)
            #expect(try JSON.decode(JobDocument.self, from: Array(run.output.utf8)).statistics.accepted > 0, "\(run)")
            let down = try await Command.run("nacre", ["down"], environment: own)
            #expect(down.status == 0, "\(down)")
        }
    }

    @Test("bench measures lookups, on the cores that plain decoding has, with a model or without one")
    func bench() async throws {
        let some = ["bench", "--methods", "stream", "--tokens", "16", "--repeat", "1", "--json", "-", "--lookup"]
        for (arguments, draft, placement) in [
            (["suffix", "--drafters", "0"], "suffix (vocabulary of", ClusterPlacement.beside),
            (["suffix", "--draft", Jobs.draft, "--placement", "together"], "pycode-3m-q8_0.gguf+suffix (", .together),
        ] {
            let result = try await Command.run("nacre", some + arguments)
            #expect(result.status == 0, "\(result)")
            let report = try JSON.decode(BenchmarkReport.self, from: Array(result.output.utf8))
            #expect(report.draft.hasPrefix(draft) && report.placement == placement, "\(report.draft)")
            #expect(report.differing == 0 && report.placing?.contains("has all of these cores") == true)
        }
    }

    @Test(
        "what names no lookup, or leaves nothing that drafts, is refused with what to do",
        arguments: [
            ("nacre-drafter", ["--model", Jobs.target, "--lookup", "sufix"], "'sufix' is no lookup"),
            ("nacre-drafter", ["--model", Jobs.target, "--lookup", "suffix,suffix"], "is named twice"),
            ("nacre-drafter", ["--model", Jobs.target, "--vocabulary-only"], "add --lookup suffix"),
            ("nacre", ["up", "--lookup", "gram"], "--lookup: 'gram' is no lookup"),
        ])
    func refusals(executable: String, arguments: [String], words: String) async throws {
        let result = try await Command.run(executable, arguments)
        #expect(result.status == 2 && result.complaints.count == 1 && result.errors.contains(words), "\(result)")
    }
}

import NacreAPI
import NacreClient
import Testing

/// A target whose rounding depends on what else a pass holds: everyone who shows its output says so.
@Suite(.serialized) struct InexactRoundingTests {
    @Test("nodes and jobs tell an exact target from an inexact one")
    func told() async throws {
        try await TestCluster.with(verifiers: 0) { cluster in
            try cluster.startVerifier("verifier-1", arguments: ["--threads", "1", "--inexact-rounding"])
            try await cluster.until("the verifier is there") { try await $0.status().ready }
            let nodes = try await cluster.nacre("nodes", "--json")
            let list = try JSON.decode(NodeListDocument.self, from: Array(nodes.output.utf8))
            #expect(list.nodes.first { $0.role == "verifier" }?.exact == false)
            #expect(list.nodes.contains { $0.role == "drafter" && $0.exact == nil })
            let table = try await cluster.nacre("nodes").output
            #expect(table.contains("\tinexact\t"), "\(table)")
            let run = try await cluster.nacre("run", "import os", "--max-tokens", "4", "--json")
            #expect(try !JSON.decode(JobDocument.self, from: Array(run.output.utf8)).exact, "\(run)")
            try await cluster.kill("verifier-1")
            try cluster.startVerifier("verifier-2", arguments: ["--threads", "1"])
            try await cluster.until("the other verifier is the only one") {
                try await $0.nodes().filter { $0.role == "verifier" }.map(\.name) == ["verifier-2"]
            }
            let other = try await cluster.nacre("run", "import os", "--max-tokens", "4", "--json")
            #expect(try JSON.decode(JobDocument.self, from: Array(other.output.utf8)).exact, "\(other)")
        }
    }

    @Test("a check of such a target says so, of another one nothing")
    func checked() async throws {
        func check(_ arguments: String...) async throws -> CommandResult {
            try await Command.run("nacre", ["check", "--methods", "stream", "--max-tokens", "4"] + arguments)
        }
        let sentence = "the target's rounding is inexact"
        let exact = try await check()
        #expect(exact.status == 0 && !exact.output.contains(sentence), "\(exact)")
        // Its status may be 1: that is what the sentence warns of.
        let inexact = try await check("--inexact-rounding")
        #expect(inexact.output.contains(sentence), "\(inexact)")
        #expect(try await check("--inexact-rounding", "--json").output.contains(#""exact":false"#))
    }
}

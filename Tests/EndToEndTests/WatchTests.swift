import NacreAPI
import NacreClient
import Testing

/// What is shown of a running cluster.
@Suite(.serialized) struct WatchTests {
    /// Enough long jobs for the commands to find some running.
    private static func keepBusy(_ cluster: TestCluster, method: String, count: Int = 16) async throws {
        for seed in 0..<count { _ = try await cluster.submit(Jobs.endless(method: method, seed: UInt64(seed))) }
        try await cluster.until("the verifier reports the pair") { coordinator in
            try await coordinator.status().pairs.contains { $0.method == method && $0.jobs > 0 && $0.rounds > 0 }
        }
    }

    @Test("status and top show jobs, nodes and what is done about drafts", arguments: ["stream", "speculative"])
    func pairs(method: String) async throws {
        try await TestCluster.with { cluster in
            try await Self.keepBusy(cluster, method: method)
            let shown = try await cluster.nacre("status")
            #expect(shown.status == 0, "\(shown.errors)")
            let line = try #require(
                shown.output.split(separator: "\n").first { $0.hasPrefix("pair\t") && $0.contains(method) })
            let cells = line.split(separator: "\t").map(String.init)
            #expect(cells.count == 13 && cells[1] == "verifier-1" && cells[2] == "pycode-8m-q8_0.gguf", "\(cells)")
            #expect(cells[3] == "pycode-3m-q8_0.gguf" && cells[5] == "goodput" && cells[6] == "chain", "\(cells)")
            #expect(["drafting", "shortened", "resting", "probing", "checking"].contains(cells[7]), "\(cells)")
            #expect(!cells[12].isEmpty)
            let status = try JSON.decode(
                StatusDocument.self, from: Array(try await cluster.nacre("status", "--json").output.utf8))
            let pair = try #require(status.pairs.first { $0.method == method })
            #expect(pair.tokens >= pair.rounds && pair.rounds > 0 && pair.drafted > 0)
            #expect(pair.judgedAt.count == pair.acceptedAt.count && !pair.judgedAt.isEmpty)
            #expect(zip(pair.acceptedAt, pair.judgedAt).allSatisfy { $0 <= $1 })

            let once = try await cluster.nacre("top", "--once", "--interval", "0.6", "--json")
            #expect(once.status == 0, "\(once.errors)")
            let top = try JSON.decode(TopDocument.self, from: Array(once.output.utf8))
            #expect(Set(top.nodes.map(\.name)) == ["verifier-1", "drafter-1"])
            #expect(top.tokensPerSecond > 0 && top.jobsOpen > 0 && !top.jobs.isEmpty)
            let job = try #require(top.jobs.first { $0.outputTokens > 0 })
            #expect(job.method == method && job.targetModel == "pycode-8m-q8_0.gguf" && job.policy == "goodput")
            let watched = try #require(top.pairs.first { $0.method == method && $0.jobs > 0 })
            #expect(watched.draftLengths.count == 1 && !watched.acceptanceByPosition.isEmpty)
            #expect(try #require(top.nodes.first { $0.role == "verifier" }?.bubble) < 1)
        }
    }

    @Test("jobs without a drafter are named as what does not overlap, in lines for programs too")
    func noDrafter() async throws {
        try await TestCluster.with(drafters: 0) { cluster in
            try await Self.keepBusy(cluster, method: "stream")
            let once = try await cluster.nacre("top", "--once", "--interval", "0.6")
            let lines = once.output.split(separator: "\n")
            #expect(once.status == 0, "\(once.errors)")
            #expect(
                lines.contains { $0.hasPrefix("warning\t") && $0.contains("overlap not engaged: no drafter is ready") },
                "\(once.output)")
            for kind in ["pair\t", "node\t", "job\t"] { #expect(lines.contains { $0.hasPrefix(kind) }, "\(kind)") }
            #expect(!once.output.contains("\u{1B}"), "no colour in a pipe")
        }
    }

    @Test("an interval that is none is refused")
    func refused() async throws {
        let result = try await Command.run("nacre", ["top", "--interval", "0"])
        #expect(result.status == 2 && result.errors.contains("0.2"), "\(result.errors)")
    }
}

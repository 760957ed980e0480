import Foundation
import NacreAPI
import NacreClient
import Testing

/// Where drafters are put, and what drafter and verifier on the same cores make of it.
@Suite(.serialized) struct PlanTests {
    private static func document(_ result: CommandResult) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    @Test("plan weighs every placement, says which and why, and keeps what it measured")
    func plan() async throws {
        try await PatchedModel.withFolder { folder in
            let own = ["XDG_CACHE_HOME": folder]
            let pair = ["plan", "--target", Jobs.target, "--draft", Jobs.draft]
            let first = try await Command.run("nacre", pair + ["--drafter-host-rtt", "0.3ms"], environment: own)
            let lines = first.output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
            #expect(first.status == 0 && first.errors.isEmpty, "\(first)")
            #expect(lines.allSatisfy { $0.count == 7 } && lines.count { $0[0] == "*" } == 1, "\(first.output)")
            #expect(Set(lines.map { $0[1] }).isSuperset(of: ["together", "plain", "remote"]))
            let kept = try FileManager.default.contentsOfDirectory(atPath: folder + "/nacre/calibration")
            #expect(kept.contains { $0.hasPrefix("pair-") }, "\(kept)")

            let second = try Self.document(try await Command.run("nacre", pair + ["--json"], environment: own))
            #expect(second["agreement_source"] as? String == "kept")
            #expect(try #require(second["agreement_positions"] as? Int) >= 64)
            let agreement = try #require(second["agreement"] as? Double)
            #expect(0.3 < agreement && agreement <= 1, "the shipped pair was made for each other")
            #expect((second["reason"] as? String)?.isEmpty == false)
        }
    }

    @Test("a drafter of another vocabulary is asked over its bridge, and its drafts cost all passes that they take")
    func bridged() async throws {
        try await PatchedModel.withFolder { folder in
            func plan(_ more: String...) async throws -> [String: Any] {
                let pair = ["plan", "--draft", Jobs.root + "Models/pycode-600k-v1536-q8_0.gguf", "--json"]
                return try Self.document(
                    try await Command.run("nacre", pair + more, environment: ["XDG_CACHE_HOME": folder]))
            }
            let slem = try await plan("--bridge", "slem")
            let tli = try await plan("--bridge", "tli")
            for (document, bridge) in [(slem, "slem"), (tli, "tli")] {
                #expect(
                    document["bridge"] as? String == bridge && document["agreement_source"] as? String == "measured")
                // As its jobs have it (docs/methods.md); of drafts in the wrong tokens hardly one would be right.
                #expect((0.25...0.85).contains(try #require(document["agreement"] as? Double)), "\(document)")
            }
            #expect((1.1...4).contains(try #require(slem["passes_per_draft"] as? Double)), "\(slem)")
            #expect((0.9...1.2).contains(try #require(tli["passes_per_draft"] as? Double)), "\(tli)")
            // Named, one is measured; else the one that auto takes by itself, and the other.
            #expect((slem["bridges"] as? [Any])?.isEmpty == true && (tli["bridges"] as? [Any])?.isEmpty == true)
            let auto = try await plan()
            let both = try #require(auto["bridges"] as? [[String: Any]])
            #expect(both.map { $0["bridge"] as? String } == ["slem+tli", "tli"], "\(auto)")
            // Greedily one of them is SLEM.
            #expect(both[0]["agreement"] as? Double == slem["agreement"] as? Double)
            #expect(both[1]["agreement"] as? Double == tli["agreement"] as? Double)
            let speeds = both.compactMap { $0["tokens_per_second"] as? Double }
            let taken = try #require(both.firstIndex { $0["bridge"] as? String == auto["bridge"] as? String })
            #expect(speeds.count == 2 && speeds[taken] >= 0.95 * (speeds.max() ?? 0), "\(auto)")
            #expect(auto["agreement"] as? Double == both[taken]["agreement"] as? Double)
            let kept = try await plan("--bridge", "tli")
            #expect(kept["agreement_source"] as? String == "kept" && kept["agreement"] as? Double != nil)
            #expect(kept["passes_per_draft"] as? Double == tli["passes_per_draft"] as? Double)
        }
    }

    @Test("the agreement decides: a drafter that is never right is not started")
    func agreement() async throws {
        try await PatchedModel.withFolder { folder in
            let arguments = ["plan", "--json", "--agreement", "0", "--cpus", "0"]
            let useless = try Self.document(
                try await Command.run("nacre", arguments, environment: ["XDG_CACHE_HOME": folder]))
            #expect((useless["choice"] as? [String: Any])?["placement"] as? String == "plain")
            #expect(useless["cores"] as? Int == 1 && useless["agreement_source"] as? String == "given")
        }
    }

    @Test("what makes no sense is refused with what would")
    func refusals() async throws {
        for (arguments, words) in [
            (["--agreement", "2"], "between 0 and 1"), (["--cpus", "4000"], "core 4000"),
            (["--drafter-host-rtt", "soon"], "0.3ms"), (["--target", "/nonexistent.gguf"], "no model file"),
            (["--draft", Jobs.root + "README.md"], "not a GGUF file"), (["--bridge", "rope"], "auto, tli, slem"),
        ] {
            let result = try await Command.run("nacre", ["plan"] + arguments)
            #expect(result.status == 2 || result.status == 64, "\(result)")
            #expect(result.errors.contains(words), "\(result)")
        }
    }

    @Test("drafter and verifier on the same core take turns, and the output is plain decoding's")
    func sharedCore() async throws {
        let requests = try Jobs.identityPrompts().prefix(3).map { prompt in
            var request = JobRequest(prompt: prompt)
            request.maxTokens = 24
            return request
        }
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            try cluster.startVerifier("verifier-1", arguments: ["--cpus", "0"])
            try cluster.startDrafter("drafter-1", arguments: ["--cpus", "0"])
            try await cluster.until("both are there") { coordinator in
                let status = try await coordinator.status()
                return status.drafters == 1 && status.ready
            }
            try await cluster.withClient { coordinator in
                let plain = try await coordinator.runAll(requests.map { $0.with(method: Jobs.plain) })
                #expect(plain.allSatisfy { !$0.document.sharesCores })
                for method in Jobs.speculating {
                    let shared = try await coordinator.runAll(requests.map { $0.with(method: method, gamma: 3) })
                    #expect(Jobs.differences(plain, shared) == [])
                    #expect(shared.allSatisfy { $0.document.sharesCores && $0.document.method == method })
                    #expect(shared.contains { $0.document.statistics.accepted > 0 })
                    let shown = try await cluster.nacre("job", shared[0].document.id)
                    #expect(shown.output.contains("cores\tshared: drafter and verifier take turns"), "\(shown)")
                }
            }
        }
    }

    @Test("up places as it is told and says so", arguments: ["together", "plain"])
    func up(placement: String) async throws {
        try await PatchedModel.withFolder { folder in
            let own = ["XDG_RUNTIME_DIR": folder]
            let ports = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
            let up = try await Command.run(
                "nacre", ["up", "--detach", "--json", "--placement", placement] + ports, environment: own)
            let report = try Self.document(up)
            #expect(report["placement"] as? String == placement && report["reason"] as? String == "as asked for")
            #expect((report["processes"] as? [Any])?.count == (placement == "plain" ? 2 : 3))
            let run = try await Command.run("nacre", ["run", "import os", "--max-tokens", "8"], environment: own)
            #expect(run.status == 0 && !run.output.isEmpty, "\(run)")
            _ = try await Command.run("nacre", ["down"], environment: own)
        }
    }
}

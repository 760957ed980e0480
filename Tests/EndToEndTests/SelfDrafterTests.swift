import Foundation
import NacreAPI
import NacreClient
import NacreNode
import Testing

/// A drafter made from the target by dropping layers, from the command line to the output.
@Suite struct SelfDrafterTests {
    private func prune(_ arguments: String...) async throws -> CommandResult {
        try await Command.run("nacre", ["models", "prune-layers", Jobs.target] + arguments)
    }

    private func document(_ result: CommandResult) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    @Test("a self-drafter drafts for its target, whose output stays what it is")
    func identity() async throws {
        try await PatchedModel.withFolder { folder in
            let path = "\(folder)/d.gguf"
            let made = try await prune("--keep", "0,2-7", "-o", path, "--json")
            #expect(made.status == 0 && made.errors.isEmpty, "\(made)")
            let report = try document(made)
            #expect(report["output"] as? String == path && report["layers"] as? String == "0,2-7")
            #expect(report["bytes"] as? Int == FileManager.default.contents(atPath: path)?.count)
            let requests = try Jobs.identityPrompts().prefix(4).map { prompt in
                var request = JobRequest(prompt: prompt)
                request.maxTokens = 48
                return request
            }
            try await TestCluster.with(drafters: 0) { cluster in
                try cluster.startDrafter("drafter-1", model: path)
                try await cluster.until("the drafter is there") { try await $0.status().drafters == 1 }
                let all = try await cluster.withClient { coordinator in
                    try await coordinator.runAll(
                        Jobs.methods.flatMap { method in
                            requests.map { $0.with(method: method, gamma: method == "stream" ? nil : 2) }
                        })
                }
                let plain = all.filter { $0.document.method == Jobs.plain }
                for method in Jobs.speculating {
                    let others = all.filter { $0.document.method == method }
                    let differences = Jobs.differences(plain, others)
                    #expect(differences.isEmpty, "\(method): \(differences.joined(separator: "; "))")
                }
                // Seven layers of eight agree often: otherwise they would be the wrong ones.
                let rounds = all.filter { $0.document.method == "speculative" }
                #expect(rounds.reduce(0) { $0 + $1.document.statistics.accepted } > 60)
            }
        }
    }

    @Test("the search writes what it found and tells how sure it is, and its trials are gone")
    func search() async throws {
        try await PatchedModel.withFolder { folder in
            let prompts = "\(folder)/prompts.txt"
            try Data("def main():\n---\nimport os\n".utf8).write(to: URL(filePath: prompts))
            let path = "\(folder)/d.gguf"
            let found = try await prune(
                "--search", "--budget", "0.05s", "--prompts", prompts, "--threads", "1", "-o", path, "--json")
            #expect(found.status == 0 && found.errors.isEmpty, "\(found)")
            let report = try document(found)
            let search = try #require(report["search"] as? [String: Any])
            let result = try #require(search["result"] as? [String: Any])
            let low = try #require(result["agreement_low"] as? Double)
            let high = try #require(result["agreement_high"] as? Double)
            #expect(low < high && (search["tried"] as? Int ?? 0) > 0 && search["is_complete"] as? Bool == false)
            #expect(result["pass_us"] is Double && result["speed_up"] is Double && result["judged"] is Int)
            #expect(result["layers"] as? String == report["layers"] as? String)
            let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(Set(files) == ["d.gguf", "prompts.txt"], "\(files)")
            // What was made before is in nobody's way.
            let again = try await prune("--exit", "3", "-o", path)
            #expect(again.status == 0 && again.output.contains("layers\t0-2 of 8"), "\(again)")
            let info = try await Command.run("nacre", ["models", "info", path])
            #expect(info.status == 0 && info.output.contains("self_drafter\tmade from pycode-8m"), "\(info)")
        }
    }

    @Test("what is asked for wrongly is bad usage, and nothing is written")
    func wrong() async throws {
        try await PatchedModel.withFolder { folder in
            let path = "\(folder)/d.gguf"
            for (arguments, words) in [
                (["--keep", "0-8"], "no layer 8"), (["--keep", "2,1"], "after 2"), (["--keep", "1,1"], "twice"),
                (["--exit", "0"], "1 to 8"), (["--exit", "9"], "1 to 8"), ([], "one of --keep"),
                (["--keep", "1", "--search"], "one of --keep"), (["--exit", "3", "--threads", "1"], "--search"),
                (["--exit", "3", "--budget", "1m"], "--search"), (["--search", "--budget", "soon"], "90s"),
                (["--search", "--prompts", "/nowhere"], "--prompts"),
            ] {
                let result = try await Command.run(
                    "nacre", ["models", "prune-layers", Jobs.target, "-o", path] + arguments)
                #expect(result.status == 2 && result.errors.contains(words), "\(arguments) \(result)")
            }
            for (output, words) in [
                ("/nowhere/d.gguf", "a folder that is there"), (folder, "is a folder"),
                ("\(folder)/d/", "names no file"),
                ("", "names no file"), (Jobs.target, "no drafter"), ("/dev/null", "no drafter"),
            ] {
                let result = try await prune("--search", "-o", output)
                #expect(result.status == 2 && result.errors.contains(words), "\(output) \(result)")
            }
            let missing = try await Command.run("nacre", ["models", "prune-layers", "\(folder)/t.gguf", "--exit", "1"])
            #expect(missing.status == 2 && missing.errors.contains("no model file"), "\(missing)")
            let cut = try PatchedModel.truncated(to: 900_000, Jobs.target, in: folder)
            let damaged = try await Command.run("nacre", ["models", "prune-layers", cut, "--exit", "1", "-o", path])
            #expect(damaged.status == 1 && damaged.errors.contains("cut short"), "\(damaged)")
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }
}

import Foundation
import NacreAPI
import NacreClient
import NacreLlama
import NacreNode
import Testing

/// `nacre models` as scripts use it: rows, documents, exit statuses.
@Suite struct ModelsCommandTests {
    private func models(_ arguments: String...) async throws -> CommandResult {
        try await Command.run("nacre", ["models"] + arguments)
    }

    private func document(_ result: CommandResult) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    @Test("info gives names and values, and the same as JSON")
    func info() async throws {
        let result = try await models("info", Jobs.target)
        #expect(result.status == 0 && result.errors.isEmpty)
        let rows = result.output.split(separator: "\n").map { $0.split(separator: "\t", maxSplits: 1).map(String.init) }
        #expect(rows.allSatisfy { $0.count == 2 })
        #expect(rows.first == ["file", Jobs.target])
        #expect(rows.contains(["architecture", "llama"]))
        let document = try document(try await models("info", Jobs.target, "--json"))
        let model = try #require((document["models"] as? [[String: Any]])?.first)
        let vocabulary = try #require(model["vocabulary"] as? [String: Any])
        let digest = try #require(vocabulary["digest"] as? String)
        #expect(rows.contains { $0[0] == "vocabulary" && $0[1].hasSuffix("digest \(digest)") })
        #expect(document["pair"] == nil)
    }

    @Test("check of a pair passes every step of both and the pair, and says so in its status")
    func pair() async throws {
        let result = try await models("check", Jobs.target, Jobs.draft)
        let lines = result.output.split(separator: "\n").map { $0.split(separator: "\t") }
        #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
        #expect(lines.count == 11 && lines.allSatisfy { $0.first == "PASS" && $0.count == 4 }, "\(result.output)")
        let document = try document(try await models("check", Jobs.target, Jobs.draft, "--json"))
        #expect(document["passed"] as? Bool == true)
        #expect((document["pair"] as? [String: Any])?["bridge"] as? String == "identity")
        let rollback = (document["models"] as? [[String: Any]])?.first?["facts"] as? [String: Any]
        #expect((rollback?["rollback"] as? [String: Any])?["is_measured"] as? Bool == true)
    }

    @Test("speed times every pass that was asked for, with and without exactness")
    func speed() async throws {
        let arguments = ["speed", Jobs.draft, "--contexts", "9,3", "--nodes", "2,1", "--threads", "1"]
        let result = try await Command.run("nacre", ["models"] + arguments)
        let lines = result.output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
        #expect(
            lines.map { Array($0.prefix(2)) } == [
                ["3", "1"], ["3", "2"], ["3", "adopt"], ["9", "1"], ["9", "2"], ["9", "adopt"],
            ])
        #expect(lines.allSatisfy { $0.count == 5 && $0[2...].allSatisfy { (Double($0) ?? 0) > 0 } }, "\(result.output)")
        let document = try document(try await Command.run("nacre", ["models"] + arguments + ["--json"]))
        let rows = try #require(document["rows"] as? [[String: Any]])
        #expect(rows.count == 6 && rows[2]["nodes"] == nil && rows.allSatisfy { $0["ratio"] is Double })
        for wrong in [["--nodes", "0"], ["--contexts", "a"], ["--contexts", ""], ["--threads", "0"]] {
            let refused = try await Command.run("nacre", ["models", "speed", Jobs.draft] + wrong)
            #expect(refused.status == 2, "\(wrong) \(refused)")
        }
    }

    @Test("two models of different vocabularies are paired over a bridge, and info and check say which")
    func strangers() async throws {
        try await PatchedModel.withFolder { folder in
            let other = try PatchedModel.renaming("self", to: "selv", Jobs.draft, in: folder)
            let check = try await models("check", Jobs.target, other)
            #expect(check.status == 0 && check.complaints.isEmpty, "\(check)")
            #expect(check.output.contains("bridge: tli (also: slem)") && check.output.contains("expected acceptance"))
            let info = try await models("info", Jobs.target, other)
            #expect(info.status == 0 && info.output.contains("pair.bridge\ttli (also: slem)"), "\(info)")
            #expect(info.output.contains("pair.usable\tyes"))
            // As the coordinator counts them, which refuses such a drafter without a bridge: see BadInputTests.
            #expect(info.output.contains("4095 of the target's 4096 tokens"), "\(info)")
        }
    }

    @Test("digests are written as nodes report them, also those that begin with a zero")
    func digests() async throws {
        try await PatchedModel.withFolder { folder in
            // Every 16th vocabulary has such a digest.
            let letters = "abcdefghijklmnopqrstuvwxyz"
            let names = letters.flatMap { first in letters.map { "s\(first)\($0)f" } }
            var found: String?
            for name in names where found == nil {
                let path = try PatchedModel.renaming("self", to: name, Jobs.draft, in: folder)
                // A piece that is there already makes no vocabulary.
                let digest = (try? LlamaTokenizer(path: path))?.vocabularyDigest ?? .max
                if digest >> 60 == 0 { found = path }
            }
            let model = try #require(found)
            let info = try document(try await models("info", model, "--json"))
            let facts = try #require((info["models"] as? [[String: Any]])?.first)
            try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
                try cluster.startVerifier("verifier-1", model: model)
                try await cluster.until("the verifier is there") { try await $0.status().ready }
                let node = try #require(try await cluster.withClient { try await $0.nodes() }.first)
                #expect(node.vocabularyDigest.count == 16 && node.vocabularyDigest.hasPrefix("0"), "\(node)")
                #expect((facts["vocabulary"] as? [String: Any])?["digest"] as? String == node.vocabularyDigest)
                #expect(facts["model_digest"] as? String == node.modelDigest)
            }
        }
    }

    @Test("a damaged file fails with what to do, a missing one and a wrong command are bad usage")
    func failures() async throws {
        try await PatchedModel.withFolder { folder in
            let cut = try PatchedModel.truncated(to: 900_000, Jobs.draft, in: folder)
            for command in ["info", "check"] {
                let result = try await models(command, cut)
                #expect(result.status == 1 && result.complaints.count == 1, "\(result)")
                #expect(result.errors.contains("900000 of") && result.errors.contains("download it again"))
                let missing = try await models(command, "\(folder)/none.gguf")
                #expect(missing.status == 2 && missing.errors.contains("there is no model file"), "\(missing)")
            }
            let document = try document(try await models("check", cut, "--json"))
            #expect(document["passed"] as? Bool == false)
            let misspelt = try await models("inof", cut)
            #expect(misspelt.status == 2 && misspelt.errors.contains("did you mean 'info'?"), "\(misspelt)")
        }
    }
}

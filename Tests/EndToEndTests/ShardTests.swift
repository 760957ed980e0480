import Foundation
import NacreAPI
import NacreClient
import NacreNode
import Testing

/// A verifier whose threads are divided among engines of their own.
@Suite(.serialized) struct ShardTests {
    @Test("four jobs at once on two shards give what plain decoding gives, and the shards are shown")
    func fourJobs() async throws {
        let plain = try PlainDecoder(Jobs.target)
        let prompts = Array(try Jobs.identityPrompts().prefix(8))
        let expected = try prompts.map { try plain.greedy($0, tokensMax: 48) }
        let requests = prompts.enumerated().map { number, prompt in
            var request = JobRequest(prompt: prompt).with(method: Jobs.methods[number % Jobs.methods.count])
            request.maxTokens = 48
            return request
        }
        try await TestCluster.with(verifiers: 0) { cluster in
            try cluster.startVerifier(
                "verifier-1", arguments: ["--threads", "2", "--shards", "2", "--slots", "5"])
            try await cluster.until("the verifier is there") { try await $0.status().ready }
            let nodes = try await cluster.nacre("nodes", "--json")
            let list = try JSON.decode(NodeListDocument.self, from: Array(nodes.output.utf8))
            let verifier = try #require(list.nodes.first { $0.role == "verifier" })
            #expect(verifier.shards == 2 && verifier.slots == 5)
            #expect(verifier.passTimes.map(\.shards).allSatisfy { $0 == 2 })
            #expect(Set(verifier.passTimes.map(\.nodes)).isSuperset(of: [1, 2, 4, 8]))
            #expect(verifier.passTimes.allSatisfy { $0.microseconds > 0 })
            #expect(list.nodes.first { $0.role == "drafter" }?.shards == 1)
            let row = try #require(
                try await cluster.nacre("nodes").output.split(separator: "\n").first { $0.hasPrefix("verifier-1\t") })
            let columns = row.split(separator: "\t", omittingEmptySubsequences: false)
            #expect(columns.count == 16 && columns[11] == "2" && columns[12].hasPrefix("1:"), "\(row)")
            #expect(columns[13] == "exact" && columns[14] == "-" && columns[15] == "-", "\(row)")
            try await cluster.withClient { coordinator in
                let finished = try await coordinator.runAll(requests, atOnce: 4)
                for (number, job) in finished.enumerated() {
                    #expect(job.document.tokens == expected[number], "\(requests[number].method ?? "") \(number)")
                }
                #expect(finished.contains { $0.document.statistics.drafted > 0 })
            }
        }
    }

    @Test("more jobs than slots wait, and a drafter that dies takes no job along, on every shard")
    func crowded() async throws {
        let requests = (0..<6).map { Jobs.endless(64, seed: UInt64($0)) }
        try await TestCluster.with(verifiers: 0) { cluster in
            try cluster.startVerifier(
                "verifier-1", arguments: ["--threads", "2", "--shards", "2", "--slots", "3"])
            try await cluster.until("the verifier is there") { try await $0.status().ready }
            let solo = try await cluster.withClient { try await $0.runAll(requests, atOnce: 1) }
            #expect(solo.map(\.document.tokens.count) == requests.map(\.maxTokens))
            let long = (0..<2).map { Jobs.endless(600, seed: UInt64($0)) }
            var ids: [String] = []
            for request in long { ids.append(try await cluster.submit(request)) }
            for id in ids { try await cluster.withClient { try await $0.reach(64, of: id) } }
            try await cluster.kill("drafter-1")
            let crowd = try await cluster.withClient { try await $0.runAll(requests, atOnce: 6) }
            #expect(Jobs.differences(solo, crowd) == [])
            for (id, request) in zip(ids, long) {
                #expect(try await cluster.end(of: id).tokens.count == request.maxTokens)
            }
            #expect(cluster.casualties == [])
        }
    }

    @Test("auto measures once, keeps it, and says what it measured; a damaged file is measured and written anew")
    func automatic() async throws {
        try await PatchedModel.withFolder { folder in
            let calibrations = folder + "/nacre/calibration"
            func files() -> [String] {
                ((try? FileManager.default.contentsOfDirectory(atPath: calibrations)) ?? []).map {
                    calibrations + "/" + $0
                }
            }
            func content() throws -> Data {
                let found = files()
                try #require(found.count == 1, "\(found)")
                return try #require(FileManager.default.contents(atPath: found[0]))
            }
            /// Starts a verifier, asks for what it tells, and ends it.
            func start(_ arguments: String...) async throws -> (node: NodeDocument, log: String) {
                try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
                    let verifier = try Command(
                        "nacre-verifier",
                        ["--model", Jobs.target, "--coordinator", "\(cluster.control)", "--threads", "2"] + arguments,
                        environment: ["XDG_CACHE_HOME": folder])
                    try await cluster.until("the verifier is there") { try await $0.status().verifiers == 1 }
                    let node = try #require(try await cluster.withClient { try await $0.nodes() }.first)
                    verifier.signal(SIGTERM)
                    return (node, try await verifier.result().errors)
                }
            }
            let measuring = "measuring how to divide the threads"
            let first = try await start()
            #expect(first.log.contains(measuring))
            #expect([1, 2].contains(first.node.shards))
            #expect(Set(first.node.passTimes.map(\.shards)) == [1, 2], "both divisions are told of")
            let kept = try content()
            let second = try await start()
            if first.node.disturbance == nil {
                #expect(!second.log.contains(measuring) && second.node.shards == first.node.shards)
                #expect(try content() == kept)
            } else {
                // The machine had other work to do.
                #expect(first.node.shards == 1 && second.log.contains(measuring))
            }
            let disturbed = String(decoding: kept, as: UTF8.self).replacing(
                /"spread" : [-+.0-9e]+/, with: #""spread" : 0.5"#)
            try Data(disturbed.utf8).write(to: URL(filePath: files()[0]))
            #expect(try await start().log.contains(measuring), "what was disturbed is not believed twice")
            try Data("{ damaged".utf8).write(to: URL(filePath: files()[0]))
            #expect(try await start().log.contains(measuring))
            #expect(try content().count > kept.count / 2)
            #expect(try await start("--recalibrate").log.contains(measuring))
            #expect(try await !start("--recalibrate", "--slots", "1").log.contains(measuring), "there is no choice")
        }
    }

    @Test("where no variable names a folder coordinator and verifier say once that nothing is kept, and what to set")
    func keptNowhere() async throws {
        try await PatchedModel.withFolder { folder in
            for (environment, count) in [
                (["HOME": "", "XDG_CACHE_HOME": ""], 1), (["HOME": "", "XDG_CACHE_HOME": "relative"], 1),
                (["HOME": "", "XDG_CACHE_HOME": folder], 0), (["HOME": folder, "XDG_CACHE_HOME": ""], 0),
            ] {
                func warnings(_ log: String) -> Int {
                    log.split(separator: "\n").count {
                        $0.contains(" warning ") && $0.contains("set HOME, or XDG_CACHE_HOME")
                    }
                }
                let coordinator = try Command(
                    "nacre-coordinator", ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], environment: environment)
                try await coordinator.until("it is ready") { $0.hasPrefix("ready coordinator") }
                let ready = try #require(ReadyLine(coordinator.output.trimmingCharacters(in: .newlines)))
                let control = try #require(ready.addresses["control"])
                let verifier = try Command(
                    "nacre-verifier",
                    ["--model", Jobs.target, "--coordinator", "\(control)", "--threads", "2"], environment: environment)
                try await verifier.until("it is ready") { $0.hasPrefix("ready verifier") }
                for command in [verifier, coordinator] {
                    command.signal(SIGTERM)
                    let log = try await command.result().errors
                    #expect(warnings(log) == count, "\(environment): \(log)")
                }
            }
        }
    }

    @Test("more shards than threads or slots are refused")
    func refused() async throws {
        for (arguments, words) in [
            (["--threads", "1", "--shards", "2"], "2 shards need as many threads, and there are 1"),
            (["--threads", "2", "--shards", "2", "--slots", "1"], "2 shards need as many slots, and there are 1"),
            (["--shards", "0"], "must be auto or a number from 1 to 256, not '0'"),
            (["--shards", "many"], "must be auto or a number from 1 to 256, not 'many'"),
        ] {
            let result = try await Command.run("nacre-verifier", ["--model", Jobs.target] + arguments)
            #expect(result.status == 2 && result.errors.contains(words), "\(arguments): \(result)")
        }
    }
}

import Foundation
import NacreAPI
import NacreClient
import NacreNode
import Testing

/// Targets whose layers are in other processes: as on other hosts, over llama.cpp's RPC.
@Suite(.serialized) struct RemoteLayersTests {
    /// A cluster whose verifiers hold nothing themselves, each with layer servers of its own.
    private static func with<Result>(
        servers: [[LayerHost]], drafters: Int = 0, _ body: (TestCluster) async throws -> Result
    ) async throws -> Result {
        try await TestCluster.with(verifiers: 0, drafters: drafters) { cluster in
            for (number, hosts) in servers.enumerated() {
                let list = hosts.map { "\($0.address)" }.joined(separator: ",")
                try cluster.startVerifier("verifier-\(number + 1)", arguments: ["--rpc", list])
            }
            try await cluster.until("all verifiers are registered") { coordinator in
                let status = try await coordinator.status()
                return status.ready && status.verifiers == servers.count
            }
            return try await body(cluster)
        }
    }

    @Test("chains, trees and branches give the tokens of plain decoding over the same two servers")
    func identity() async throws {
        let servers = [try await LayerHost(), try await LayerHost()]
        try await Self.with(servers: [servers], drafters: 1) { cluster in
            let prompts = try Jobs.identityPrompts().prefix(4)
            var requests = [Jobs.endless(192)]
            requests += prompts.map { prompt in
                var request = JobRequest(prompt: prompt)
                request.maxTokens = 96
                return request
            }
            let plain = try await cluster.withClient { coordinator in
                try await coordinator.runAll(requests.map { $0.with(method: Jobs.plain) })
            }
            #expect(plain.allSatisfy { $0.document.state == "done" && !$0.document.tokens.isEmpty })
            for (method, tree, branches) in [
                ("speculative", "chain", 0), ("pearl", "chain", 0), ("stream", "chain", 0), ("stream", "4,2,2,1", 0),
                ("speculative", "best:12", 0), ("stream", "chain", 4),
            ] {
                let others = try await cluster.withClient { coordinator in
                    try await coordinator.runAll(
                        requests.map { request in
                            var other = request.with(method: method, gamma: method == "stream" ? nil : 3)
                            other.tree = tree
                            other.branches = branches
                            return other
                        })
                }
                let differences = Jobs.differences(plain, others)
                #expect(differences.isEmpty, "\(method) \(tree): \(differences.joined(separator: "; "))")
                // Otherwise nothing was put to the test.
                #expect(others.reduce(0) { $0 + $1.document.statistics.accepted } > 50, "\(method) \(tree)")
            }
            let nodes = try await cluster.withClient { try await $0.nodes() }
            let node = try #require(nodes.first { $0.role == "verifier" })
            #expect(node.engine.contains("layers on 2 servers") && node.slots == 8)
            #expect(cluster.casualties == [])
        }
    }

    @Test("a server killed during a job: the job ends on another verifier, and the first comes back with its server")
    func movesOn() async throws {
        let (first, second) = (try await LayerHost(), try await LayerHost())
        try await Self.with(servers: [[first], [second]]) { cluster in
            let request = Jobs.endless(600)
            let whole = try await cluster.withClient { try await $0.run(request).document }
            let id = try await cluster.submit(request)
            try await cluster.withClient { try await $0.reach(40, of: id) }
            let verifier = try await cluster.verifier(of: id)
            let lost = verifier == "verifier-1" ? first : second
            try await lost.kill()
            let job = try await cluster.end(of: id)
            #expect(job.tokens == whole.tokens && job.text == whole.text && job.state == "done")
            #expect(job.verifiers.count == 2 && Set(job.verifiers) == ["verifier-1", "verifier-2"])
            #expect(job.statistics.attempts == 2)
            #expect(cluster.casualties == [], "a verifier died with its layers")
            try await lost.restart()
            try await cluster.until("both verifiers are registered") { try await $0.status().verifiers == 2 }
            let again = try await cluster.withClient { try await $0.runAll([request, request]) }
            #expect(again.allSatisfy { $0.document.tokens == whole.tokens })
            #expect(Set(again.flatMap(\.document.verifiers)) == ["verifier-1", "verifier-2"])
        }
    }

    @Test("without another verifier the job waits, says for what, and goes on when the server is back")
    func waits() async throws {
        let servers = [try await LayerHost(), try await LayerHost()]
        try await Self.with(servers: [servers], drafters: 1) { cluster in
            let request = Jobs.endless(600)
            let whole = try await cluster.withClient { try await $0.run(request).document }
            let id = try await cluster.submit(request)
            try await cluster.withClient { try await $0.reach(40, of: id) }
            try await servers[1].kill()
            try await cluster.until("the job waits") { try await $0.job(id).state == "queued" }
            let waiting = try await cluster.withClient { try await $0.job(id).waiting }
            #expect(waiting?.contains("the layer server at \(servers[1].address) closed its connection") == true)
            #expect(waiting?.contains("it goes on when a verifier of the same weights is there") == true)
            let text = try await cluster.nacre("job", id)
            #expect(text.output.contains("waiting\tits verifier was lost"))
            #expect(cluster.casualties == [])
            try await servers[1].restart()
            let job = try await cluster.end(of: id)
            #expect(job.tokens == whole.tokens && job.state == "done" && job.statistics.attempts == 2)
            #expect(job.verifiers == ["verifier-1", "verifier-1"] && job.waiting == nil)
        }
    }

    @Test("a server that dies while nothing is computed is noticed, and so is its return")
    func idle() async throws {
        let server = try await LayerHost()
        try await Self.with(servers: [[server]]) { cluster in
            try await server.kill()
            try await cluster.until("the verifier is gone") { try await $0.status().verifiers == 0 }
            try await server.restart()
            try await cluster.until("the verifier is back") { try await $0.status().ready }
            #expect(cluster.casualties == [])
        }
    }

    @Test("the engine's process ends with its verifier, however that ends", arguments: [SIGKILL, SIGTERM, SIGINT])
    func noChildLeft(signal: Int32) async throws {
        let server = try await LayerHost()
        try await Self.with(servers: [[server]]) { cluster in
            let verifier = cluster["verifier-1"]
            let engines = Processes.children(of: verifier.pid)
            #expect(engines.count == 1)
            verifier.signal(signal)
            try await Deadline.wait(for: "verifier and engine are gone") {
                verifier.ending != nil && !engines.contains(where: Processes.isAlive)
            }
            #expect(verifier.ending == (signal == SIGKILL ? .killed(signal: SIGKILL) : .exited(0)))
        }
    }

    @Test("an engine's process that is killed is a lost verifier, and is started again")
    func engineKilled() async throws {
        let server = try await LayerHost()
        try await Self.with(servers: [[server]]) { cluster in
            let request = Jobs.endless(400)
            let whole = try await cluster.withClient { try await $0.run(request).document }
            let id = try await cluster.submit(request)
            try await cluster.withClient { try await $0.reach(40, of: id) }
            let engine = try #require(Processes.children(of: cluster["verifier-1"].pid).first)
            Foundation.kill(engine, SIGKILL)
            let job = try await cluster.end(of: id)
            #expect(job.tokens == whole.tokens && job.statistics.attempts == 2 && cluster.casualties == [])
        }
    }
}

import Foundation
import NacreAPI
import NacreClient
import Testing

/// Jobs that somebody ends, or leaves.
@Suite(.serialized) struct CancelTests {
    @Test("nacre cancel ends a running job in every method; what it had put out stays, and the next job works")
    func cancel() async throws {
        try await TestCluster.with { cluster in
            let whole = try await cluster.withClient { try await $0.run(Jobs.endless(96)).document }
            for method in Jobs.methods {
                let id = try await cluster.withClient { coordinator in
                    let id = try await coordinator.submit(Jobs.endless(method: method)).id
                    try await coordinator.reach(8, of: id)
                    return id
                }
                let command = try await cluster.nacre("cancel", id)
                #expect(command.status == 0 && command.output == "cancelled\n" && command.errors.isEmpty, "\(method)")
                let job = try await cluster.withClient { try await $0.job(id) }
                #expect(job.state == "cancelled" && job.outcome == "cancelled", "\(method)")
                #expect((8..<1_900).contains(job.outputTokens), "\(method): \(job.outputTokens) tokens")
                let common = min(job.tokens.count, whole.tokens.count)
                #expect(job.tokens.prefix(common) == whole.tokens.prefix(common), "\(method)")
                let wait = try await cluster.nacre("wait", id)
                #expect(wait.status == 1 && wait.complaints == ["nacre: the job was cancelled"], "\(method)")
            }
            let next = try await cluster.withClient { try await $0.run(Jobs.endless(96)).document }
            #expect(next.tokens == whole.tokens)
        }
    }

    @Test("a queued job is cancelled as well")
    func cancelQueued() async throws {
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            let id = try await cluster.nacre("submit", "import os").output.trimmingCharacters(
                in: .whitespacesAndNewlines)
            #expect(try await cluster.withClient { try await $0.job(id).state } == "queued")
            #expect(try await cluster.nacre("cancel", id).output == "cancelled\n")
        }
    }

    @Test("kill -9, SIGTERM or Ctrl-C of an attached run ends its job", arguments: [SIGKILL, SIGTERM, SIGINT])
    func clientGoes(signal: Int32) async throws {
        try await TestCluster.with(drafters: 0) { cluster in
            let run = try cluster.start(
                "run", Jobs.endless().prompt, "--max-tokens", "1900", "--ignore-eos", "--temperature", "0.7", "--min-p",
                "0.1",
                "--seed", "3")
            try await run.until("it streams") { $0.count > 20 }
            run.signal(signal)
            let result = try await run.result()
            #expect(result.status == (signal == SIGKILL ? 137 : 130))
            try await cluster.until("the job is cancelled") {
                try await $0.jobs().allSatisfy { $0.state == "cancelled" }
            }
            let jobs = try await cluster.withClient { try await $0.jobs() }
            #expect(jobs.count == 1 && jobs.allSatisfy { $0.outputTokens < 1_900 })
        }
    }

    @Test("a submitted job goes on without its client and can be waited for by another")
    func submitted() async throws {
        try await TestCluster.with { cluster in
            let submit = try await cluster.nacre(
                "submit", Jobs.endless().prompt, "--max-tokens", "400", "--ignore-eos", "--temperature", "0.7",
                "--min-p", "0.1",
                "--seed", "3")
            let id = submit.output.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(submit.status == 0 && submit.errors.isEmpty && id.count == 32)
            // Somebody who only looks on, and goes, is not missed either.
            let looking = try cluster.start("wait", id)
            try await cluster.withClient { try await $0.reach(8, of: id) }
            looking.signal(SIGKILL)
            _ = try await looking.result()
            let wait = try await cluster.nacre("wait", id)
            let run = try await cluster.withClient { try await $0.run(Jobs.endless(400, method: Jobs.plain)).document }
            #expect(wait.status == 0 && wait.output == run.text && wait.errors.isEmpty)
            #expect(try await cluster.withClient { try await $0.job(id).tokens } == run.tokens)
        }
    }
}

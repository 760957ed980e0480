import Foundation
import NacreAPI
import NacreClient
import Testing

/// The tests' own cluster does what it says.
@Suite(.serialized) struct TestClusterTests {
    @Test("a private cluster of real processes decodes, loses a node and is gone afterwards")
    func wholeLife() async throws {
        let pids = try await TestCluster.with(verifiers: 1, drafters: 1) { cluster in
            let job = try await cluster.withClient { try await $0.run(JobRequest(prompt: "import os")) }
            #expect(job.document.state == "done" && job.margins.count == job.document.tokens.count)
            let command = try await cluster.nacre("run", "-", "--max-tokens", "128", input: "import os")
            #expect(command.status == 0 && command.output == job.document.text && command.errors.isEmpty)
            let pids = ["coordinator", "verifier-1", "drafter-1"].map { cluster[$0].pid }
            try await cluster.kill("drafter-1")
            try await cluster.until("the drafter is missed") { try await $0.status().drafters == 0 }
            return pids
        }
        for pid in pids { #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)")) }
    }
}

import NacreAPI
import NacreClient
import Testing

/// Jobs that share one verifier and one drafter, pass by pass.
@Suite(.serialized) struct SeveralJobsTests {
    /// A job's number and what came of it, in the order of the ends.
    private typealias Ending = (number: Int, job: FinishedJob)

    @Test("two long jobs do not keep six short ones waiting, and no job's output depends on the others")
    func longAndShort() async throws {
        let long = (0..<2).map { Jobs.endless(500, seed: UInt64($0)) }
        let short = (2..<8).map { Jobs.endless(48, seed: UInt64($0)) }
        let requests = long + short
        try await TestCluster.with { cluster in
            try await cluster.withClient { coordinator in
                let solo = try await coordinator.runAll(requests, atOnce: 1)
                let endings = try await Self.ends(of: requests, at: coordinator)
                let together = endings.sorted { $0.number < $1.number }.map(\.job)
                let differences = Jobs.differences(solo, together)
                #expect(differences.isEmpty, "\(differences)")
                #expect(together.map(\.document.tokens.count) == requests.map(\.maxTokens))
                #expect(endings.map(\.number).suffix(long.count).allSatisfy { $0 < long.count }, "a short job starved")
                // Both long jobs went on while the short ones ran: nobody had the verifier for himself. A short one may
                // be over before its drafter is ready.
                #expect(together.prefix(long.count).allSatisfy { $0.document.statistics.drafted > 0 })
            }
        }
    }

    @Test("more jobs than slots wait for their turn and give the same outputs")
    func moreJobsThanSlots() async throws {
        let requests = (0..<6).map { Jobs.endless(32, method: Jobs.methods[$0 % 4], seed: UInt64($0)) }
        try await TestCluster.with(verifiers: 0) { cluster in
            try cluster.startVerifier("verifier-1", arguments: ["--slots", "2"])
            try await cluster.until("the verifier is there") { try await $0.status().ready }
            try await cluster.withClient { coordinator in
                let solo = try await coordinator.runAll(requests, atOnce: 1)
                let crowded = try await coordinator.runAll(requests, atOnce: 6)
                #expect(Jobs.differences(solo, crowded) == [])
            }
        }
    }

    private static func ends(of requests: [JobRequest], at coordinator: CoordinatorClient) async throws -> [Ending] {
        try await withThrowingTaskGroup(of: Ending.self) { group in
            for (number, request) in requests.enumerated() {
                group.addTask { (number, try await coordinator.run(request)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}

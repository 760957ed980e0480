import NacreAPI
import NacreClient
import TestStatistics
import Testing

/// The promise: whatever the method, the output is the target's own.
@Suite(.serialized) struct IdentityTests {
    private static let tokensMax = 256

    /// Every third prompt where tests are not thorough, else all fifty.
    @Test("every method gives the tokens of plain decoding, many prompts of 256 tokens, eight jobs at once")
    func everyMethod() async throws {
        let requests = try Jobs.identityPrompts().covering { $0 % 3 == 0 }.map { prompt in
            var request = JobRequest(prompt: prompt)
            request.maxTokens = Self.tokensMax
            return request
        }
        #expect(requests.count == (Thoroughness.isFull ? 50 : 17))
        try await TestCluster.with { cluster in
            // All methods at once: what one job does between another's passes must not matter either.
            let all = try await cluster.withClient { coordinator in
                try await coordinator.runAll(
                    requests.enumerated().flatMap { number, request in
                        Jobs.methods.map { request.with(method: $0, gamma: Self.gamma($0, prompt: number)) }
                    })
            }
            func jobs(of method: String) -> [FinishedJob] { all.filter { $0.document.method == method } }
            let plain = jobs(of: Jobs.plain)
            #expect(plain.count == requests.count)
            #expect(plain.allSatisfy { $0.document.tokens.count == Self.tokensMax || $0.document.outcome == "end" })
            try Self.compareWithOracle(requests, plain)
            for method in Jobs.speculating {
                let others = jobs(of: method)
                let differences = Jobs.differences(plain, others)
                #expect(differences.isEmpty, "\(method): \(differences.joined(separator: "; "))")
                #expect(others.map(\.document.text) == plain.map(\.document.text), "\(method)")
                #expect(others.map(\.document.outcome) == plain.map(\.document.outcome), "\(method)")
                // Otherwise nothing was put to the test.
                #expect(others.reduce(0) { $0 + $1.document.statistics.accepted } > 10 * requests.count, "\(method)")
            }
        }
    }

    /// Draft lengths in turn, the free-running method's own choice.
    private static func gamma(_ method: String, prompt: Int) -> Int? {
        method == "stream" ? nil : [1, 2, 4][prompt % 3]
    }

    private static func compareWithOracle(_ requests: [JobRequest], _ plain: [FinishedJob]) throws {
        let oracle = try PlainDecoder(Jobs.target)
        for number in stride(from: 0, to: requests.count, by: requests.count / 5) {
            let tokens = try oracle.greedy(requests[number].prompt, tokensMax: tokensMax)
            let divergence = Divergence(
                prompt: number, plain: tokens, margins: plain[number].margins, other: plain[number].document.tokens)
            #expect(divergence == nil, "against the engine alone: \(divergence?.sentence ?? "")")
        }
    }
}

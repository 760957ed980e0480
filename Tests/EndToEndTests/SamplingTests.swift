import NacreAPI
import NacreClient
import Testing

/// Coupled sampling: the noise belongs to the position, so that nobody's guesses can change what is drawn.
@Suite(.serialized) struct SamplingTests {
    private static func request(seed: UInt64?, prompt: String = "def parse(self, line):\n") -> JobRequest {
        var request = JobRequest(prompt: prompt)
        request.maxTokens = 48
        request.temperature = 0.8
        request.topK = 40
        request.topP = 0.95
        request.minP = 0.02
        request.seed = seed
        return request
    }

    @Test("a seed names one output, whatever the method, the draft length and the number of drafters")
    func oneOutputPerSeed() async throws {
        try await TestCluster.with(drafters: 0) { cluster in
            // A seed above 2^53 must survive the way through JSON.
            let requests = [1, 2, UInt64.max - 1].map { Self.request(seed: $0) }
            let plain = try await cluster.withClient { coordinator in
                try await coordinator.runAll(requests.map { $0.with(method: Jobs.plain) })
            }
            #expect(Set(plain.map(\.document.tokens)).count == plain.count, "other seeds must give other tokens")
            #expect(plain.map(\.document.seed) == requests.map(\.seed))
            for drafters in 0...2 {
                if drafters > 0 {
                    try cluster.startDrafter("drafter-\(drafters)")
                    try await cluster.until("\(drafters) are there") { try await $0.status().drafters == drafters }
                }
                try await Self.compare(requests, plain, drafters: drafters, on: cluster)
            }
        }
    }

    private static func compare(
        _ requests: [JobRequest], _ plain: [FinishedJob], drafters: Int, on cluster: TestCluster
    ) async throws {
        let ways = Jobs.speculating.flatMap { method in [1, 2, 5, 9].map { (method, $0) } }
        let jobs = try await cluster.withClient { coordinator in
            try await coordinator.runAll(
                ways.flatMap { method, gamma in requests.map { $0.with(method: method, gamma: gamma) } })
        }
        var drafted = 0
        for (number, (method, gamma)) in ways.enumerated() {
            let others = Array(jobs[number * requests.count..<(number + 1) * requests.count])
            let differences = Jobs.differences(plain, others)
            #expect(differences.isEmpty, "\(method), γ \(gamma), \(drafters) drafters: \(differences)")
            drafted += others.reduce(0) { $0 + $1.document.statistics.drafted }
        }
        // Of all ways together: on a busy machine a short job may be over before its drafter is ready.
        #expect((drafted > 0) == (drafters > 0), "\(drafters) drafters: \(drafted) drafted")
    }

    @Test("without a seed one is drawn and returned, and repeats the answer; the next is another")
    func drawnSeed() async throws {
        try await TestCluster.with { cluster in
            try await cluster.withClient { coordinator in
                let first = try await coordinator.run(Self.request(seed: nil))
                let again = try await coordinator.run(Self.request(seed: first.document.seed).with(method: "pearl"))
                let other = try await coordinator.run(Self.request(seed: nil))
                #expect(again.document.tokens == first.document.tokens)
                #expect(again.document.seed == first.document.seed)
                #expect(other.document.seed != first.document.seed)
                #expect(other.document.tokens != first.document.tokens)
            }
        }
    }
}

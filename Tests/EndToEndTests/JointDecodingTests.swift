import Foundation
import NacreAPI
import NacreClient
import Testing

/// Method mtad through real processes: lossy, and said so; never worse off than plain decoding when drafters go.
@Suite(.serialized) struct JointDecodingTests {
    private static func job(_ seed: UInt64, tokens: Int = 64, tree: String? = nil) -> JobRequest {
        var request = Jobs.endless(tokens, method: "mtad", seed: seed)
        request.tree = tree
        return request
    }

    @Test("fewer target passes than tokens, and the job says that it is lossy, with τ and perplexity")
    func passes() async throws {
        let finished = try await TestCluster.with { cluster in
            try await cluster.withClient { coordinator in
                try await coordinator.runAll(
                    (0..<6).map { seed in Self.job(UInt64(seed), tree: seed % 2 == 0 ? "beams:4" : "path:4") })
            }
        }
        for job in finished.map(\.document) {
            #expect(job.state == "done" && job.lossy && job.tau == 0.5 && job.rule == "lossy-joint", "\(job)")
            let perplexity = try #require(job.statistics.perplexity)
            #expect(perplexity >= 1 && perplexity.isFinite)
            #expect(job.statistics.rounds < job.outputTokens, "\(job.tree): \(job.statistics)")
        }
    }

    @Test("what is known of plain decoding's likelihood is what mtad without a drafter reports")
    func plain() async throws {
        try await TestCluster.with(drafters: 0) { cluster in
            try await cluster.withClient { coordinator in
                var plain = Self.job(5).with(method: "autoregressive")
                plain.likelihood = true
                let (alone, reference) = (try await coordinator.run(Self.job(5)), try await coordinator.run(plain))
                #expect(alone.document.tokens == reference.document.tokens)
                #expect(alone.document.statistics.perplexity == reference.document.statistics.perplexity)
                #expect(reference.document.lossy == false && reference.document.statistics.perplexity != nil)
            }
        }
    }

    @Test("kill -9 of the drafter: the job goes on to its end, and nothing is taken back")
    func drafterKilled() async throws {
        try await TestCluster.with { cluster in
            let id = try await cluster.submit(Self.job(7, tokens: 600))
            try await cluster.withClient { try await $0.reach(60, of: id) }
            let before = try await cluster.withClient { try await $0.job(id) }
            try await cluster.kill("drafter-1")
            let job = try await cluster.end(of: id)
            #expect(job.state == "done" && job.outputTokens == 600 && job.statistics.draftersLost >= 1)
            #expect(job.tokens.starts(with: before.tokens))
        }
    }

    @Test("what does not go with it is refused with what works")
    func refused() async throws {
        try await TestCluster.with { cluster in
            let way = { (option: String, value: String, word: String) in
                let result = try await cluster.nacre("run", "--method", "mtad", option, value, "x = 1")
                #expect(result.status != 0 && result.errors.contains(word), "\(result.errors)")
            }
            try await way("--rule", "coupled", "leave the rule out")
            try await way("--tree", "4,2", "tree beams")
            try await way("--drafters", "2", "one drafter")
            try await way("--tau", "0", "above 0")
            let other = try await cluster.nacre("run", "--tau", "0.3", "x = 1")
            #expect(other.status != 0 && other.errors.contains("method mtad"), "\(other.errors)")
        }
    }
}

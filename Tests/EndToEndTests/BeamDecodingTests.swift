import Foundation
import NacreAPI
import NacreClient
import Testing

/// Methods beam and dsbd through real processes: several texts, the best of them the answer, known at the end.
@Suite(.serialized) struct BeamDecodingTests {
    private static func job(_ method: String, seed: UInt64, tokens: Int = 24) -> JobRequest {
        var request = Jobs.endless(tokens, method: method, seed: seed)
        // Beams are finished by their ends.
        request.ignoreEos = nil
        (request.beams, request.nBest) = (3, 3)
        if method == "dsbd" { (request.draftBeams, request.gamma) = (3, 2) }
        return request
    }

    @Test("a job answers with its likeliest texts; drafts take fewer passes, and change no promise")
    func answers() async throws {
        try await TestCluster.with { cluster in
            try await cluster.withClient { coordinator in
                let finished = try await coordinator.runAll(
                    (0..<6).map { Self.job($0 % 2 == 0 ? "beam" : "dsbd", seed: UInt64($0)) })
                for job in finished.map(\.document) {
                    let answers = try #require(job.answers)
                    #expect(job.state == "done" && job.rule == "beams" && !job.lossy && job.beams == 3, "\(job)")
                    #expect(answers.first?.tokens == job.tokens && answers.first?.text == job.text)
                    #expect((1...3).contains(answers.count) && (job.outcome == "end" || job.outputTokens == 24))
                    let scores = answers.map(\.meanLogLikelihood)
                    #expect(scores == scores.sorted(by: >) && scores.allSatisfy { $0 <= 0 })
                    let mean = try #require(job.statistics.meanLogLikelihood)
                    #expect(abs(mean - scores[0]) < 1e-9)
                    if job.method == "beam" { #expect(job.statistics.rounds == 24) }
                }
                let drafted = finished.map(\.document).filter { $0.method == "dsbd" }
                #expect(drafted.reduce(0) { $0 + $1.statistics.accepted } > 0)
                #expect(drafted.reduce(0) { $0 + $1.statistics.rounds } < 3 * 24)
                // Beams that nobody drafts for are a function of the seed.
                let again = try await coordinator.run(Self.job("beam", seed: 2))
                #expect(again.document.answers == finished[2].document.answers)
            }
        }
    }

    @Test("kill -9 of the drafter, then of the verifier: both methods begin anew, with the beams of their seed alone")
    func killed() async throws {
        try await TestCluster.with(verifiers: 3) { cluster in
            // A dsbd that nobody drafts for is a beam.
            let expected = try await cluster.withClient { coordinator in
                try await coordinator.runAll([7, 9].map { Self.job("beam", seed: $0, tokens: 400) })
            }
            var (ids, verifiers): ([String], Set<String>) = ([], [])
            for (method, seed) in [("dsbd", 7), ("beam", 9)] as [(String, UInt64)] {
                let id = try await cluster.submit(Self.job(method, seed: seed, tokens: 400))
                let verifier = try await cluster.verifier(of: id)
                // Frozen until it is killed, so that no job is over before.
                cluster[verifier].signal(SIGSTOP)
                // At once: a verifier that is frozen for longer than its lease is replaced, and would be drafted for.
                if method == "dsbd" { try await cluster.kill("drafter-1") }
                ids.append(id)
                verifiers.insert(verifier)
            }
            for verifier in verifiers { try await cluster.kill(verifier) }
            for (id, expected) in zip(ids, expected.map(\.document)) {
                let job = try await cluster.end(of: id)
                #expect(job.state == "done" && job.outcome == expected.outcome, "\(job)")
                #expect(job.statistics.attempts >= 2, "it was over before its verifier died")
                #expect(job.answers == expected.answers && job.tokens == expected.tokens, "\(job.method)")
            }
        }
    }

    @Test("what does not go with beams is refused with what works")
    func refused() async throws {
        try await TestCluster.with { cluster in
            let way = { (options: [String], word: String) in
                let result = try await cluster.nacre(arguments: ["run"] + options + ["x = 1"])
                #expect(result.status != 0 && result.errors.contains(word), "\(options): \(result.errors)")
            }
            let warm = ["--temperature", "1"]
            try await way(["--method", "beam"], "above 0")
            try await way(["--method", "beam", "--rule", "coupled"] + warm, "leave the rule out")
            try await way(["--method", "beam", "--gamma", "2"] + warm, "method dsbd")
            try await way(["--method", "beam", "--draft-beams", "2"] + warm, "method dsbd")
            try await way(["--method", "dsbd", "--tree", "4,2"] + warm, "draft_beams")
            try await way(["--method", "dsbd", "--policy", "svip"] + warm, "no policy")
            try await way(["--method", "dsbd", "--payload", "scalar"] + warm, "payload out")
            try await way(["--method", "dsbd", "--branches", "2"] + warm, "without branches")
            try await way(["--method", "dsbd", "--beams", "17"] + warm, "1 ... 16")
            try await way(["--method", "dsbd", "--min-beams", "2"] + warm, "width_threshold")
            try await way(["--method", "dsbd", "--keep-one", "best"] + warm, "keep_one")
            try await way(["--method", "beam", "--stop", "x"] + warm, "leave stop out")
            try await way(["--beams", "2"], "method beam or dsbd")
            try await cluster.withClient { coordinator in
                _ = await #expect(throws: (any Error).self) {
                    for try await _ in try await coordinator.stream(Self.job("beam", seed: 1)) {}
                }
            }
            let check = try await Command.run("nacre", ["check", "--methods", "dsbd"])
            #expect(check.status != 0 && check.errors.contains("law of its beams"))
            let text = try await cluster.nacre(
                arguments: ["run", "--method", "beam", "--n-best", "2", "--max-tokens", "8", "--seed", "1"] + warm
                    + ["x = "])
            #expect(text.status == 0 && text.output.contains("--- 2: ln p "), "\(text.output)")
        }
    }
}

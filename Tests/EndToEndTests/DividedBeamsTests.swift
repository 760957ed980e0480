import Foundation
import NacreAPI
import NacreClient
import NacreCore
import Testing

/// The beams of one job divided between two verifiers, as processes: those of one, with rows that are the target's.
@Suite(.serialized) struct DividedBeamsTests {
    /// At which four beams rarely end as one.
    private static let temperature = 1.0

    static func job(_ method: String, seed: UInt64, tokens: Int, helpers: Int = 1) -> JobRequest {
        var request = Jobs.endless(tokens, method: method, seed: seed)
        // Beams are finished by their ends.
        request.ignoreEos = nil
        (request.temperature, request.beams, request.nBest, request.helpers) = (temperature, 4, 4, helpers)
        if method == "dsbd" { (request.draftBeams, request.gamma) = (4, 2) }
        return request
    }

    /// Runs a job to its end; with it, how many trees other verifiers scored for it.
    private static func run(
        _ request: JobRequest, on cluster: TestCluster
    ) async throws -> (job: JobDocument, scored: Int) {
        let job = try await cluster.end(of: try await cluster.submit(request))
        return (job, try await cluster.helped(job.id))
    }

    /// Each answer is as likely as it says: the rows it was drawn by, here or elsewhere, were the target's.
    private static func checkRows(
        _ job: JobDocument, _ request: JobRequest, answersMax: Int = 4, oracle: PlainDecoder
    ) throws {
        let answers = try #require(job.answers)
        for answer in answers.prefix(answersMax) {
            let laws = try oracle.laws(request.prompt, SamplingPolicy(temperature: temperature), along: answer.tokens)
            let sum = zip(answer.tokens, laws).reduce(0) { $0 + log($1.1[$1.0] ?? 0) }
            #expect(abs(sum - answer.logLikelihood) < 1e-3, "\(sum), not \(answer.logLikelihood)")
        }
    }

    @Test("the n-best answers are those of a single verifier, and a helper has scored trees of them")
    func same() async throws {
        try await TestCluster.with(verifiers: 2, drafters: 0) { cluster in
            // Without a drafter dsbd goes on as beam, and both are functions of the seed.
            var answers = 0
            for (method, seed) in [("beam", 1), ("beam", 2), ("dsbd", 1)] as [(String, UInt64)] {
                let (divided, scored) = try await Self.run(Self.job(method, seed: seed, tokens: 32), on: cluster)
                let (alone, none) = try await Self.run(
                    Self.job(method, seed: seed, tokens: 32, helpers: 0), on: cluster)
                #expect(divided.answers == alone.answers, "\(method) \(seed)")
                answers += divided.answers?.count ?? 0
                #expect(divided.state == "done" && divided.helpers == 1)
                #expect(scored > 8 && none == 0, "\(method) \(seed): \(scored) trees were scored by another")
            }
            #expect(answers > 3, "no job has several texts")
            #expect(cluster.casualties == [])
        }
    }

    @Test("drafts below beams that are lent are scored and stood on, by the target's rows")
    func drafted() async throws {
        let oracle = try PlainDecoder(Jobs.target)
        try await TestCluster.with(verifiers: 2) { cluster in
            var (sent, used) = (0, 0)
            for seed in 1...3 as ClosedRange<UInt64> {
                let request = Self.job("dsbd", seed: seed, tokens: 48)
                let (job, scored) = try await Self.run(request, on: cluster)
                #expect(job.state == "done" && scored > 8, "\(seed): \(scored) trees were scored by another")
                try Self.checkRows(job, request, oracle: oracle)
                sent += job.statistics.shardsSent
                used += job.statistics.shardsUsed
            }
            #expect(sent > used && used > 0, "\(used) of \(sent) drafts that were lent are in a beam")
            #expect(cluster.casualties == [])
        }
    }

    // Jobs that last for seconds: a token of dsbd takes longer.
    @Test(
        "kill -9 of the helper: its trees come home, and the beams are the same",
        arguments: [("beam", 1_000), ("dsbd", 600)])
    func killed(method: String, tokens: Int) async throws {
        let request = Self.job(method, seed: 9, tokens: tokens)
        try await PatchedModel.withFolder { folder in
            // A job that lasts: it would be over when four beams have ended.
            let target = try PatchedModel.endless(Jobs.target, in: folder)
            let draft = try PatchedModel.endless(Jobs.draft, in: folder)
            try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
                try cluster.startVerifier("verifier-1", model: target)
                if method == "dsbd" { try cluster.startDrafter("drafter-1", model: draft) }
                try await cluster.until("the nodes are there") { coordinator in
                    let status = try await coordinator.status()
                    return status.ready && (status.drafters == 1 || method == "beam")
                }
                try await Self.lose(request, target, on: cluster) { try await cluster.kill($0) }
            }
        }
    }

    /// Runs a job on verifier-1 alone, and again with verifier-2 for its helper, which is lost once it has scored.
    ///
    /// - Parameters:
    ///   - target: of both, with texts that do not end.
    ///   - loss: makes the verifier that is named disappear.
    static func lose(
        _ request: JobRequest, _ target: String, on cluster: TestCluster, by loss: (String) async throws -> Void
    ) async throws {
        let whole = request.method == "beam" ? try await run(request, on: cluster) : nil
        if let whole { #expect(whole.scored == 0 && whole.job.statistics.rounds > 200, "\(whole.job.statistics)") }
        try cluster.startVerifier("verifier-2", model: target)
        try await cluster.until("the helper is there") { try await $0.status().verifiers == 2 }
        let id = try await cluster.submit(request)
        let home = try await cluster.verifier(of: id)
        #expect(home == "verifier-1")
        // It computes for this job alone.
        try await cluster.until("the helper computes") { coordinator in
            try await coordinator.nodes().contains { $0.name == "verifier-2" && $0.passingMicroseconds > 0 }
        }
        // Trees are lent in every round from now on, which then waits for their rows. What is known of rounds may be
        // older; what is known next is not, and what comes on top of that has been scored by both.
        for _ in 1...2 {
            let known = try await cluster.withClient { try await rounds($0) }
            try await cluster.until("there are more rounds") { try await rounds($0) > known }
        }
        try await loss("verifier-2")
        #expect(try await cluster.withClient { try await $0.job(id).state } == "running", "lost too late")
        let job = try await cluster.end(of: id)
        #expect(job.state == "done" && job.verifiers == [home] && job.statistics.attempts == 1)
        #expect(try await cluster.helped(id) > 0, "nothing was lent")
        if let whole {
            #expect(job.answers == whole.job.answers)
        } else {
            // What a drafter drafts in time differs from run to run.
            try checkRows(job, request, answersMax: 1, oracle: try PlainDecoder(target))
        }
    }

    /// Those of the jobs that run, as their verifier last told.
    private static func rounds(_ coordinator: CoordinatorClient) async throws -> Int {
        try await coordinator.status().pairs.reduce(0) { $0 + $1.rounds }
    }
}

import Foundation
import NacreAPI
import NacreClient
import Testing

/// Coordinator, verifiers and drafters on hosts of their own, with a network between them that is slow and can fail: a
/// host that disappears says no goodbye and closes no connection.
@Suite(.serialized, .enabled(if: HostNetwork.obstacle == nil, "\(HostNetwork.obstacle ?? "")"))
struct HostTests {
    @Test("with a drafter 2 ms away every method gives the text of plain decoding")
    func far() async throws {
        let plain = try PlainDecoder(Jobs.target)
        let prompts = Array(try Jobs.identityPrompts().prefix(2))
        let expected = try prompts.map { try plain.greedy($0, tokensMax: 64) }
        try await HostNetwork.with(verifiers: 1, drafters: 1, delay: .milliseconds(2)) { network in
            try await TestCluster.with(on: network) { cluster in
                for method in Jobs.speculating {
                    let requests = prompts.map { prompt in
                        var request = JobRequest(prompt: prompt).with(method: method)
                        request.maxTokens = 64
                        return request
                    }
                    let jobs = try await cluster.withClient { try await $0.runAll(requests, atOnce: 1) }
                    #expect(jobs.map(\.document.tokens) == expected, "\(method)")
                    let statistics = jobs.map(\.document.statistics)
                    #expect(statistics.contains { $0.accepted > 0 }, "\(method): \(statistics)")
                    // The one bound that no machine can miss: a verdict and its answer cross the network.
                    let wire = statistics.map(\.wireMicroseconds).reduce(0, +)
                    #expect(method != "speculative" || wire >= 4_000, "the network was not slow: \(statistics)")
                }
            }
        }
    }

    @Test("two verifiers and two drafters on hosts of their own work on one job")
    func together() async throws {
        try await HostNetwork.with(verifiers: 2, drafters: 2, delay: .microseconds(100)) { network in
            try await TestCluster.with(verifiers: 2, drafters: 2, on: network) { cluster in
                var request = Jobs.endless(300)
                let plain = try await cluster.whole(request)
                request.helpers = 1
                request.drafters = 2
                for tree in ["chain", "best"] {
                    request.tree = tree
                    let id = try await cluster.submit(request)
                    // A home that computes a sixth of the time: what its helper does comes early enough to be of use.
                    let home = cluster[try await cluster.verifier(of: id)]
                    let job = try await Self.whileBusy(home) { try await cluster.end(of: id) }
                    #expect(job.tokens == plain.tokens && job.state == "done", "\(tree)")
                    #expect(job.statistics.shardsUsed > 0 && job.statistics.accepted > 0, "\(tree): \(job.statistics)")
                }
                #expect(cluster.casualties == [])
            }
        }
    }

    @Test("the drafter's host disappears: all methods go on, with the same tokens")
    func drafterGone() async throws {
        try await HostNetwork.with(verifiers: 1, drafters: 1, delay: .milliseconds(2)) { network in
            try await TestCluster.with(on: network) { cluster in
                let plain = try await cluster.whole(Jobs.endless(600))
                var ids: [String] = []
                for method in Jobs.speculating {
                    ids.append(try await cluster.submit(Jobs.endless(600, method: method)))
                }
                for id in ids { try await cluster.withClient { try await $0.reach(60, of: id) } }
                try await network.unplug("drafter-1")
                for (id, method) in zip(ids, Jobs.speculating) {
                    let job = try await cluster.end(of: id)
                    #expect(job.tokens == plain.tokens && job.state == "done", "\(method)")
                    // The free-running method waits for nobody: it may be done before the silence is long. Then it
                    // was short of drafts, which otherwise are more than the text has tokens.
                    let statistics = job.statistics
                    let isShort = method == "stream" && statistics.drafted < job.outputTokens
                    #expect(statistics.draftersLost >= 1 || isShort, "\(method): \(statistics)")
                    #expect(statistics.drafted > 0, "\(method) had no drafter to lose")
                }
            }
        }
    }

    @Test("the helper's host disappears once it has scored: its home goes on, with the same texts")
    func helperGone() async throws {
        // Beams: of these a share is lent for every pass, however fast passes are, and each waits for what was lent.
        let request = DividedBeamsTests.job("beam", seed: 9, tokens: 1_200)
        try await PatchedModel.withFolder { folder in
            let target = try PatchedModel.endless(Jobs.target, in: folder)
            try await HostNetwork.with(verifiers: 2, drafters: 0, delay: .microseconds(100)) { network in
                try await TestCluster.with(verifiers: 0, drafters: 0, on: network) { cluster in
                    try cluster.startVerifier("verifier-1", model: target)
                    try await cluster.until("it is there") { try await $0.status().ready }
                    try await DividedBeamsTests.lose(request, target, on: cluster) { try await network.unplug($0) }
                }
            }
        }
    }

    @Test("the helper's host disappears, whatever it has scored: a text that streams goes on with the same tokens")
    func streamHelperGone() async throws {
        try await HostNetwork.with(verifiers: 2, drafters: 1, delay: .microseconds(100)) { network in
            try await TestCluster.with(verifiers: 2, on: network) { cluster in
                var request = Jobs.endless(1_200)
                let whole = try await cluster.whole(request)
                // A fixed length, since the governor may see that this pair gains nothing here. How many drafts a pass
                // leaves for the helper is up to how fast the machine's passes are: it may be none.
                (request.method, request.gamma, request.tree, request.helpers) = ("stream", 8, "best", 1)
                let id = try await cluster.submit(request)
                try await cluster.withClient { try await $0.reach(120, of: id) }
                let home = try await cluster.verifier(of: id)
                try await network.unplug(home == "verifier-1" ? "verifier-2" : "verifier-1")
                let job = try await cluster.end(of: id)
                #expect(job.tokens == whole.tokens && job.state == "done")
                #expect(job.verifiers == [home] && job.statistics.attempts == 1)
            }
        }
    }

    @Test("the verifier's host disappears: another one goes on; without one the job waits until a host is back")
    func verifierGone() async throws {
        try await HostNetwork.with(verifiers: 2, drafters: 1, delay: .milliseconds(2)) { network in
            try await TestCluster.with(verifiers: 2, drafters: 0, on: network) { cluster in
                // It has room for one job: what the lost verifier had there must be given back.
                try cluster.startDrafter("drafter-1", arguments: ["--slots", "1"])
                try await cluster.until("it is there") { try await $0.status().drafters == 1 }
                let request = Jobs.endless(1_200)
                let whole = try await cluster.whole(request)
                let id = try await cluster.submit(request)
                try await cluster.withClient { try await $0.reach(60, of: id) }
                let first = try await cluster.verifier(of: id)
                try await network.unplug(first)
                let job = try await cluster.end(of: id)
                #expect(job.tokens == whole.tokens && job.text == whole.text && job.state == "done")
                #expect(job.statistics.attempts == 2 && job.verifiers.first == first && Set(job.verifiers).count == 2)
                try await cluster.until("the drafter has forgotten the lost one") { coordinator in
                    try await coordinator.run(Jobs.endless(200)).document.statistics.accepted > 0
                }
                let other = try #require(job.verifiers.last)
                let late = try await cluster.submit(request)
                try await cluster.withClient { try await $0.reach(60, of: late) }
                try await network.unplug(other)
                try await cluster.until("the job waits") { try await $0.job(late).state == "queued" }
                let waiting = try await cluster.withClient { try await $0.job(late).waiting }
                #expect(waiting?.hasSuffix("goes on when a verifier of the same weights is there") == true)
                try await network.plug(first)
                let resumed = try await cluster.end(of: late)
                #expect(resumed.tokens == whole.tokens && resumed.state == "done")
                #expect(resumed.verifiers == [other, first])
            }
        }
    }

    /// Runs `body` while the process has its host for itself only a sixth of the time.
    private static func whileBusy<Result: Sendable>(
        _ process: ChildProcess, _ body: () async throws -> Result
    ) async throws -> Result {
        // Cancelled when `body` is done. Nobody awaits it: it ends by itself then, and with the process running.
        let pauses = Task {
            while !Task.isCancelled {
                process.signal(SIGSTOP)
                try? await Task.sleep(for: .milliseconds(20))
                process.signal(SIGCONT)
                try? await Task.sleep(for: .milliseconds(4))
            }
        }
        defer { pauses.cancel() }
        return try await body()
    }
}

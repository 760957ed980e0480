import Foundation
import NacreAPI
import NacreClient
import Testing

/// Verifiers that die or hang: their jobs go on elsewhere from the committed tokens, with the same noise.
@Suite(.serialized) struct VerifierFailureTests {
    @Test("kill -9 of the verifier: another one goes on, and the output is the same", arguments: Jobs.methods)
    func killed(method: String) async throws {
        try await TestCluster.with(verifiers: 2) { cluster in
            let request = Jobs.endless(600, method: method)
            let whole = try await cluster.whole(request)
            let id = try await cluster.submit(request)
            try await cluster.withClient { try await $0.reach(40, of: id) }
            let first = try await cluster.verifier(of: id)
            try await cluster.kill(first)
            let job = try await cluster.end(of: id)
            #expect(job.tokens == whole.tokens && job.text == whole.text && job.state == "done")
            #expect(job.statistics.attempts == 2 && job.verifiers.first == first)
            #expect(Set(job.verifiers) == ["verifier-1", "verifier-2"])
        }
    }

    @Test("a verifier that hangs beyond its lease is replaced, and is not believed when it comes back")
    func hangs() async throws {
        try await TestCluster.with(verifiers: 2) { cluster in
            let request = Jobs.endless(1_200)
            let whole = try await cluster.whole(request)
            let id = try await cluster.submit(request)
            try await cluster.withClient { try await $0.reach(40, of: id) }
            let first = try await cluster.verifier(of: id)
            cluster[first].signal(SIGSTOP)
            try await cluster.until("the job goes on elsewhere") { try await $0.job(id).verifiers.count == 2 }
            // What it had decided when it stopped comes now, from an attempt that is over.
            cluster[first].signal(SIGCONT)
            let job = try await cluster.end(of: id)
            #expect(job.tokens == whole.tokens && job.state == "done" && job.statistics.attempts == 2)
            #expect(Set(job.verifiers) == ["verifier-1", "verifier-2"])
            try await cluster.until("it registers again") { try await $0.status().verifiers == 2 }
            let short = Jobs.endless(300)
            let next = try await cluster.withClient { try await $0.runAll([short, short]) }
            #expect(next.allSatisfy { $0.document.tokens == Array(whole.tokens.prefix(300)) })
            #expect(Set(next.flatMap(\.document.verifiers)) == ["verifier-1", "verifier-2"])
        }
    }

    @Test("when all verifiers are gone jobs wait, and go on when one registers")
    func allGone() async throws {
        try await TestCluster.with { cluster in
            let request = Jobs.endless(1_200)
            let whole = try await cluster.whole(request)
            let id = try await cluster.submit(request)
            try await cluster.withClient { try await $0.reach(40, of: id) }
            try await cluster.kill("verifier-1")
            try await cluster.until("the job waits") { try await $0.job(id).state == "queued" }
            let late = try await cluster.submit(Jobs.endless(300))
            let isReady = try await cluster.withClient { try await $0.status().ready }
            #expect(!isReady)
            try cluster.startVerifier("verifier-2")
            let (resumed, begun) = (try await cluster.end(of: id), try await cluster.end(of: late))
            let jobs = [resumed, begun]
            #expect(jobs.allSatisfy { $0.state == "done" })
            #expect(jobs.map(\.tokens) == [whole.tokens, Array(whole.tokens.prefix(300))])
            #expect(jobs.map(\.verifiers) == [["verifier-1", "verifier-2"], ["verifier-2"]])
            #expect(jobs.map(\.statistics.attempts) == [2, 1])
        }
    }

    @Test("a client that watches a job sees its text once, whole and in order, across verifiers")
    func watched() async throws {
        try await TestCluster.with(verifiers: 2) { cluster in
            // Long: on a busy machine the client may be hundreds of tokens behind when it asks where the job is.
            let request = Jobs.endless(1_200)
            let whole = try await cluster.whole(request)
            try await cluster.withClient { coordinator in
                var (shown, tokens, lost) = ("", [UInt32](), false)
                for try await event in try await coordinator.stream(request) {
                    switch event {
                    case .started: break
                    case .tokens(let part):
                        #expect(part.start == tokens.count)
                        tokens += part.tokens
                        shown += part.text
                        if !lost && tokens.count > 40, let id = try await coordinator.jobs().last?.id {
                            lost = true
                            try await cluster.kill(try await cluster.verifier(of: id))
                        }
                    case .ended(let job): #expect(job.statistics.attempts == 2 && job.state == "done")
                    }
                }
                #expect(shown == whole.text && tokens == whole.tokens)
            }
        }
    }
}

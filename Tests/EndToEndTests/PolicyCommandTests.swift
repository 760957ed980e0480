import NacreAPI
import NacreClient
import TestStatistics
import Testing

/// Draft-length policies through real processes: every one of them, set while jobs run, and by whom.
@Suite(.serialized) struct PolicyCommandTests {
    private static let policies = [
        "goodput", "fixed:gamma=3", "ratio", "threshold:theta=0.5", "threshold:theta=0.5,keep=0", "heuristic",
        "adaedl:lambda=0.4", "svip", "thompson", "ema",
    ]

    /// Where tests are not thorough, each policy with a method either greedily or sampled.
    @Test("under every policy and method the tokens are those of plain decoding, greedy and sampled")
    func identity() async throws {
        try await TestCluster.with { cluster in
            for (number, temperature) in [0.0, 0.8].enumerated() {
                var request = JobRequest(prompt: "import os\n\n\ndef walk(path):\n")
                (request.maxTokens, request.temperature, request.seed) = (96, temperature, 11)
                let requests =
                    [request.with(method: Jobs.plain)]
                    + Self.policies.flatMap { policy in
                        Jobs.speculating.map { method in
                            var other = request.with(method: method)
                            other.policy = policy
                            return other
                        }
                    }.covering { ($0 + number) % 2 == 0 }
                let jobs = try await cluster.withClient { try await $0.runAll(requests, atOnce: 4) }
                for (request, job) in zip(requests, jobs) {
                    let name = "\(request.method ?? "") \(request.policy ?? "") at \(temperature)"
                    #expect(job.document.tokens == jobs[0].document.tokens, "\(name)")
                    #expect(job.document.policy == request.policy ?? "goodput", "\(name)")
                }
            }
        }
    }

    @Test("a policy set by command reaches a running job and those that come, and is named with who set it")
    func set() async throws {
        try await TestCluster.with { cluster in
            let request = Jobs.endless(1_200, method: "speculative")
            let plain = try await cluster.whole(request)
            let id = try await cluster.submit(request)
            try await cluster.withClient { try await $0.reach(40, of: id) }
            let done = try await cluster.nacre("policy", "set", "default", "threshold", "theta=1", "max=1", "--json")
            #expect(done.status == 0, "\(done.errors)")
            let list = try await cluster.withClient { try await $0.policies() }
            let entry = try #require(list.policies.first { $0.scope == "default" })
            #expect(entry.policy == "threshold:theta=1,max=1" && entry.setBy.contains("@"))
            let running = try await cluster.withClient { try await $0.job(id) }
            #expect(running.policy == entry.policy && running.policySetBy == entry.setBy)
            let changed = try await cluster.end(of: id)
            #expect(changed.tokens == plain.tokens && changed.state == "done")
        }
    }

    @Test("policies that are tuned while jobs run change no token")
    func auto() async throws {
        try await TestCluster.with { cluster in
            let request = Jobs.endless(900, method: "speculative")
            let plain = try await cluster.whole(request)
            let done = try await cluster.nacre("policy", "set", "default", "auto", "--json")
            #expect(done.status == 0 && done.output.contains(#""policy":"auto""#), "\(done)")
            let jobs = try await cluster.withClient { try await $0.runAll([request, request], atOnce: 2) }
            for job in jobs {
                #expect(job.document.tokens == plain.tokens && job.document.policySetBy.hasSuffix("(auto)"))
            }
        }
    }

    @Test("what is no policy, no pair or no use is refused with what is")
    func refused() async throws {
        let refusals = [
            (["policy", "set", "default", "fastest"], "goodput"),
            (["policy", "set", "default", "svip", "h=900"], "0 to"),
            (["policy", "set", "a/b", "svip"], "pycode-"),
            (["policy", "show", "svipp"], "svip"),
            (["run", "a", "--policy", "svip", "--gamma", "3"], "not both"),
            (["run", "a", "--policy", "svip", "--tree", "2,2"], "tree chain"),
        ]
        try await TestCluster.with { cluster in
            for (arguments, words) in refusals {
                let result = try await Command.run("nacre", arguments + ["--coordinator", "\(cluster.http)"])
                #expect(result.status == 2 && result.errors.contains(words), "\(arguments): \(result.errors)")
            }
        }
    }
}

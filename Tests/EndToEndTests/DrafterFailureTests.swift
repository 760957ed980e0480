import Foundation
import NacreAPI
import NacreClient
import Testing

/// Drafters that die, hang or lie: they can make a job slower, never different.
@Suite(.serialized) struct DrafterFailureTests {
    @Test("kill -9 of the drafter: the job goes on with the same tokens, in every method")
    func killed() async throws {
        try await TestCluster.with { cluster in
            let whole = try await cluster.whole(Jobs.endless(600))
            for (number, method) in Jobs.speculating.enumerated() {
                let drafter = "drafter-\(number + 1)"
                let job = try await cluster.disturb(Jobs.endless(600, method: method)) {
                    try await cluster.kill(drafter)
                    try cluster.startDrafter("drafter-\(number + 2)")
                }
                #expect(job.tokens == whole.tokens, "\(method)")
                // The coordinator may offer the dead one once more before it hears of its death.
                #expect(job.state == "done" && job.statistics.draftersLost >= 1, "\(method)")
                try await cluster.untilDrafters(are: "drafter-\(number + 2)")
            }
        }
    }

    @Test("a job whose drafter was killed takes up the next one that registers")
    func takenUp() async throws {
        try await TestCluster.with { cluster in
            let whole = try await cluster.whole(Jobs.endless(900))
            var number = 1
            try await cluster.until("a job is drafted for by the second drafter") { coordinator in
                // The first one is hired and does nothing, so that all drafts are the second one's.
                cluster["drafter-\(number)"].signal(SIGSTOP)
                let job = try await cluster.disturb(Jobs.endless(900)) {
                    try await cluster.kill("drafter-\(number)")
                    number += 1
                    try cluster.startDrafter("drafter-\(number)")
                }
                #expect(job.tokens == whole.tokens && job.statistics.draftersLost >= 1)
                try await cluster.untilDrafters(are: "drafter-\(number)")
                // On a machine so fast that the job was over before the drafter was there, the next job tells.
                return job.statistics.drafted > 0 && job.statistics.accepted > 0
            }
        }
    }

    @Test("a drafter that hangs costs its jobs a second, and no token")
    func hangs() async throws {
        try await TestCluster.with { cluster in
            let whole = try await cluster.whole(Jobs.endless(600))
            // One after the other, so that each method meets the silence by itself.
            for (number, method) in Jobs.speculating.enumerated() {
                let drafter = "drafter-\(number + 1)"
                let job = try await cluster.disturb(Jobs.endless(600, method: method)) {
                    cluster[drafter].signal(SIGSTOP)
                }
                #expect(job.tokens == whole.tokens && job.state == "done", "\(method)")
                // The free-running method does not wait for anybody: it may be done before the silence is long.
                #expect(job.statistics.draftersLost >= (method == "stream" ? 0 : 1), "\(method)")
                try await cluster.kill(drafter)
                try cluster.startDrafter("drafter-\(number + 2)")
                try await cluster.untilDrafters(are: "drafter-\(number + 2)")
            }
        }
    }

    @Test("a drafter that hangs and comes back is taken up again")
    func comesBack() async throws {
        try await TestCluster.with { cluster in
            let request = Jobs.endless(300)
            let before = try await cluster.withClient { try await $0.run(request).document }
            cluster["drafter-1"].signal(SIGSTOP)
            let alone = try await cluster.withClient { try await $0.run(request).document }
            cluster["drafter-1"].signal(SIGCONT)
            try await cluster.until("it is there") { try await $0.status().drafters == 1 }
            var after = alone
            // It is offered again at once, but may still be reading what came while it stood still.
            try await cluster.until("it drafts") { coordinator in
                after = try await coordinator.run(request).document
                return after.statistics.accepted > 0
            }
            #expect([alone.tokens, after.tokens] == [before.tokens, before.tokens])
        }
    }

    @Test(
        "a drafter with random weights changes nothing",
        .enabled(if: SyntheticModel.random != nil, "needs Python packages: see what Scripts/python says"))
    func lies() async throws {
        let liar = try #require(SyntheticModel.random)
        try await TestCluster.with(drafters: 0) { cluster in
            try cluster.startDrafter("liar", model: liar)
            try await cluster.until("it is there") { try await $0.status().drafters == 1 }
            try await cluster.withClient { coordinator in
                let seeds: [UInt64] = [1, 2, 3]
                let plain = try await coordinator.runAll(seeds.map { Jobs.endless(120, method: Jobs.plain, seed: $0) })
                for method in Jobs.speculating {
                    let others = try await coordinator.runAll(seeds.map { Jobs.endless(120, method: method, seed: $0) })
                    #expect(Jobs.differences(plain, others) == [], "\(method)")
                    let statistics = others.map(\.document.statistics)
                    #expect(statistics.allSatisfy { $0.judged > 0 && $0.accepted * 4 < $0.judged }, "\(method)")
                }
            }
        }
    }
}

extension TestCluster {
    /// Submits the job, does `disturbance` once it has put out some tokens, and waits for its end.
    fileprivate func disturb(
        _ request: JobRequest, _ disturbance: () async throws -> Void
    ) async throws -> JobDocument {
        let id = try await submit(request)
        try await withClient { try await $0.reach(60, of: id) }
        try await disturbance()
        return try await end(of: id)
    }

    /// Waits until the coordinator knows this drafter and no other.
    fileprivate func untilDrafters(are name: String) async throws {
        try await until("\(name) is the only drafter") { coordinator in
            try await coordinator.nodes().filter { $0.role == "drafter" }.map(\.name) == [name]
        }
    }
}

import Foundation
import NacreAPI
import NacreClient
import Testing

/// Drafters that die, hang or lie: they can make a job slower, never different.
@Suite(.serialized) struct DrafterFailureTests {
    @Test("kill -9 of the drafter: the job goes on with the same tokens, and takes up the next drafter")
    func killed() async throws {
        try await TestCluster.with { cluster in
            let plain = try await cluster.withClient { try await $0.run(Jobs.endless(1_200, method: Jobs.plain)) }
            for (number, method) in Jobs.speculating.enumerated() {
                let drafter = "drafter-\(number + 1)"
                let id = try await cluster.submit(Jobs.endless(1_200, method: method))
                try await cluster.until("\(drafter) drafts") { try await $0.jobs(of: drafter) > 0 }
                try await cluster.kill(drafter)
                try cluster.startDrafter("drafter-\(number + 2)")
                let job = try await cluster.end(of: id)
                #expect(job.tokens == plain.document.tokens, "\(method)")
                #expect(job.state == "done" && job.statistics.draftersLost == 1, "\(method)")
                try await cluster.until("the next drafter is there") { try await $0.status().drafters == 1 }
            }
        }
    }

    @Test("a job that began alone takes up a drafter as soon as one registers", arguments: Jobs.speculating)
    func takenUp(method: String) async throws {
        try await TestCluster.with(drafters: 0) { cluster in
            let request = Jobs.endless(1_600, method: method)
            let id = try await cluster.submit(request)
            try await cluster.withClient { try await $0.reach(1, of: id) }
            try cluster.startDrafter("drafter-1")
            let job = try await cluster.end(of: id)
            #expect(job.statistics.drafted > 0 && job.statistics.accepted > 0)
            let plain = try await cluster.withClient { try await $0.run(request.with(method: Jobs.plain)).document }
            #expect(job.tokens == plain.tokens)
        }
    }

    @Test("a drafter that hangs costs its jobs a second, and no token")
    func hangs() async throws {
        try await TestCluster.with { cluster in
            let plain = try await cluster.withClient { try await $0.run(Jobs.endless(1_200, method: Jobs.plain)) }
            // One after the other, so that each method meets the silence by itself.
            for (number, method) in Jobs.speculating.enumerated() {
                let drafter = "drafter-\(number + 1)"
                let id = try await cluster.submit(Jobs.endless(1_200, method: method))
                try await cluster.until("\(drafter) drafts") { try await $0.jobs(of: drafter) > 0 }
                cluster[drafter].signal(SIGSTOP)
                let job = try await cluster.end(of: id)
                #expect(job.tokens == plain.document.tokens, "\(method)")
                #expect(job.state == "done" && job.statistics.draftersLost >= 1, "\(method)")
                try await cluster.kill(drafter)
                try cluster.startDrafter("drafter-\(number + 2)")
                try await cluster.until("the next drafter is alone") { coordinator in
                    try await coordinator.nodes().filter { $0.role == "drafter" }.map(\.name) == ["drafter-\(number + 2)"]
                }
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

import NacreCore
import NacreEngine
import Testing

/// How a verifier's threads are divided, and how that is measured.
@Suite struct ShardRuleTests {
    /// Passes of 1, 2, 4 and 8 nodes, in microseconds.
    private static func division(_ shards: Int, _ times: [Double]) -> ShardRule.Division {
        ShardRule.Division(shards: shards, costs: costs(times))
    }

    private static func costs(_ times: [Double], spread: Double = 0) -> [PassCost] {
        zip(ShardCalibration.sizes, times).map { PassCost(nodes: $0, microseconds: $1, spread: spread) }
    }

    @Test("tokens per second add up over the shards")
    func rates() {
        let wide = Self.division(1, [1_000, 1_500, 2_000, 3_000])
        #expect(wide.tokensPerSecond(jobs: 1) == 1_000)
        #expect(wide.tokensPerSecond(jobs: 4) == 2_000)
        let two = Self.division(2, [2_000, 2_500, 3_200, 5_000])
        #expect(two.tokensPerSecond(jobs: 1) == 500, "a lone job has one shard")
        #expect(two.tokensPerSecond(jobs: 2) == 1_000)
        #expect(two.tokensPerSecond(jobs: 4) == 1_600)
        // Two jobs on one shard, one on the other.
        #expect(abs(two.tokensPerSecond(jobs: 3) - (2e6 / 2_500 + 1e6 / 2_000)) < 1e-9)
    }

    @Test("a lone job gets the widest pass, whatever is measured for many")
    func lone() {
        let wide = Self.division(1, [1_000, 2_000, 4_000, 8_000])
        let two = Self.division(2, [1_100, 1_100, 1_100, 1_100])
        #expect(ShardRule.shards(of: [wide, two], slots: 1) == 1)
        #expect(ShardRule.shards(of: [wide, two], slots: 8) == 2)
    }

    @Test("all loads up to the slots count alike: what is won with many jobs must be more than a lone one loses")
    func loads() {
        let wide = Self.division(1, [1_000, 2_000, 4_000, 8_000])
        // Two shards win `factor` with 2, 4 and 8 jobs, and give a lone job half of that.
        func two(_ factor: Double) -> ShardRule.Division {
            Self.division(2, [2_000, 4_000, 8_000].map { $0 / factor })
        }
        #expect(abs(ShardRule.gain(of: two(1.3), over: wide, slots: 8) - 1.3 * 0.8409) < 1e-3, "4 ratios, one halved")
        #expect(ShardRule.shards(of: [wide, two(1.3)], slots: 8) == 2)
        #expect(ShardRule.shards(of: [wide, two(1.15)], slots: 8) == 1)
        #expect(ShardRule.shards(of: [wide, two(1.3)], slots: 2) == 1, "one load of two is a lone job")
    }

    @Test("what is hardly faster is not taken, nor more shards than slots, nor anything without a wide pass")
    func refused() {
        let wide = Self.division(1, [1_000, 2_000, 4_000, 8_000])
        // A lone job is as fast as in one pass, two jobs together 4 % faster: 2 % on the mean.
        let hardly = Self.division(2, [1_000, 1_925, 3_846, 7_692])
        let near = Self.division(1, [1_000, 1_040, 3_000, 6_000])
        let gain = ShardRule.gain(of: hardly, over: near, slots: 2)
        #expect(gain > 1.01 && gain < 1.03)
        #expect(ShardRule.shards(of: [near, hardly], slots: 2) == 1)
        #expect(ShardRule.shards(of: [Self.division(1, [1_000, 1_080, 3_000, 6_000]), hardly], slots: 2) == 2)
        let free = Self.division(4, [100, 100, 100, 100])
        #expect(ShardRule.shards(of: [wide, free], slots: 3) == 1)
        #expect(ShardRule.shards(of: [wide, free], slots: 4) == 4)
        #expect(ShardRule.shards(of: [free], slots: 8) == 1)
        #expect(ShardRule.shards(of: [], slots: 8) == 1)
    }

    @Test("the best of several divisions is taken, of equals the one with fewer shards")
    func best() {
        let wide = Self.division(1, [1_000, 2_000, 4_000, 8_000])
        let two = Self.division(2, [1_000, 1_000, 2_000, 4_000])
        let four = Self.division(4, [1_000, 1_000, 1_000, 2_000])
        #expect(ShardRule.shards(of: [wide, two], slots: 8) == 2)
        #expect(ShardRule.shards(of: [wide, two, four], slots: 8) == 4)
        #expect(ShardRule.shards(of: [wide, two, four], slots: 2) == 2)
    }

    @Test("a table whose measurements disagree decides for one shard, whatever it promises")
    func disagreeing() {
        func division(_ shards: Int, _ times: [Double], spread: Double) -> ShardRule.Division {
            ShardRule.Division(shards: shards, costs: Self.costs(times, spread: spread))
        }
        let times = (wide: [1_000.0, 2_000, 4_000, 8_000], two: [1_000.0, 1_000, 2_000, 4_000])
        let (calm, busy) = (division(1, times.wide, spread: 0.14), division(1, times.wide, spread: 0.16))
        #expect(ShardRule.shards(of: [calm, division(2, times.two, spread: 0.14)], slots: 8) == 2)
        #expect(ShardRule.shards(of: [busy, division(2, times.two, spread: 0)], slots: 8) == 1)
        #expect(ShardRule.shards(of: [calm, division(2, times.two, spread: 0.16)], slots: 8) == 1)
        #expect(ShardRule.disturbance(of: [calm]) == nil)
        let reason = ShardRule.disturbance(of: [calm, division(2, times.two, spread: 0.5)])
        #expect(reason?.contains("50 % longer than the fastest") == true && reason?.hasSuffix("2 shards") == true)
    }

    @Test("a time that no kernel explains decides for one shard; the steps that kernels make do not")
    func implausible() {
        let two = Self.division(2, [1_000, 1_000, 2_000, 4_000])
        func shards(_ wide: [Double]) -> Int { ShardRule.shards(of: [Self.division(1, wide), two], slots: 8) }
        #expect(shards([1_000, 2_000, 4_000, 8_000]) == 2)
        // Two nodes at 1.8 and four at 1.3 times the time of one: interleaved weights.
        #expect(shards([2_000, 3_600, 2_600, 5_200]) == 2)
        // A peak on each size.
        #expect(shards([4_100, 2_000, 2_700, 8_000]) == 1)
        #expect(shards([1_000, 6_100, 4_000, 8_000]) == 1)
        #expect(shards([1_000, 2_000, 12_100, 8_000]) == 1)
        #expect(shards([1_000, 2_000, 4_000, 12_100]) == 1)
        #expect(Self.costs([1_000, 6_100, 4_000, 8_000]).disturbance?.contains("a pass of 2 tokens") == true)
        #expect(Self.costs([1_000, 2_000, 4_000, 12_100]).disturbance?.contains("a pass of 8 tokens") == true)
    }

    @Test("the spread is that of the median over the fastest, and one measurement has none")
    func spread() {
        #expect(PassCost(nodes: 2, repeats: [300]) == PassCost(nodes: 2, microseconds: 300, spread: 0))
        #expect(PassCost(nodes: 2, repeats: [250, 200]) == PassCost(nodes: 2, microseconds: 200, spread: 0.25))
        // One slow round among many is not the machine's state.
        #expect(PassCost(nodes: 2, repeats: [200, 900, 225, 200, 900]).spread == 0.125)
    }

    @Test("every division is measured at every size, and the caches are left empty")
    func measuring() async throws {
        let model = TabularModel.hashed(vocabulary: 64, seed: 3, endEvery: 24)
        func host() async throws -> EngineHost<ReferenceEngine> {
            try await EngineHost.start(name: "test") { () throws(EngineError) in
                ReferenceEngine(model: model, contextCells: 96, sequences: 2, nodesMax: 96)
            }
        }
        let divisions = [[try await host()], [try await host(), try await host()]]
        let measured = try await ShardCalibration.measure(divisions, budget: .zero)
        #expect(measured.map(\.shards) == [1, 2])
        for division in measured {
            #expect(division.costs.map(\.nodes) == ShardCalibration.sizes)
            #expect(division.costs.allSatisfy { $0.microseconds > 0 && $0.microseconds.isFinite })
        }
        for host in divisions.joined() {
            let length = try await host.withEngine { (engine) throws(EngineError) in engine.cached(0).count }
            #expect(length == 0)
            await host.shutdown()
        }
    }

    @Test("an engine that fails is an error of the measurement")
    func failing() async throws {
        let model = TabularModel.hashed(vocabulary: 64, seed: 3, endEvery: 24)
        let host = try await EngineHost.start(name: "test") { () throws(EngineError) in
            ReferenceEngine(model: model, contextCells: 96, sequences: 2, nodesMax: 96)
        }
        await host.shutdown()
        await #expect(throws: EngineError.self) { try await ShardCalibration.measure([[host]], budget: .zero) }
    }
}

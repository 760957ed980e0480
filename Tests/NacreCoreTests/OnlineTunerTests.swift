import NacreCore
import RealModule
import Testing

/// The tuner of running jobs, on speeds that are made up.
@Suite struct OnlineTunerTests {
    /// Steps of one to four tokens whose times are those of the policy in force, with noise.
    private struct World {
        var tuner: OnlineTuner
        /// Tokens per second of each policy.
        var speeds: [Double]
        let noise: Double
        let random: PositionalRandom
        var step = 0
        var tokens = 0.0
        /// Tokens that the incumbent would have made during trials, less those that were made; where that is positive.
        var lost = 0.0
        var trials = 0
        /// Tokens by policy.
        var by: [Double]

        init(_ speeds: [Double], noise: Double, seed: UInt64) {
            (self.speeds, self.noise) = (speeds, noise)
            tuner = OnlineTuner(arms: speeds.count)
            random = PositionalRandom(key: StreamKey(rawValue: seed))
            by = Array(repeating: 0, count: speeds.count)
        }

        mutating func run(_ steps: Int) {
            for _ in 0..<steps {
                step += 1
                let uniform = random.uniform(at: step, lane: .policy)
                let tokens = Double(1 + Int(random.uniform(at: step, lane: .draft) * 4))
                let speed = speeds[tuner.current] * .exp(noise * (2 * uniform - 1))
                let (isTrial, incumbent, tried) = (tuner.trial != nil, speeds[tuner.incumbent], tuner.current)
                // As a shell asks ten times a second.
                var left = tokens / speed
                var waited = 0.0
                var stopped = false
                while left > 0.1, !stopped {
                    left -= 0.1
                    waited += 0.1
                    if tuner.mustStop(after: waited) {
                        tuner.stop(after: waited)
                        stopped = true
                    }
                }
                let took = stopped ? waited : tokens / speed
                let made = stopped ? 0 : tokens
                if !stopped { tuner.record(tokens: made, seconds: took) }
                if isTrial {
                    // By the true speeds: noise is not lost by trying.
                    lost += stopped ? incumbent * took : max(0, incumbent - speeds[tried]) * took
                    if tuner.trial == nil { trials += 1 }
                }
                self.tokens += made
                by[tried] += made
                if step.isMultiple(of: 400) { tuner.leave() }
            }
        }
    }

    @Test("exploration loses less than 3 % of the tokens, whatever the policies are", arguments: 0..<24)
    func bounded(seed: Int) {
        let random = PositionalRandom(key: StreamKey(rawValue: UInt64(seed)))
        let terrible = [1.0, 0.5, 0.05, 0.005][seed % 4]
        let speeds = (0..<6).map { arm in
            40 * (arm == 3 ? terrible : 0.6 + 0.8 * random.uniform(at: arm, lane: .accept))
        }
        var world = World(speeds, noise: 0.2, seed: UInt64(seed))
        world.run(20_000)
        #expect(world.lost <= 0.03 * world.tokens, "\(world.lost) of \(world.tokens), \(speeds)")
        // It is not that nothing was tried.
        #expect(world.trials > 15)
    }

    @Test("a policy that is clearly faster takes over, and is kept", arguments: 0..<8 as Range<UInt64>)
    func finds(seed: UInt64) {
        var world = World([40, 36, 44, 52, 30, 2], noise: 0.2, seed: seed)
        world.run(20_000)
        world.by = Array(repeating: 0, count: 6)
        world.run(10_000)
        #expect(world.by[3] > 0.85 * world.by.reduce(0, +), "\(world.by)")
    }

    @Test("when the best one changes it is followed, for less than 3 %", arguments: 0..<8 as Range<UInt64>)
    func follows(seed: UInt64) {
        var world = World([40, 36, 52, 38, 0.5], noise: 0.2, seed: seed)
        world.run(30_000)
        world.speeds = [40, 60, 30, 38, 0.5]
        world.run(30_000)
        world.by = Array(repeating: 0, count: 5)
        world.run(10_000)
        #expect(world.by[1] > 0.85 * world.by.reduce(0, +), "\(world.by)")
        #expect(world.lost <= 0.03 * world.tokens)
    }

    @Test("between policies that are equal nothing is lost by changing")
    func equal() {
        var world = World([40, 40, 40], noise: 0.3, seed: 5)
        world.run(20_000)
        #expect(world.lost < 0.01 * world.tokens && world.trials > 50)
    }

    @Test("what trials cannot have shown is not taken for kept")
    func kept() throws {
        let pause = 96.0
        #expect(OnlineTuner.Arm(weight: 3, sum: -0.2, squares: 0.1, pause: pause) != nil)
        #expect(OnlineTuner.Arm(weight: 0, sum: 0, squares: 0, pause: pause) != nil)
        for (weight, sum, squares, pause) in [
            (-1, 0, 0, pause), (99, 0, 0, pause), (1, .infinity, 1, pause), (1, 0, -1, pause), (0, 1, 1, pause),
            (1, 0, 1, 1), (1, 0, 1, .nan),
        ] as [(Double, Double, Double, Double)] {
            #expect(OnlineTuner.Arm(weight: weight, sum: sum, squares: squares, pause: pause) == nil)
        }
        // What was slower is left alone for as long as before.
        let slower = try #require(OnlineTuner.Arm(weight: 8, sum: -4, squares: 2.5, pause: 6_144))
        var tuner = OnlineTuner(arms: [OnlineTuner.Arm(), slower], incumbent: 0)
        for _ in 0..<6_000 { tuner.record(tokens: 1, seconds: 0.01) }
        #expect(tuner.trial == nil)
        for _ in 0..<200 { tuner.record(tokens: 1, seconds: 0.01) }
        #expect(tuner.arms[1] != slower || tuner.trial == 1)
    }

    @Test("one policy is never tried, and what is no time is no step")
    func edges() {
        var tuner = OnlineTuner(arms: 1)
        for _ in 0..<1_000 { tuner.record(tokens: 1, seconds: 0.01) }
        #expect(tuner.trial == nil && tuner.current == 0)
        tuner.record(tokens: 1, seconds: .infinity)
        tuner.record(tokens: 0, seconds: 1)
        #expect(!tuner.mustStop(after: 100))
        tuner.stop()
        tuner.leave()
        #expect(tuner.incumbent == 0)
    }
}

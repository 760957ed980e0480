import NacreCore
import Testing

private func scenario(
    _ method: ClusterScenario.Method, _ policy: String = "goodput", alpha: Double = 0.8, fixed: Double = 90_000,
    perNode: Double = 10_000, draft: Double = 20_000, delay: Double = 0
) throws -> ClusterScenario {
    var scenario = ClusterScenario(
        method, policy: try PolicySpecification(parsing: policy),
        cost: StepCostModel(nodesMax: 256, priorFixed: fixed, perNode: perNode),
        draftCost: StepCostModel(nodesMax: 64, priorFixed: draft, perNode: 0), agreement: .bernoulli(alpha))
    scenario.link.delay = delay
    return scenario
}

@Suite("The event simulator")
struct ClusterSimulationTests {
    @Test("Equals the steady-state model within 2 %", arguments: ThroughputTests.goldens)
    func golden(golden: ThroughputTests.Golden) throws {
        func rate(_ method: ClusterScenario.Method, _ policy: String) throws -> Double {
            var scenario = try scenario(
                method, policy, alpha: golden.alpha, fixed: golden.fixed * 1e6, perNode: golden.perNode * 1e6,
                draft: golden.draft * 1e6, delay: golden.delay * 1e6)
            scenario.tokens = 60_000
            scenario.window = 256
            scenario.abortsDrafts = true
            return ClusterSimulation(scenario).run().tokensPerSecond
        }
        func near(_ value: Double, _ expected: Double) -> Bool { abs(value / expected - 1) < 0.02 }
        let speculative = try rate(.speculative, "fixed:gamma=4")
        #expect(near(speculative, golden.speculative), "SD \(speculative)")
        let stream = try rate(.stream, "fixed:gamma=7")
        #expect(near(stream, golden.stream), "STREAM \(stream)")
        // 10.4 takes every step of PEARL for as long as a post-verify, and adds the way to it. Here a pre-verify
        // evaluates one token, and the way lies beside the pass.
        let pearl = try rate(.pearl, "fixed:gamma=4")
        func pass(_ nodes: Double) -> Double { golden.fixed + golden.perNode * nodes }
        let window = 4 * golden.draft + 2 * golden.delay
        let posts = golden.alpha / (1 - golden.alpha * golden.alpha * golden.alpha * golden.alpha)
        let cycle = max(window, pass(1)) + posts * max(window, pass(4))
        #expect(near(pearl, 1 / (1 - golden.alpha) / cycle), "PEARL \(pearl)")
        if golden.perNode == 0, golden.delay == 0 { #expect(near(pearl, golden.pearl), "PEARL \(pearl)") }
    }

    @Test("Is autoregressive decoding without a drafter, by any method", arguments: ClusterScenario.Method.allCases)
    func withoutDrafter(method: ClusterScenario.Method) throws {
        var scenario = try scenario(method)
        scenario.drafters = 0
        scenario.tokens = 500
        #expect(abs(ClusterSimulation(scenario).run().tokensPerSecond - 10) < 1e-9)
        // Three jobs share each pass.
        scenario.jobs = 3
        #expect(abs(ClusterSimulation(scenario).run().tokensPerSecond - 3e6 / 120_000) < 1e-9)
    }

    @Test("More agreement is never slower", arguments: [ClusterScenario.Method.speculative, .pearl, .stream])
    func monotone(method: ClusterScenario.Method) throws {
        // A fixed length has its price where nothing agrees, unless a pass costs the same whatever it holds.
        for (policy, perNode) in [("goodput", 10_000.0), ("fixed:gamma=4", 0)] {
            var last = 0.0
            for step in 0...9 {
                var scenario = try scenario(
                    method, policy, alpha: Double(step) / 10, fixed: 100_000 - perNode, perNode: perNode, delay: 2_000)
                scenario.tokens = 4_000
                let rate = ClusterSimulation(scenario).run().tokensPerSecond
                // The seed is the same, so what agrees at a lower rate does at a higher one.
                #expect(rate > last * 0.99, "\(policy), alpha \(Double(step) / 10): \(rate) after \(last)")
                last = rate
            }
            #expect(last > 15)
        }
    }

    @Test("Decodes the same tokens whatever the method, the policy, the delays and the nodes")
    func identity() throws {
        var plain = try scenario(.autoregressive)
        plain.jobs = 5
        plain.tokens = 300
        let expected = ClusterSimulation(plain).run().tokens
        #expect(Set(expected.map(\.count)) == [300] && Set(expected.map { $0[7] }).count == 5)
        for (number, policy) in PolicySpecification.Name.allCases.enumerated() {
            for method in [ClusterScenario.Method.speculative, .pearl, .stream] {
                var scenario = try scenario(method, policy.rawValue, alpha: 0.6, draft: 5_000)
                scenario.jobs = 5
                scenario.tokens = 300
                scenario.verifiers = 1 + number % 2
                scenario.drafters = 1 + number % 3
                scenario.delaySeed = UInt64(number)
                scenario.abortsDrafts = number % 2 == 0
                scenario.isGoverned = number % 4 == 0
                scenario.link = ClusterScenario.Link(
                    delay: Double(number) * 10_000, jitter: 50_000, bytesPerSecond: number % 3 == 0 ? 10_000 : 0)
                let isSame = ClusterSimulation(scenario).run().tokens == expected
                #expect(isSame, "\(policy) \(method)")
            }
        }
    }

    @Test("The same scenario gives the same result; another delay seed other times")
    func replay() throws {
        var scenario = try scenario(.stream, delay: 5_000)
        scenario.link.jitter = 20_000
        let first = ClusterSimulation(scenario).run()
        #expect(ClusterSimulation(scenario).run().microseconds == first.microseconds)
        scenario.delaySeed = 2
        #expect(ClusterSimulation(scenario).run().microseconds != first.microseconds)
    }

    @Test("Delay, jitter and a thin link cost time, and no node is busy longer than there is")
    func links() throws {
        func result(_ change: (inout ClusterScenario.Link) -> Void) throws -> ClusterResult {
            var scenario = try scenario(.stream, "fixed:gamma=7")
            scenario.tokens = 4_000
            change(&scenario.link)
            return ClusterSimulation(scenario).run()
        }
        let free = try result { _ in }
        for slower in [
            try result { $0.delay = 30_000 }, try result { $0.jitter = 60_000 },
            try result { $0.bytesPerSecond = 2_000 },
        ] { #expect(slower.tokensPerSecond < free.tokensPerSecond * 0.97) }
        #expect(free.verifying <= free.microseconds && free.drafting <= free.microseconds * 1.01)
        // The verifier never waits.
        #expect(free.verifying > free.microseconds * 0.999)
        #expect(free.accepted <= free.judged && free.judged <= free.drafted)
    }

    @Test("More drafters help until each job has its own")
    func drafters() throws {
        func rate(_ drafters: Int) throws -> Double {
            var scenario = try scenario(.stream, perNode: 2_000)
            scenario.draftCost = StepCostModel(nodesMax: 8, priorFixed: 0, perNode: 20_000)
            scenario.jobs = 4
            scenario.tokens = 1_000
            scenario.drafters = drafters
            return ClusterSimulation(scenario).run().tokensPerSecond
        }
        let rates = try [1, 2, 4, 8].map(rate)
        #expect(rates[0] < rates[1] && rates[1] < rates[2] && abs(rates[3] / rates[2] - 1) < 1e-9)
    }

    @Test("A drafter slower than its target drafts what is decided already, and is of no use")
    func slowDrafter() throws {
        var scenario = try scenario(.stream, "fixed:gamma=4", alpha: 1, fixed: 100_000, perNode: 0, draft: 150_000)
        scenario.tokens = 200
        #expect(abs(ClusterSimulation(scenario).run().tokensPerSecond - 10) < 1e-9)
    }

    @Test("A thousand nodes answer")
    func thousand() throws {
        var scenario = try scenario(.stream, delay: 1_000)
        (scenario.jobs, scenario.tokens) = (2_000, 40)
        (scenario.verifiers, scenario.drafters) = (400, 600)
        let result = ClusterSimulation(scenario).run()
        #expect(result.tokens.count == 2_000 && result.tokens.allSatisfy { $0.count == 40 })
        // Five jobs a verifier; the time is that of the unluckiest of 2,000.
        #expect(result.tokensPerSecond > 0.9 * 400 * 5 * 1e6 / 140_000)
    }

    @Test("A governor keeps a useless drafter's fixed length from costing, and a useful one's from nothing")
    func governed() throws {
        func rate(_ alpha: Double, _ isGoverned: Bool) throws -> Double {
            var scenario = try scenario(.speculative, "fixed:gamma=8", alpha: alpha)
            scenario.tokens = 20_000
            scenario.isGoverned = isGoverned
            return ClusterSimulation(scenario).run().tokensPerSecond
        }
        #expect(try rate(0.05, false) < 5 && rate(0.05, true) > 9.8)
        #expect(try rate(0.9, true) > 0.98 * rate(0.9, false))
    }

    @Test("Markov text has its rates and its runs; recorded text is what was recorded")
    func agreements() {
        let agreement = Agreement.markov(high: 0.95, low: 0.35, stay: 0.9)
        let positions = agreement.positions(40_000, job: 3, seed: 5)
        #expect(abs(Double(positions.count(where: \.agrees)) / 40_000 - 0.65) < 0.02)
        let changes = zip(positions, positions.dropFirst()).count { $0.probability != $1.probability }
        #expect(abs(Double(changes) / 40_000 - 0.1) < 0.01)
        let recorded = (0..<7).map { TracePosition(agrees: $0 % 3 == 0) }
        #expect(
            Agreement.recorded(recorded).positions(14, job: 0, seed: 1).map(\.agrees)
                == (recorded + recorded).map(\.agrees))
    }

    @Test("What cannot be answered is refused in words")
    func complaints() throws {
        func complaint(_ change: (inout ClusterScenario) -> Void) throws -> String? {
            var scenario = try scenario(.stream)
            change(&scenario)
            return scenario.complaint
        }
        #expect(try complaint { _ in } == nil)
        #expect(try complaint { $0.agreement = .bernoulli(1.5) } == "alpha 1.5 is not within 0 to 1")
        #expect(try complaint { $0.agreement = .recorded([]) } == "the recorded trace has no positions")
        #expect(try complaint { $0.jobs = 0 } == "0 jobs: give 1 to 10000")
        #expect(try complaint { $0.verifiers = 1_001 } == "1001 verifiers: give 1 to 1000")
        #expect(try complaint { $0.tokens = Int.max } != nil && complaint { $0.drafters = -1 } != nil)
        #expect(try complaint { $0.link.jitter = .nan } != nil && complaint { $0.draftsMax = 65 } != nil)
    }
}

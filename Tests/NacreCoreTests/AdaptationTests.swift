import NacreCore
import RealModule
import Testing

@Suite("What the planner learns and decides")
struct AdaptationTests {
    @Test("Without a verdict the estimate is the prior, and it never reaches 0 or 1")
    func estimatorBounds() {
        #expect(AcceptanceEstimator().alpha == 0.6)
        var estimator = AcceptanceEstimator(priorAlpha: 0.3, worthTokens: 10)
        #expect(estimator.alpha == 0.3)
        for _ in 0..<1000 { estimator.record(accepted: 8, rejected: false) }
        #expect(estimator.alpha > 0.9 && estimator.alpha < 1)
        for _ in 0..<1000 { estimator.record(accepted: 0, rejected: true) }
        #expect(estimator.alpha > 0 && estimator.alpha < 0.1)
    }

    @Test("The estimate finds a steady acceptance rate from censored runs", arguments: [0.3, 0.6, 0.9])
    func estimatorConverges(alpha: Double) {
        var random = SplitMix(seed: 1)
        var estimator = AcceptanceEstimator()
        var sum = 0.0
        for run in 0..<6000 {
            var passed = 0
            while passed < 5 && random.uniform() < alpha { passed += 1 }
            estimator.record(accepted: passed, rejected: passed < 5)
            if run >= 1000 { sum += estimator.alpha }
        }
        #expect(abs(sum / 5000 - alpha) < 0.03)
    }

    @Test("After 64 contrary tokens the past weighs about 1/e")
    func estimatorForgets() {
        var estimator = AcceptanceEstimator()
        estimator.record(accepted: 10_000, rejected: false)
        for _ in 0..<64 { estimator.record(accepted: 0, rejected: true) }
        #expect(abs(estimator.alpha - 0.37) < 0.04)
    }

    @Test("Costs never fall with size, pass through a clean measurement and lie between neighbours elsewhere")
    func costTable() {
        var cost = StepCostModel(nodesMax: 32, priorFixed: 90, perNode: 10)
        #expect(cost.microseconds(nodes: 1) == 100 && cost.microseconds(nodes: 40) == 490)
        // A plateau between 2 and 6, a step behind it: no straight line.
        for (nodes, time) in [(1, 1000.0), (2, 1400), (6, 1500), (7, 2900)] {
            cost.record(nodes: nodes, microseconds: time)
        }
        #expect(cost.microseconds(nodes: 1) == 1000 && cost.microseconds(nodes: 2) == 1400)
        #expect(cost.microseconds(nodes: 4) == 1450 && cost.microseconds(nodes: 7) == 2900)
        // Beyond the last size the mean slope goes on, also past the table.
        let slope = 1900.0 / 6
        #expect(abs(cost.microseconds(nodes: 10) - (2900 + 3 * slope)) < 1e-6)
        #expect(abs(cost.microseconds(nodes: 50) - (2900 + 43 * slope)) < 1e-6)
        // Below the first size, the prior's shape: t(1) of a model measured at 4 only.
        var single = StepCostModel(nodesMax: 8, priorFixed: 90, perNode: 10)
        single.record(nodes: 4, microseconds: 260)
        #expect(single.microseconds(nodes: 1) == 200 && single.microseconds(nodes: 8) == 340)
    }

    @Test("Where a larger pass is cheaper, a smaller one costs as much and is filled up to it")
    func costPadding() {
        var cost = StepCostModel(nodesMax: 8, priorFixed: 90, perNode: 10)
        for (nodes, time) in [(1, 1000.0), (2, 1600), (3, 2000), (4, 1400), (6, 2400)] {
            cost.record(nodes: nodes, microseconds: time)
        }
        #expect((1...6).map { cost.padded(nodes: $0) } == [1, 4, 4, 4, 5, 6])
        #expect((1...4).map { cost.microseconds(nodes: $0) } == [1000, 1400, 1400, 1400])
        #expect(cost.padded(nodes: 9) == 9)
    }

    @Test("An outlier counts as four times the estimate; nonsense counts as nothing")
    func costOutliers() {
        var cost = StepCostModel(nodesMax: 4, priorFixed: 0, perNode: 100)
        cost.record(nodes: 1, microseconds: 100)
        cost.record(nodes: 1, microseconds: 1e9)
        #expect(abs(cost.microseconds(nodes: 1) - (100 + 0.125 * 300)) < 1e-9)
        let before = cost
        for (nodes, time) in [(0, 5.0), (5, 5), (1, 0), (1, -1), (1, .nan), (1, .infinity)] {
            cost.record(nodes: nodes, microseconds: time)
        }
        #expect(cost == before)
    }

    @Test("Costs stay monotone and positive, and follow a change, whatever is recorded", arguments: 0..<20)
    func costProperties(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var cost = StepCostModel(nodesMax: 1 + Int(random.next() % 64), priorFixed: 50, perNode: 5)
        for _ in 0..<300 {
            cost.record(
                nodes: 1 + Int(random.next() % UInt64(cost.nodesMax)),
                microseconds: Double.exp(random.normal() * 2 + 6))
            let times = (1...cost.nodesMax + 4).map { cost.microseconds(nodes: $0) }
            #expect(times[0] > 0 && zip(times, times.dropFirst()).allSatisfy { $0 <= $1 }, "seed \(seed)")
        }
        for _ in 0..<400 { cost.record(nodes: cost.nodesMax, microseconds: 1e7) }
        #expect(abs(cost.microseconds(nodes: cost.nodesMax) / 1e7 - 1) < 1e-3)
    }

    @Test("The window covers one pass and the round trip: n_cap + ⌈(t_p + 2d) / t_q⌉")
    func window() {
        let cost = StepCostModel(nodesMax: 64, priorFixed: 90_000, perNode: 10_000)
        #expect(DraftWindow.batchCap(alpha: 0.8, cost: cost) == 7)
        #expect(DraftWindow.batchCap(alpha: 0.9, cost: cost) == 11)
        #expect(DraftWindow.batchCap(alpha: 0.6, cost: cost) == 4)
        func size(_ roundTrip: Double, _ draft: Double) -> Int {
            DraftWindow(alpha: 0.8, cost: cost).size(roundTripMicroseconds: roundTrip, draftMicroseconds: draft)
        }
        #expect(size(0, 20_000) == 15 && size(10_000, 20_000) == 16)
        // Beyond ⌈ln 0.01 / ln 0.8⌉ = 21 drafts ahead hardly any is ever judged.
        #expect(size(1e9, 1) == 28 && size(1e9, .nan) == 28)
        #expect(size(0, 1e12) == 8)
        // However fast the drafter is, a pass and the next take 7 nodes each, and one more if the verdict is on its way
        // as it begins; two to spare.
        #expect(size(0, 0) == 16 && size(10_000, 1) == 23 && size(170_000, 0) == 28)
        #expect(size(0, .nan) == 16)
        let flat = StepCostModel(nodesMax: 512, priorFixed: 100, perNode: 0)
        #expect(DraftWindow.batchCap(alpha: 1, cost: flat) == 256)
        #expect(DraftWindow.batchCap(alpha: 0, cost: flat) == 1)
    }

    @Test("Where no pass with drafts is worth its cost the window is a probe")
    func probe() {
        let linear = StepCostModel(nodesMax: 64, priorFixed: 0, perNode: 10_000)
        let window = DraftWindow(alpha: 0.9, cost: linear)
        #expect(!window.pays && window.size(roundTripMicroseconds: 0, draftMicroseconds: 1) == DraftWindow.probe)
        let cheap = StepCostModel(nodesMax: 64, priorFixed: 10_000, perNode: 1)
        #expect(DraftWindow(alpha: 0.1, cost: cheap).pays)
    }

    @Test("What does not pay alone may pay beside other jobs, and the other way round")
    func shared() {
        // Linear up to eight nodes, then flat up to sixteen, then linear again.
        var steps = StepCostModel(nodesMax: 32, priorFixed: 0, perNode: 1_000)
        for nodes in 1...32 {
            let time = nodes <= 8 ? nodes : nodes <= 16 ? 8 : nodes - 8
            steps.record(nodes: nodes, microseconds: Double(time) * 1_000)
        }
        #expect(!DraftWindow(alpha: 0.7, cost: steps).pays)
        #expect(DraftWindow(alpha: 0.7, cost: steps, others: 7).pays)
        #expect(!DraftWindow(alpha: 0.7, cost: steps, others: 15).pays)
    }
}

@Suite("The forest packer")
struct ForestPackerTests {
    @Test("Free nodes take every draft, dear ones none, and ties go to fewer nodes")
    func extremes() {
        let jobs = [
            ForestPacker.Job.chain(mandatory: 1, available: 3, alpha: 0.5),
            ForestPacker.Job.chain(mandatory: 2, available: 2, alpha: 0.9),
        ]
        let free = StepCostModel(nodesMax: 64, priorFixed: 100, perNode: 0)
        let dear = StepCostModel(nodesMax: 64, priorFixed: 0, perNode: 100)
        #expect(ForestPacker.counts(jobs, cost: free, nodesMax: 64) == [3, 2])
        #expect(ForestPacker.counts(jobs, cost: free, nodesMax: 5) == [0, 2])
        #expect(ForestPacker.counts(jobs, cost: free, nodesMax: 2) == [0, 0])
        #expect(ForestPacker.counts([jobs[0]], cost: dear, nodesMax: 64) == [0])
        #expect(ForestPacker.counts([], cost: free, nodesMax: 64) == [])
        let sure = ForestPacker.Job.chain(mandatory: 1, available: 5, alpha: 1)
        #expect(ForestPacker.counts([sure], cost: dear, nodesMax: 64) == [0])
        let hopeless = ForestPacker.Job.chain(mandatory: 1, available: 5, alpha: 0)
        #expect(ForestPacker.counts([hopeless], cost: free, nodesMax: 64) == [0])
    }
}

import NacreCore
import RealModule
import Testing

@Suite("The forest packer with trees")
struct ForestTests {
    private func cost(_ nodesMax: Int, using random: inout SplitMix) -> StepCostModel {
        var cost = StepCostModel(
            nodesMax: nodesMax, priorFixed: 100 * random.uniform(), perNode: 1 + 20 * random.uniform())
        for nodes in 1...nodesMax where random.uniform() < 0.5 {
            cost.record(nodes: nodes, microseconds: 50 + 300 * random.uniform())
        }
        return cost
    }

    private func jobs(
        _ count: Int, drafts: UInt64, weighted: Bool = false, using random: inout SplitMix
    ) -> [ForestPacker.Job] {
        (0..<count).map { _ in
            let tree = DraftTree.random(Int(random.next() % drafts), using: &random)
            return ForestPacker.Job(
                mandatory: 1 + Int(random.next() % 2), tree: tree, worth: tree.pathWorth,
                weight: weighted ? 1 + random.uniform() : 1)
        }
    }

    /// Weighted tokens of a forest.
    private func tokens(_ jobs: [ForestPacker.Job], _ chosen: [[NodeIndex]], isWeighted: Bool = true) -> Double {
        zip(jobs, chosen).reduce(0) { sum, pair in
            let (job, drafts) = pair
            return sum + (isWeighted ? job.weight : 1) * drafts.reduce(1) { $0 + job.worth[$1.rawValue] }
        }
    }

    private func rate(
        _ jobs: [ForestPacker.Job], _ chosen: [[NodeIndex]], _ cost: StepCostModel, isWeighted: Bool = true
    ) -> Double {
        let nodes = jobs.reduce(0) { $0 + $1.mandatory } + chosen.reduce(0) { $0 + $1.count }
        return tokens(jobs, chosen, isWeighted: isWeighted) / cost.microseconds(nodes: nodes)
    }

    private func isClosed(_ jobs: [ForestPacker.Job], _ chosen: [[NodeIndex]]) -> Bool {
        zip(jobs, chosen).allSatisfy { job, drafts in
            drafts.allSatisfy { job.tree[$0].parent.map(drafts.contains) ?? true }
        }
    }

    private func leaves(_ tree: DraftTree, _ chosen: [NodeIndex]) -> Int {
        chosen.count { node in !chosen.contains { tree[$0].parent == node } }
    }

    @Test("Of all forests that hold each draft's ancestors, none has more tokens per second", arguments: 0..<40)
    func optimal(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        for _ in 0..<10 {
            let cost = cost(20, using: &random)
            let jobs = jobs(1 + Int(random.next() % 3), drafts: 5, weighted: random.uniform() < 0.5, using: &random)
            let nodesMax = Int(random.next() % 16)
            let packed = ForestPacker.pack(jobs, cost: cost, limits: .init(nodesMax: nodesMax))
            let mandatory = jobs.reduce(0) { $0 + $1.mandatory }
            var forests: [[[NodeIndex]]] = [[]]
            for job in jobs {
                let sets = job.tree.closedSets.map { $0.sorted() }
                forests = forests.flatMap { forest in sets.map { forest + [$0] } }
            }
            let legal = forests.filter { forest in
                forest.allSatisfy(\.isEmpty) || mandatory + forest.reduce(0) { $0 + $1.count } <= nodesMax
            }
            #expect(legal.contains(packed), "seed \(seed)")
            let best = legal.map { rate(jobs, $0, cost) }.max() ?? 0
            #expect(rate(jobs, packed, cost) >= best * (1 - 1e-12), "seed \(seed): \(packed) of \(jobs)")
        }
    }

    @Test("The order of the jobs changes nothing but the order of the answer", arguments: 0..<20)
    func permuted(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let cost = cost(64, using: &random)
        let jobs = jobs(6, drafts: 20, weighted: true, using: &random)
        let limits = ForestPacker.Limits(nodesMax: 50)
        let packed = ForestPacker.pack(jobs, cost: cost, limits: limits)
        #expect(ForestPacker.pack(jobs, cost: cost, limits: limits) == packed)
        let order = jobs.indices.shuffled(using: &random)
        #expect(ForestPacker.pack(order.map { jobs[$0] }, cost: cost, limits: limits) == order.map { packed[$0] })
    }

    @Test("More room and cheaper passes never cost speed; a dearer start never makes a pass smaller", arguments: 0..<20)
    func monotone(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let cost = cost(64, using: &random)
        let jobs = jobs(4, drafts: 20, using: &random)
        var last = 0.0
        for nodesMax in 0...60 {
            let packed = ForestPacker.pack(jobs, cost: cost, limits: .init(nodesMax: nodesMax))
            let reached = rate(jobs, packed, cost)
            #expect(reached >= last)
            last = reached
        }
        // With t_p = A + B·n the larger A is, the less a draft counts beside it.
        var smaller = jobs.map { _ in Set<NodeIndex>() }
        for fixed in [0.0, 10, 30, 100, 300, 1000] {
            let line = StepCostModel(nodesMax: 64, priorFixed: fixed, perNode: 10)
            let packed = ForestPacker.pack(jobs, cost: line, limits: .init(nodesMax: 60)).map(Set.init)
            #expect(zip(smaller, packed).allSatisfy { $0.isSubset(of: $1) }, "A = \(fixed)")
            smaller = packed
        }
        #expect(smaller.contains { !$0.isEmpty })
    }

    @Test("Sizes on a plateau are filled, and a step is climbed only for what it brings")
    func steps() {
        // Good sizes 6 and 16, as measured on CPUs (ENGINE 3): 1, then a step to 1.5, another to 2.2 and to 4.
        var cost = StepCostModel(nodesMax: 32, priorFixed: 1000, perNode: 0)
        for nodes in 1...32 {
            cost.record(nodes: nodes, microseconds: nodes == 1 ? 1000 : nodes <= 6 ? 1500 : nodes <= 16 ? 2200 : 4000)
        }
        func packed(_ alpha: Double) -> Int {
            ForestPacker.counts([.chain(available: 31, alpha: alpha)], cost: cost, nodesMax: 32)[0]
        }
        #expect(packed(0.3) == 0 && packed(0.6) == 5 && packed(0.9) == 15)
        #expect([0.3, 0.5, 0.7, 0.8, 0.9, 0.97, 1].allSatisfy { [0, 5, 15, 31].contains(packed($0)) })
    }

    @Test("Branches stay within their limit, and without one the limit changes nothing", arguments: 0..<20)
    func branches(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let cost = StepCostModel(nodesMax: 64, priorFixed: 500, perNode: 1)
        let jobs = jobs(4, drafts: 16, using: &random)
        func packed(_ branchesMax: Int) -> [[NodeIndex]] {
            ForestPacker.pack(jobs, cost: cost, limits: .init(nodesMax: 60, branchesMax: branchesMax))
        }
        func branches(_ chosen: [[NodeIndex]]) -> Int {
            zip(jobs, chosen).reduce(0) { $0 + max(0, leaves($1.0.tree, $1.1) - 1) }
        }
        let free = ForestPacker.pack(jobs, cost: cost, limits: .init(nodesMax: 60))
        let needed = branches(free)
        for branchesMax in 0...needed + 1 {
            let chosen = packed(branchesMax)
            #expect(isClosed(jobs, chosen) && branches(chosen) <= branchesMax)
            if branchesMax >= needed { #expect(chosen == free) }
        }
    }
}

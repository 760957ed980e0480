import NacreCore
import Testing

@Suite("What the planner learns about trees")
struct TreeAdaptationTests {
    @Test("The estimates find the children's acceptance rates, and learn nothing of children that were not there")
    func converges() {
        var random = SplitMix(seed: 5)
        var acceptance = SiblingAcceptance()
        let law = [0.5, 0.3, 0.1]
        var sums = [0.0, 0, 0, 0]
        for round in 0..<6000 {
            let children = 2 + Int(random.next() % 2)
            var u = random.uniform()
            let number = law.prefix(children).firstIndex { probability in
                u -= probability
                return u < 0
            }
            acceptance.record(accepted: number, of: children)
            if round >= 1000 { for child in 0..<4 { sums[child] += acceptance.estimates[child] / 5000 } }
        }
        #expect(zip(sums, law).allSatisfy { abs($0 - $1) < 0.03 }, "\(sums)")
        #expect(abs(sums[3] - 0.03) < 1e-12, "the fourth child never was there: its prior stands")
    }

    @Test("Estimates never rise from one sibling to the next and stay inside 0 and 1", arguments: 0..<10)
    func falling(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var acceptance = SiblingAcceptance(prior: [0.5, 0.2, 0.1], worthNodes: 0.01)
        for _ in 0..<400 {
            let children = Int(random.next() % 6)
            let number = children == 0 || random.next() % 4 == 0 ? nil : Int(random.next() % UInt64(children))
            acceptance.record(accepted: number, of: children)
            let estimates = acceptance.estimates
            #expect(estimates.count == 3 && estimates[0] < 1 && estimates[0] > 0 && estimates[2] >= 0)
            #expect(zip(estimates, estimates.dropFirst()).allSatisfy { $0 >= $1 })
        }
        for _ in 0..<400 { acceptance.record(accepted: nil, of: 3) }
        #expect(acceptance.estimates[0] == 0.02)
        for _ in 0..<400 { acceptance.record(accepted: 0, of: 3) }
        #expect(acceptance.estimates[0] == 0.98)
    }

    @Test("A selection is an outcome at each node on its path, and at the last unless a row is missing there")
    func selections() throws {
        let row = try WeightRow([.init(0, 1), .init(1, 1)])
        // Below the root 0 and 1, below 1 again 0 and 1, below that 0.
        var tree = ProposedTree(behind: [])
        var last: NodeIndex?
        for tokens: [TokenID] in [[0, 1], [0, 1], [0]] {
            try tree.propose(.row(row, .withoutReplacement), under: last)
            var child = last
            for token in tokens { child = try tree.append(token, under: last) }
            last = child
        }
        func expect(_ selection: Selection, of tree: ProposedTree, outcomes: [(Int?, Int)]) {
            var (learnt, expected) = (SiblingAcceptance(), SiblingAcceptance())
            learnt.record(selection, of: tree.drafts)
            for (number, children) in outcomes { expected.record(accepted: number, of: children) }
            #expect(learnt == expected)
        }
        expect(Selection(path: [], end: .token(7)), of: tree, outcomes: [(nil, 2)])
        expect(Selection(path: [1, 2], end: .token(7)), of: tree, outcomes: [(1, 2), (0, 2)])
        expect(Selection(path: [1, 3], end: .token(7)), of: tree, outcomes: [(1, 2), (1, 2), (nil, 1)])
        // The target is sure of 1, which comes second: what is decided waits for the row of q.
        let tables = Tables(p: distribution(0, 1), q: distribution(1, 1))
        var chance = KeyedChance(key: 1)
        let waiting = RejectionRule().select(tree.withScalars, chance: &chance) { node, chance in
            RejectionRule().score(node, of: tree.withScalars, p: tables.p(after: []), chance: &chance)
        }
        #expect(waiting.path.isEmpty)
        expect(waiting, of: tree, outcomes: [])
    }

    @Test("The worth of a draft is the product of its path's estimates, whatever its tokens and the drafter's claims")
    func worth() {
        let acceptance = SiblingAcceptance(prior: [0.5, 0.25])
        var tree = DraftTree(root: 0)
        let a = tree.append(1, under: nil, probability: 1)
        let b = tree.append(2, under: nil, probability: 1)
        tree.append(3, under: nil, probability: 1)
        tree.append(4, under: b, probability: 0)
        tree.append(5, under: a, probability: 1)
        tree.append(6, under: a, probability: 1)
        #expect(acceptance.worth(of: tree) == [0.5, 0.25, 0, 0.125, 0.25, 0.125])
    }

    @Test("A chain's budget is the batch cap of a chain", arguments: [0.3, 0.6, 0.8, 0.95])
    func chain(alpha: Double) {
        var cost = StepCostModel(nodesMax: 40, priorFixed: 90, perNode: 10)
        for measured in [false, true] {
            if measured {
                for (nodes, time) in [(1, 100.0), (2, 140), (6, 150), (7, 290), (16, 310)] {
                    cost.record(nodes: nodes, microseconds: time)
                }
            }
            let budget = TreeBudget(acceptance: [alpha], cost: cost, nodesMax: 40)
            #expect(budget.drafts + 1 == DraftWindow.batchCap(alpha: alpha, cost: cost))
        }
    }

    @Test("The budget is the size at which the best tree has the most tokens per second", arguments: 0..<20)
    func best(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var cost = StepCostModel(nodesMax: 24, priorFixed: 100 * random.uniform(), perNode: 1 + 20 * random.uniform())
        for nodes in 1...24 where random.uniform() < 0.4 {
            cost.record(nodes: nodes, microseconds: 50 + 300 * random.uniform())
        }
        let weights = (0..<3).map { _ in random.uniform() }.sorted(by: >)
        let acceptance = weights.map { $0 / (weights.reduce(0.3, +)) }
        let budget = TreeBudget(acceptance: acceptance, cost: cost, nodesMax: 20)
        // The same trees, grown.
        func value(_ drafts: Int) -> Double {
            var growth = TreeGrowth(root: 0, plan: .bestFirst(.init(nodesMax: drafts, width: 3)))
            while let expansion = growth.next().first { growth.supply(proposals(acceptance), for: expansion) }
            return growth.tree.nodes.reduce(1) { $0 + $1.pathProbability }
        }
        let rates = (0..<20).map { value($0) / cost.microseconds(nodes: $0 + 1) }
        #expect(abs(budget.tokens - value(budget.drafts)) < 1e-9)
        #expect(budget.rate >= (rates.max() ?? 0) * (1 - 1e-12) && abs(budget.rate / rates[budget.drafts] - 1) < 1e-12)
    }

    @Test("The least useful path: on a straight line what the best tree of that threshold would keep")
    func pathMin() {
        let cost = StepCostModel(nodesMax: 256, priorFixed: 300, perNode: 10)
        let acceptance = [0.6, 0.2, 0.1, 0.05]
        let budget = TreeBudget(acceptance: acceptance, cost: cost, nodesMax: 256)
        var growth = TreeGrowth(
            root: 0, plan: .bestFirst(.init(nodesMax: 256, width: 4, pathMin: budget.pathMin)))
        while let expansion = growth.next().first { growth.supply(proposals(acceptance), for: expansion) }
        #expect(budget.drafts > 5 && abs(growth.tree.count - budget.drafts) <= 2)
        let free = TreeBudget(acceptance: acceptance, cost: .init(nodesMax: 8, priorFixed: 1, perNode: 0), nodesMax: 8)
        #expect(free.drafts == 7 && free.pathMin == 0)
        let hopeless = TreeBudget(acceptance: [0, 0], cost: cost, nodesMax: 8)
        #expect(hopeless.drafts == 0 && hopeless.tokens == 1)
        #expect(TreeBudget(acceptance: [], cost: cost, nodesMax: 8).drafts == 0)
        #expect(TreeBudget(acceptance: [1], cost: cost, nodesMax: 0).drafts == 0)
    }
}

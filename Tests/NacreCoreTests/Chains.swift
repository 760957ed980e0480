import NacreCore

extension DraftTree {
    /// The worth of each node by the drafter's own estimates.
    var pathWorth: [Double] { nodes.map(\.pathProbability) }
}

extension ForestPacker.Job {
    /// A job with `available` drafts in one chain, of which the one at depth i is worth α̂ⁱ tokens.
    static func chain(mandatory: Int = 1, available: Int, alpha: Double, weight: Double = 1) -> Self {
        var tree = DraftTree(root: 0)
        var last: NodeIndex?
        for _ in 0..<available { last = tree.append(0, under: last, probability: alpha) }
        return Self(mandatory: mandatory, tree: tree, worth: tree.pathWorth, weight: weight)
    }
}

extension ForestPacker {
    /// How many drafts of each job are packed.
    static func counts(_ jobs: [Job], cost: StepCostModel, nodesMax: Int) -> [Int] {
        pack(jobs, cost: cost, limits: Limits(nodesMax: nodesMax)).map(\.count)
    }
}

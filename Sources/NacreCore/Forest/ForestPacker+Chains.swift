// A chain is a tree in which nobody has a sibling.
extension ForestPacker {
    /// What a job with one chain of drafts brings to a pass.
    package struct Candidate: Sendable, Hashable {
        /// As `Job.mandatory`.
        package var mandatory: Int
        /// Drafts at hand, in one chain.
        package var available: Int
        /// α̂ of the job, in 0 ... 1: the draft at depth i is worth α̂ⁱ tokens.
        package var alpha: Double
        /// As `Job.weight`.
        package var weight: Double

        package init(mandatory: Int, available: Int, alpha: Double, weight: Double = 1) {
            self.mandatory = mandatory
            self.available = available
            self.alpha = alpha
            self.weight = weight
        }

        fileprivate var job: Job {
            var tree = DraftTree(root: 0)
            var last: NodeIndex?
            for _ in 0..<available { last = tree.append(0, under: last, probability: alpha) }
            return Job(mandatory: mandatory, tree: tree, worth: tree.pathWorth, weight: weight)
        }
    }

    /// The number of drafts to include for each job, in the order of `jobs`.
    package static func pack(_ jobs: [Candidate], cost: StepCostModel, nodesMax: Int) -> [Int] {
        pack(jobs.map(\.job), cost: cost, limits: Limits(nodesMax: nodesMax)).map(\.count)
    }
}

extension DraftTree {
    /// The worth of each node by the drafter's own estimates. For drafts from outside, and for drawn ones, use
    /// `SiblingAcceptance`: it is measured here, and independent of the tokens.
    package var pathWorth: [Double] { nodes.map(\.pathProbability) }
}

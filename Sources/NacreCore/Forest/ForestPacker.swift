/// Chooses which drafts of which jobs one pass verifies.
///
/// A draft is worth the probability that it and all drafts above it are accepted: that many tokens it adds to the
/// pass. The packer adds drafts of all jobs in order of falling worth and stops where the expected tokens per second,
///
///     (Σ over jobs of 1 + Σ over drafts of their worth) / t_p(nodes),
///
/// are largest. That is the optimum over all sets of drafts that hold each draft's ancestors, for any cost table
/// (ALGORITHMS 10.5): for every number n the n most valuable drafts of all are the best n, and as no draft is worth
/// more than its parent they hold their ancestors by themselves. t_p has steps and plateaus, so every n is tried.
///
///     ForestPacker.pack([.init(tree: tree, worth: acceptance.worth(of: tree))], cost: cost, limits: limits)
///
/// Every job's mandatory nodes are in the pass in any case. `FairShare` gives the weights that keep the rest fair.
package enum ForestPacker {
    /// What one job brings to a pass.
    package struct Job: Sendable, Hashable {
        /// Nodes that are evaluated in any case: the last committed token and whatever is not cached before it.
        package var mandatory: Int
        /// The job's drafts.
        package var tree: DraftTree
        /// For each draft the probability that it and all above it are accepted; not more than its parent's.
        ///
        /// For drawn drafts under `RejectionRule` it may depend on a draft's place but not on its token, and must not
        /// rise from one sibling to the next (`SiblingAcceptance.worth`; what else is legal: `TreePlan`).
        package var worth: [Double]
        /// How much a token of this job counts, at least 1.
        package var weight: Double

        package init(mandatory: Int = 1, tree: DraftTree, worth: [Double], weight: Double = 1) {
            precondition(worth.count == tree.count && weight >= 1, "\(worth.count) estimates of \(tree.count) drafts")
            self.mandatory = mandatory
            self.tree = tree
            self.worth = worth
            self.weight = weight
        }
    }

    /// What a pass can hold.
    package struct Limits: Sendable, Hashable {
        package var nodesMax: Int
        /// Sequences at hand for side branches: a job whose drafts have l leaves needs l − 1 of them (`PathCover`).
        package var branchesMax: Int

        package init(nodesMax: Int, branchesMax: Int = .max) {
            self.nodesMax = nodesMax
            self.branchesMax = branchesMax
        }
    }

    /// The drafts to include for each job, in the order of `jobs`, by rising index. Ties go to fewer nodes,
    /// shallower drafts, earlier jobs and earlier drafts.
    ///
    /// The sum of all nodes stays within `nodesMax` as long as the mandatory ones do; if these alone exceed it no
    /// draft is included, and it is for the caller to defer jobs (`FairShare.turns`). Where `branchesMax` binds, a
    /// draft that would need one more branch is passed over, with all below it: legal, no longer always optimal.
    ///
    /// Takes time O(d log d) for d drafts, and O(nodesMax) calls of the cost table.
    package static func pack(_ jobs: [Job], cost: StepCostModel, limits: Limits) -> [[NodeIndex]] {
        var nodes = jobs.reduce(0) { $0 + $1.mandatory }
        var order: [Draft] = []
        guard nodes > 0 else { return jobs.map { _ in [] } }
        var tokens = jobs.reduce(0) { $0 + $1.weight }
        var best = (count: 0, rate: tokens / cost.microseconds(nodes: nodes))
        var shapes = jobs.map { ChosenShape($0.tree) }
        var branches = 0
        for draft in drafts(of: jobs) where nodes < limits.nodesMax {
            guard let more = shapes[draft.job].branches(with: draft.node), branches + more <= limits.branchesMax
            else { continue }
            shapes[draft.job].add(draft.node)
            order.append(draft)
            branches += more
            tokens += draft.gain
            nodes += 1
            let rate = tokens / cost.microseconds(nodes: nodes)
            if rate > best.rate { best = (order.count, rate) }
        }
        var chosen: [[NodeIndex]] = jobs.map { _ in [] }
        for draft in order.prefix(best.count) { chosen[draft.job].append(draft.node) }
        return chosen.map { $0.sorted() }
    }

    /// A draft as it competes with all others.
    private struct Draft {
        var job: Int
        var node: NodeIndex
        var depth: Int
        var gain: Double
    }

    private static func drafts(of jobs: [Job]) -> [Draft] {
        var drafts: [Draft] = []
        for (number, job) in jobs.enumerated() {
            for (index, node) in job.tree.nodes.enumerated() {
                drafts.append(
                    Draft(
                        job: number, node: NodeIndex(rawValue: index), depth: node.depth,
                        gain: job.weight * job.worth[index]))
            }
        }
        return drafts.sorted { ($1.gain, $0.depth, $0.job, $0.node) < ($0.gain, $1.depth, $1.job, $1.node) }
    }

    /// Which drafts of a job have been chosen, and what another one adds to their leaves.
    private struct ChosenShape {
        private let tree: DraftTree
        private var isChosen: [Bool]
        private var hasChild: [Bool]
        private var rootHasChild = false

        init(_ tree: DraftTree) {
            self.tree = tree
            isChosen = Array(repeating: false, count: tree.count)
            hasChild = isChosen
        }

        /// 0 if `node` prolongs a leaf, 1 if it opens a side branch; `nil` if its parent is not among the chosen.
        func branches(with node: NodeIndex) -> Int? {
            guard let parent = tree[node].parent else { return rootHasChild ? 1 : 0 }
            guard isChosen[parent.rawValue] else { return nil }
            return hasChild[parent.rawValue] ? 1 : 0
        }

        mutating func add(_ node: NodeIndex) {
            isChosen[node.rawValue] = true
            if let parent = tree[node].parent { hasChild[parent.rawValue] = true } else { rootHasChild = true }
        }
    }
}

/// â_j, the probability that the j-th child of a node is the accepted one, given that the node is: learnt from
/// verdicts, with exponential forgetting.
///
/// It depends on a draft's place and never on its token. So it may decide which drafts are judged under every verify
/// rule, but not of independent draws, whose places tell of repeats (ALGORITHMS 0.5, `TreePlan`). And a drafter that
/// overstates its probabilities gains nothing.
///
/// - Source: the model of acceptance in Sequoia, Chen et al. 2024 (2402.12374), there measured once and here running.
package struct SiblingAcceptance: Sendable, Hashable {
    /// Kept per judged node: the weights sum to 1 / (1 − kept) = 64 nodes in the long run.
    private static let kept = 1 - 1.0 / 64
    /// As for α̂: at 0 nothing would ever be drafted again, at 1 nothing would be deep enough.
    private static let range = 0.02...0.98

    private let prior: [Double]
    private let priorNodes: Double
    private var accepted: [Double]
    private var judged: [Double]

    /// - Parameters:
    ///   - prior: what to expect of each child before any verdict, each in 0 ... 1, together at most 1.
    ///   - nodes: how many judged nodes this expectation is worth.
    package init(prior: [Double] = [0.6, 0.15, 0.06, 0.03], worthNodes nodes: Double = 4) {
        precondition(!prior.isEmpty && prior.allSatisfy { (0...1).contains($0) } && nodes > 0, "prior \(prior)")
        self.prior = prior
        priorNodes = nodes
        accepted = prior.map { _ in 0 }
        judged = accepted
    }

    /// Takes in the outcome at one node that had `children`: the number of the accepted one, 0 the first; `nil` if the
    /// target chose a token that is none of theirs. Of children that were not there nothing is learnt.
    package mutating func record(accepted number: Int?, of children: Int) {
        precondition(number.map { 0 <= $0 && $0 < children } ?? true, "child \(number ?? 0) of \(children)")
        for child in 0..<min(children, prior.count) {
            accepted[child] = accepted[child] * Self.kept + (child == number ? 1 : 0)
            judged[child] = judged[child] * Self.kept + 1
        }
    }

    /// Takes in a selection at every node that it went through: at the last one that none of the children was chosen,
    /// unless the selection waits for a row there.
    ///
    /// - Parameter judged: the tree that was judged, and no more of it (`ProposedTree.keeping`).
    package mutating func record(_ selection: Selection, of judged: DraftTree) {
        var node: NodeIndex?
        for child in selection.path {
            let siblings = Array(judged.children(of: node))
            record(accepted: siblings.firstIndex(of: child), of: siblings.count)
            node = child
        }
        guard case .token = selection.end else { return }
        record(accepted: nil, of: Array(judged.children(of: node)).count)
    }

    /// â of each child, within 0.02 ... 0.98 for the first, and never more than that of the sibling before it: a later
    /// sibling that does better by chance must not be judged first. Children beyond are worth 0.
    package var estimates: [Double] {
        var ceiling = Self.range.upperBound
        return prior.indices.map { child in
            let mean = (prior[child] * priorNodes + accepted[child]) / (priorNodes + judged[child])
            ceiling = min(ceiling, child == 0 ? max(mean, Self.range.lowerBound) : mean)
            return ceiling
        }
    }

    /// For each node of `tree` the probability that it and all above it are accepted: the product of â along the path.
    package func worth(of tree: DraftTree) -> [Double] {
        let estimates = estimates
        var worth = Array(repeating: 0.0, count: tree.count)
        func fill(below parent: NodeIndex?, _ reach: Double) {
            for (number, child) in tree.children(of: parent).enumerated() where number < estimates.count {
                worth[child.rawValue] = reach * estimates[number]
            }
        }
        fill(below: nil, 1)
        for index in worth.indices { fill(below: NodeIndex(rawValue: index), worth[index]) }
        return worth
    }
}

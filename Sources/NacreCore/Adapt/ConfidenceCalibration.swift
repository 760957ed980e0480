/// How often drafts are accepted of which their drafter was so sure: its own probabilities, held against verdicts.
///
/// A drafter's probability of a token tells drafts that stand apart from drafts that fall, but not by how much: models
/// are too sure of themselves. So probabilities are sorted into bins, first candidates apart from their siblings, and
/// each bin learns its own acceptance rate, with exponential forgetting. A drafter that overstates its probabilities
/// gains nothing by it. Until a bin has seen verdicts it trusts the drafter a little.
///
/// What it says depends on the tokens drafted: it may decide what is verified under the coupled rule and of drafts that
/// are functions of their text, never of drawn ones (ALGORITHMS 0.5; `SiblingAcceptance` serves those).
///
/// - Source: acceptance learnt per level of confidence, as in the Thompson sampling control of EESD, Liu et al. 2024
///   (2406.03853); a running mean stands here in the place of a draw from the posterior.
package struct ConfidenceCalibration: Sendable, Hashable {
    private static let bins = 10
    /// Kept per judged draft of a bin.
    private static let kept = 1 - 1.0 / 64
    private static let range = 0.01...0.98
    /// What the drafter's word is worth, in judged drafts.
    private static let priorDrafts = 4.0

    private var accepted = Array(repeating: 0.0, count: 2 * bins)
    private var judged = Array(repeating: 0.0, count: 2 * bins)

    package init() {}

    /// â of a draft, given that its parent stands.
    ///
    /// - Parameters:
    ///   - probability: what the drafter says, 0 ... 1.
    ///   - isFirst: whether it is its parent's first child.
    package func acceptance(probability: Double, isFirst: Bool) -> Double {
        let bin = Self.bin(probability, isFirst)
        let prior = min(max(probability, Self.range.lowerBound), 0.9)
        let mean = (prior * Self.priorDrafts + accepted[bin]) / (Self.priorDrafts + judged[bin])
        return min(max(mean, Self.range.lowerBound), Self.range.upperBound)
    }

    /// Takes in what was decided behind one node: which of its children stands; `nil` if none of them does.
    package mutating func record(children: some Sequence<(node: NodeIndex, probability: Double)>, accepted: NodeIndex?)
    {
        for (place, child) in children.enumerated() {
            let bin = Self.bin(child.probability, place == 0)
            self.accepted[bin] = self.accepted[bin] * Self.kept + (child.node == accepted ? 1 : 0)
            judged[bin] = judged[bin] * Self.kept + 1
        }
    }

    /// For each node of `tree` the probability that it and all above it stand: the product of â along the path, never
    /// more than the parent's.
    package func worth(of tree: DraftTree) -> [Double] {
        var worth = Array(repeating: 0.0, count: tree.count)
        for (index, node) in tree.nodes.enumerated() {
            let isFirst = tree.firstChild(of: node.parent) == NodeIndex(rawValue: index)
            let reach = node.parent.map { worth[$0.rawValue] } ?? 1
            worth[index] = reach * acceptance(probability: node.probability, isFirst: isFirst)
        }
        return worth
    }

    private static func bin(_ probability: Double, _ isFirst: Bool) -> Int {
        min(Int(probability * Double(bins)), bins - 1) + (isFirst ? 0 : bins)
    }
}

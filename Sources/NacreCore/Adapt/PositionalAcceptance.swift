/// α̂ by position: the probability that the i-th draft of a round is accepted, given that those before it were.
///
/// Positions that are rarely reached fall back on the running rate of all positions, so that a round that always ends
/// early does not make what lies behind look bad (censored outcomes are never failures, ALGORITHMS 7).
package struct PositionalAcceptance: Sendable, Hashable {
    /// Positions told apart; all behind share the last.
    package static let positionsMax = 32
    /// Kept per judged token of a position.
    private static let kept = 1 - 1.0 / 64
    /// What the rate of all positions is worth at one, in judged tokens.
    private static let priorTokens = 8.0

    private var overall: AcceptanceEstimator
    private var accepted = Array(repeating: 0.0, count: positionsMax)
    private var judged = Array(repeating: 0.0, count: positionsMax)

    /// - Parameters: as those of `AcceptanceEstimator`.
    package init(priorAlpha alpha: Double = 0.6, worthTokens tokens: Double = 4) {
        overall = AcceptanceEstimator(priorAlpha: alpha, worthTokens: tokens)
    }

    /// α̂ of all positions together.
    package var alpha: Double { overall.alpha }

    /// Takes in one verdict on a round's drafts, the first at position 0: `accepted` passed, then one failed if
    /// `rejected`.
    package mutating func record(accepted passed: Int, rejected: Bool) {
        overall.record(accepted: passed, rejected: rejected)
        for position in 0..<passed { judge(position, 1) }
        if rejected { judge(passed, 0) }
    }

    /// α̂ at `position`, 0 the first draft of a round; within 0.02 ... 0.98 as `alpha`.
    package subscript(position: Int) -> Double {
        let place = min(position, Self.positionsMax - 1)
        let mean = (alpha * Self.priorTokens + accepted[place]) / (Self.priorTokens + judged[place])
        return min(max(mean, AcceptanceEstimator.range.lowerBound), AcceptanceEstimator.range.upperBound)
    }

    /// Expected tokens of rounds of 0, 1, ... `draftsMax` drafts, the target's own included: 1, 1 + α₀, 1 + α₀ + α₀α₁,
    /// ...
    package func tokens(draftsMax: Int) -> [Double] {
        var (sum, reach) = (1.0, 1.0)
        var tokens = [sum]
        for position in 0..<max(0, draftsMax) {
            reach *= self[position]
            sum += reach
            tokens.append(sum)
        }
        return tokens
    }

    private mutating func judge(_ position: Int, _ outcome: Double) {
        let place = min(position, Self.positionsMax - 1)
        accepted[place] = accepted[place] * Self.kept + outcome
        judged[place] = judged[place] * Self.kept + 1
    }
}

/// α̂, the probability that the next drafted token is accepted, learnt from verdicts with exponential forgetting.
///
/// A Beta prior stands for tokens seen in advance; about the last 64 judged tokens count. Tokens behind a first
/// rejection are censored, not failures, and are never recorded (ALGORITHMS 7).
package struct AcceptanceEstimator: Sendable, Hashable {
    /// Kept per judged token: the weights sum to 1 / (1 − kept) = 64 tokens in the long run.
    private static let kept = 1 - 1.0 / 64
    /// α̂ stays inside: at 0 nothing would ever be drafted again, at 1 no draft would be long enough.
    package static let range = 0.02...0.98

    private let priorAlpha: Double
    private let priorTokens: Double
    private var accepted = 0.0
    private var judged = 0.0

    /// - Parameters:
    ///   - alpha: what to expect before any verdict, in 0 ... 1.
    ///   - tokens: how many judged tokens this expectation is worth.
    package init(priorAlpha alpha: Double = 0.6, worthTokens tokens: Double = 4) {
        precondition((0...1).contains(alpha) && tokens > 0, "prior \(alpha) worth \(tokens) tokens")
        priorAlpha = alpha
        priorTokens = tokens
    }

    /// Takes in one verdict: `accepted` tokens passed, then one failed if `rejected`.
    package mutating func record(accepted passed: Int, rejected: Bool) {
        for _ in 0..<passed { judge(1) }
        if rejected { judge(0) }
    }

    /// The estimate, in 0.02 ... 0.98.
    package var alpha: Double {
        let mean = (priorAlpha * priorTokens + accepted) / (priorTokens + judged)
        return min(max(mean, Self.range.lowerBound), Self.range.upperBound)
    }

    private mutating func judge(_ outcome: Double) {
        accepted = accepted * Self.kept + outcome
        judged = judged * Self.kept + 1
    }
}

import RealModule

/// How many tokens a drafter drafts before they are verified: the rule by which it stops.
///
/// A policy is a small value in a file of its own, named as its paper names it. It is asked in two places and need only
/// answer in one: once per round, by whoever paces the job (`draftLength`), and for each token, in the drafter
/// (`mayDraw` before the draw, `drew` after it). It changes speed, never results, if `isNonAnticipating` is heeded.
///
/// Wiring code uses `DraftLengthPolicy`, which holds one and keeps its bounds.
package protocol DraftPolicy: Sendable {
    /// Name, meaning, parameters with their ranges.
    static var manual: PolicyManual { get }

    /// - Parameters:
    ///   - parameters: those of `manual`, in their ranges.
    ///   - key: what the policy's own chance is keyed by; the same key, the same decisions.
    init(_ parameters: PolicyParameters, key: StreamKey)

    /// Whether no token's own value decides whether it is submitted. Where drafts are drawn from q and the rule divides
    /// by it, no other policy may be used (ALGORITHMS 0.5).
    var isNonAnticipating: Bool { get }

    /// Most drafts of the next round; 0 drafts nothing.
    mutating func draftLength(_ conditions: RoundConditions) -> Int

    /// Whether to draw a token at `place` from a q of these statistics.
    mutating func mayDraw(_ next: TokenStatistics, at place: DraftPlace) -> Bool

    /// What to do with the token that was drawn there, whose q(x) is `probability`.
    mutating func drew(_ next: TokenStatistics, probability: Double, at place: DraftPlace) -> DraftStep

    /// Takes in what a verdict said of a round's drafts.
    mutating func observe(_ outcome: RoundOutcome)
}

extension DraftPolicy {
    package var isNonAnticipating: Bool { true }
    package mutating func draftLength(_ conditions: RoundConditions) -> Int { conditions.most }
    package mutating func mayDraw(_ next: TokenStatistics, at place: DraftPlace) -> Bool { true }
    package mutating func drew(
        _ next: TokenStatistics, probability: Double, at place: DraftPlace
    ) -> DraftStep { .goOn }
    package mutating func observe(_ outcome: RoundOutcome) {}
}

/// What is known of a draft before it is drawn: functions of q at its place, and so of the text before it alone.
///
/// What the engine did not compute is NaN; a rule that needs it then goes on.
package struct TokenStatistics: Sendable, Hashable {
    /// H(q) = −Σ q ln q, in nats.
    package var entropy: Double
    /// The largest q(x).
    package var topProbability: Double
    /// By how much the best token leads the next, in nats: of ln q, or of the perturbed scores under the coupled rule.
    package var margin: Double

    package init(entropy: Double = .nan, topProbability: Double = .nan, margin: Double = .nan) {
        self.entropy = entropy
        self.topProbability = topProbability
        self.margin = margin
    }

    /// Those of the row that a draft will be drawn from.
    package init(_ row: WeightRow) {
        var (first, second) = (0.0, 0.0)
        entropy = 0
        for entry in row.entries {
            let q = Double(entry.weight) / Double(row.total)
            entropy -= q * Double.log(q)
            (first, second) = q > first ? (q, first) : (first, max(second, q))
        }
        topProbability = first
        margin = second > 0 ? Double.log(first / second) : .infinity
    }
}

/// Where a draft would stand.
package struct DraftPlace: Sendable, Hashable {
    /// Drafts between it and the committed text, 0 for the first of a round.
    package var depth: Int

    package init(depth: Int) { self.depth = depth }
}

/// What follows a draw.
package enum DraftStep: Sendable, Hashable {
    case goOn
    /// The token is a draft, the last of the round.
    case keepThenStop
    /// The token is no draft: its own value decided that.
    case dropThenStop
}

/// A draft that was drawn, as its verdict finds it.
package struct DraftedToken: Sendable, Hashable {
    /// What was known before the draw.
    package var statistics: TokenStatistics
    /// q(x); NaN if unknown.
    package var probability: Double

    package init(_ statistics: TokenStatistics, probability: Double = .nan) {
        self.statistics = statistics
        self.probability = probability
    }
}

/// What a verdict said of a round's drafts.
package struct RoundOutcome: Sendable, Hashable {
    /// Drafts judged together.
    package var drafted: Int
    /// How many of them stand; behind the first that does not, nothing was decided.
    package var accepted: Int
    /// Whether drafting ended at the round's limit, not by a stop rule.
    package var hitLimit: Bool
    /// The drafts in order, as far as they are known here.
    package var tokens: [DraftedToken]

    package init(drafted: Int, accepted: Int, hitLimit: Bool = false, tokens: [DraftedToken] = []) {
        precondition(0 <= accepted && accepted <= drafted, "\(accepted) of \(drafted) drafts accepted")
        self.drafted = drafted
        self.accepted = accepted
        self.hitLimit = hitLimit
        self.tokens = tokens
    }

    package var isRejected: Bool { accepted < drafted }
}

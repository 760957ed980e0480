/// By what factor a way to decode is faster than its forecast, with an error: tokens over expected tokens, both summed
/// with exponential forgetting over the rounds so far, 256 at most.
///
/// A ratio of sums, because a mean of rounds' own ratios would favour short rounds.
struct MeasuredRate: Sendable, Hashable {
    /// Rounds that count; fewer at first, when forecasts were made from less than what is known now.
    private var memory: Double { min(256, 8 + Double(rounds)) }
    /// The forecast itself counts as so many rounds at first, and as one less after each eighth: eight rounds of bad
    /// luck are no slow drafter. Fewer where rounds are less a matter of luck, in proportion to the variance.
    private static let priorRounds = 8.0
    private static let fading = 0.125
    private static let usualSpread = 0.5
    /// Spreads by which a round may have been slower: more is somebody else's work.
    private static let outlier = 2.5
    /// The relative error before any round.
    private static let unknownError = 0.5

    /// The relative error of one round until there are enough to tell.
    private let spread: Double
    private(set) var rounds = 0
    /// Rounds that the forecast itself counts as.
    private var prior: Double
    private var tokens = 0.0
    private var expected = 0.0
    private var weight = 0.0
    /// Weighted squares of what rounds were off by.
    private var squares = 0.0

    init(spread: Double = usualSpread) {
        self.spread = spread
        prior = Self.priorRounds * (spread * spread) / (Self.usualSpread * Self.usualSpread)
    }

    mutating func record(tokens count: Double, expected wanted: Double) {
        rounds += 1
        prior = max(0, prior - Self.fading)
        let wanted = min(wanted, count / correction * (1 + Self.outlier * spread))
        let kept = 1 - 1 / memory
        tokens = tokens * kept + count
        expected = expected * kept + wanted
        weight = weight * kept + 1
        let off = count - correction * wanted
        squares = squares * kept * kept + off * off
    }

    /// Lets what was seen so far weigh as little as `share` of the rounds that it may hold.
    mutating func age(to share: Double) {
        tokens *= share
        expected *= share
        weight *= share
        prior *= share
        squares *= share * share
    }

    /// The same of rounds in other circumstances: no more than so many count as seen, and the error grows as if there
    /// had been as few.
    mutating func doubt(to share: Double, rounds most: Int) {
        age(to: share)
        squares /= share
        rounds = min(rounds, most)
    }

    /// 1 before any round.
    var correction: Double {
        guard expected > 0, tokens > 0 else { return 1 }
        return (tokens + prior * tokensPerRound) / (expected + prior * tokensPerRound)
    }

    /// The standard error of `correction`, relative to it.
    var relativeError: Double {
        guard rounds > 0, tokens > 0 else { return Self.unknownError }
        let seen = squares.squareRoot() / tokens
        return rounds < 32 ? max(seen, spread / Double(rounds).squareRoot()) : seen
    }

    /// Mean tokens of a round; 1 before any.
    var tokensPerRound: Double { weight > 0 ? tokens / weight : 1 }
}

import RealModule

/// What one position of a text was like for a drafter: whether its draft there is the target's token, given that all
/// before it were, and what it knew.
package struct TracePosition: Sendable, Hashable {
    package var agrees: Bool
    /// Known before the draw.
    package var statistics: TokenStatistics
    /// q(x) of the token that was drafted; NaN if unknown.
    package var probability: Double

    package init(agrees: Bool, statistics: TokenStatistics = TokenStatistics(), probability: Double = .nan) {
        self.agrees = agrees
        self.statistics = statistics
        self.probability = probability
    }
}

/// Where a simulated drafter agrees with its target (ALGORITHMS 10.6).
///
/// It belongs to the position and not to the moment: under coupled sampling what is drafted at a position does not
/// depend on when, so runs that differ in delays only decode the same tokens.
package enum Agreement: Sendable, Hashable {
    /// With probability α at each position, independently.
    case bernoulli(Double)
    /// Two kinds of text, in which drafts agree with probability `high` and `low`; each position stays in the kind of
    /// the one before with probability `stay`, and a half of all are of each.
    case markov(high: Double, low: Double, stay: Double)
    /// As recorded, from its beginning again when it ends. Jobs but the first begin elsewhere in it.
    case recorded([TracePosition])

    /// What is wrong with it, in words; `nil` if it can be used.
    package var complaint: String? {
        func isProbability(_ value: Double) -> Bool { (0...1).contains(value) }
        switch self {
        case .bernoulli(let alpha): return isProbability(alpha) ? nil : "alpha \(alpha) is not within 0 to 1"
        case .markov(let high, let low, let stay):
            return [high, low, stay].allSatisfy(isProbability)
                ? nil : "agreement \(high), \(low) and persistence \(stay) must be within 0 to 1"
        case .recorded(let positions): return positions.isEmpty ? "the recorded trace has no positions" : nil
        }
    }

    /// What a job's chance is keyed by.
    static func key(job: Int, seed: UInt64) -> StreamKey {
        StreamKey(rawValue: seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(job))
    }

    /// The first `count` positions of the text of a job, 0 the first.
    ///
    /// Where the trace is synthetic, entropy and probability are such that AdaEDL's bound, 1 − √(0.2·H), is the
    /// position's rate of agreement: a drafter that knows how sure it may be.
    package func positions(_ count: Int, job: Int, seed: UInt64) -> [TracePosition] {
        let random = PositionalRandom(key: Self.key(job: job, seed: seed))
        func uniform(_ index: Int, _ use: Int) -> Double { random.uniform(at: index, lane: .policy, sibling: use) }
        func position(_ index: Int, _ alpha: Double) -> TracePosition {
            let statistics = TokenStatistics(
                entropy: (1 - alpha) * (1 - alpha) / 0.2, topProbability: alpha, margin: -.log(onePlus: -alpha))
            return TracePosition(agrees: uniform(index, 1) < alpha, statistics: statistics, probability: alpha)
        }
        switch self {
        case .bernoulli(let alpha): return (0..<count).map { position($0, alpha) }
        case .markov(let high, let low, let stay):
            var isHigh = uniform(0, 2) < 0.5
            return (0..<count).map { index in
                if index > 0, uniform(index, 2) >= stay { isHigh.toggle() }
                return position(index, isHigh ? high : low)
            }
        case .recorded(let recorded):
            let start = job == 0 ? 0 : Int(uniform(0, 3) * Double(recorded.count))
            return (0..<count).map { recorded[(start + $0) % recorded.count] }
        }
    }
}

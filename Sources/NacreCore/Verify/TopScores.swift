/// Scores offered one by one, of which the best few are kept. Of equal scores the lowest id is better.
protocol TopScores {
    /// A score below this changes nothing any more.
    var threshold: Double { get }
    mutating func offer(_ score: Double, _ token: Int)
}

/// The best and second-best score of those offered so far.
struct TopTwo: TopScores {
    private(set) var token = 0
    private(set) var best = -Double.infinity
    private(set) var second = -Double.infinity

    init() {}

    /// The largest finite logits of a row.
    init(of row: UnsafeBufferPointer<Float>) {
        for token in row.indices {
            let logit = Double(row[token])
            if logit > second, logit < .infinity { offer(logit, token) }
        }
    }

    @inline(__always)
    var threshold: Double { second }

    mutating func offer(_ score: Double, _ token: Int) {
        if score > best || (score == best && token < self.token) {
            second = best
            best = score
            self.token = token
        } else if score > second {
            second = score
        }
    }

    var choice: Choice {
        Choice(token: TokenID(rawValue: UInt32(truncatingIfNeeded: token)), margin: Float(best - second))
    }
}

/// The best `count` of the scores offered, and the one behind them, which the last margin is measured against.
struct TopFew: TopScores {
    private let count: Int
    /// Best first, up to `count` and the one behind them.
    private(set) var kept: [(score: Double, token: Int)] = []

    init(_ count: Int) {
        self.count = count
        kept.reserveCapacity(count + 2)
    }

    var threshold: Double { kept.count > count ? kept[count].score : -.infinity }

    mutating func offer(_ score: Double, _ token: Int) {
        guard score > -.infinity, score >= threshold else { return }
        let place = kept.firstIndex { score > $0.score || (score == $0.score && token < $0.token) } ?? kept.count
        kept.insert((score, token), at: place)
        if kept.count > count + 1 { kept.removeLast() }
    }

    /// Best first; the margin of each is its distance to the next.
    var choices: [Choice] {
        kept.prefix(count).enumerated().map { place, entry in
            let next = place + 1 < kept.count ? kept[place + 1].score : -.infinity
            return Choice(
                token: TokenID(rawValue: UInt32(truncatingIfNeeded: entry.token)), margin: Float(entry.score - next))
        }
    }
}

extension [Candidate] {
    /// These candidates and those of another drafter for the same position, the `count` best, best first.
    ///
    /// The other one speaks for the case that all of these fail: a token that it adds is right with its own probability
    /// times what these leave over, so that the sum stays below 1. A token that both have counts as the surer of the
    /// two sees it, within what the rest leaves.
    ///
    /// Legal for deterministic and coupled drafts, as `DraftTree.unite`.
    package func united(with others: [Candidate], count: Int) -> [Candidate] {
        var union = self
        let left = Swift.max(0, 1 - reduce(0) { $0 + $1.probability })
        for other in others {
            if let place = firstIndex(where: { $0.token == other.token }) {
                let most = self[place].probability + left
                union[place].probability = Swift.max(self[place].probability, Swift.min(other.probability, most))
            } else {
                union.append(Candidate(token: other.token, probability: other.probability * left))
            }
        }
        // What was raised may have taken what was added behind it.
        let total = union.reduce(0) { $0 + $1.probability }
        if total > 1 { for place in union.indices { union[place].probability /= total } }
        return union.bestFirst(count)
    }

    /// The `count` best, of equal ones the earlier.
    package func bestFirst(_ count: Int) -> [Candidate] {
        let order = indices.sorted { (self[$1].probability, $0) < (self[$0].probability, $1) }
        return order.prefix(count).map { self[$0] }
    }
}

/// How often each token followed one piece of text, and how long ago.
package struct ContinuationCounts {
    private var entries: [(token: TokenID, count: Int, recency: Int)] = []
    /// How often others followed that are not listed.
    package var overlooked = 0

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }
    /// Different tokens.
    package var count: Int { entries.count }

    /// - Parameter recency: larger is more recent.
    package mutating func add(_ token: TokenID, times: Int = 1, recency: Int) {
        if let place = entries.firstIndex(where: { $0.token == token }) {
            entries[place].count += times
            entries[place].recency = max(entries[place].recency, recency)
        } else {
            entries.append((token, times, recency))
        }
    }

    /// The same for a token that has not been added yet, without a search.
    package mutating func append(_ token: TokenID, times: Int, recency: Int) {
        entries.append((token, times, recency))
    }

    /// The `most` that came most often, of equals the most recent: after a match of m tokens, one that came c of n
    /// times is given probability c / (n + 2/m).
    ///
    /// The 2/m is the chance of something never seen: after a match of one token a single precedent counts 1/3, after
    /// eight tokens 4/5. A starting point only: verdicts correct it (`ConfidenceCalibration`).
    package func candidates(_ most: Int, matched: Int) -> [Candidate] {
        let total = Double(entries.reduce(overlooked) { $0 + $1.count }) + 2 / Double(matched)
        let order = entries.sorted { ($1.count, $1.recency, $0.token) < ($0.count, $0.recency, $1.token) }
        return order.prefix(most).map { Candidate(token: $0.token, probability: Double($0.count) / total) }
    }
}

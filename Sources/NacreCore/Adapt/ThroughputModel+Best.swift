// The schedules at the draft length that suits them best, for whoever decides before anything was drafted.
extension ThroughputModel {
    /// Most drafts of a round that are thought through.
    private static let draftsMax = 16

    /// Vanilla speculative decoding.
    package var inTurns: (drafts: Int, tokensPerSecond: Double) { Self.best { speculative(gamma: $0) } }

    /// The stream, which after a rejection waits for so many drafts as pay, and for no pass behind that.
    package var overlapped: (drafts: Int, tokensPerSecond: Double) {
        Self.best { drafts in (0...drafts).map { stream(drafts: drafts, awaited: $0) }.max() ?? 0 }
    }

    /// The stream in passes of at most `drafts`, whose first after a rejection waits for `awaited` of them: a run that
    /// begins with a prepared branch of that length, and the time that it took to make one.
    private func stream(drafts: Int, awaited: Int) -> Double {
        guard awaited > 0 else { return stream(batchCap: drafts + 1) }
        let prepared = stream(batchCap: drafts + 1, branchHit: 1, branchTokens: awaited)
        let tokens = 1 / (1 - alpha)
        let wait = Double(awaited) * draftMicroseconds + 2 * delayMicroseconds
        return tokens / (tokens / prepared + wait / 1e6)
    }

    /// The length of the highest rate; of equals the shortest.
    private static func best(_ rate: (Int) -> Double) -> (drafts: Int, tokensPerSecond: Double) {
        var best = (drafts: 1, tokensPerSecond: rate(1))
        for drafts in 2...draftsMax {
            let next = rate(drafts)
            if next > best.tokensPerSecond { best = (drafts, next) }
        }
        return best
    }
}

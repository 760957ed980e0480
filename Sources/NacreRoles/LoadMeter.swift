import NacreCore
import NacreProtocol

/// A node's load between two heartbeats.
struct LoadMeter: Sendable {
    private let engines: Int
    private var since: Instant
    private var busy = 0
    private var passes = 0
    /// As they stood at `since`.
    private var counted: [PairReport] = []
    private var last = Load(jobs: 0, busy: 0, stepMicroseconds: 0)

    /// Shortest span that a share of busy time is taken over, in microseconds.
    private static let span = Instant.milliseconds(400)

    /// - Parameter engines: that compute at the same time; a node is wholly busy when all of them are.
    init(engines: Int = 1, now: Instant) {
        self.engines = engines
        since = now
    }

    mutating func count(_ outcome: PassOutcome) {
        guard case .done(_, let started, let ended) = outcome else { return }
        busy += ended - started
        passes += 1
    }

    /// - Parameter pairs: without their rates, which are taken here.
    mutating func read(
        jobs: Int, clock: NodeClock = NodeClock(), pairs: [PairReport] = [], at now: Instant
    ) -> Load {
        last.jobs = jobs
        last.clock = clock
        let rates = last.pairs
        last.pairs = pairs.map { pair in
            var pair = pair
            pair.tokensPerSecond = rates.first { pair.isOf($0) }?.tokensPerSecond ?? 0
            return pair
        }
        let elapsed = now - since
        guard elapsed >= LoadMeter.span else { return last }
        last.busy = min(1, Float(busy) / Float(elapsed * engines))
        last.stepMicroseconds = passes == 0 ? 0 : UInt32(clamping: busy / passes)
        for index in last.pairs.indices {
            let pair = last.pairs[index]
            let before = counted.first { pair.isOf($0) }?.counts.tokens ?? 0
            let tokens = pair.counts.tokens >= before ? pair.counts.tokens - before : 0
            last.pairs[index].tokensPerSecond = Float(Double(tokens) * 1e6 / Double(elapsed))
        }
        counted = last.pairs
        since = now
        busy = 0
        passes = 0
        return last
    }
}

import NacreCore

/// How fast one drafter answers, as its verifier sees it: network, queueing and drawing together.
package struct DraftPace: Sendable, Equatable {
    /// From a verdict that left no draft standing to the first draft that stands, in microseconds; 0 unknown.
    package private(set) var response = 0.0
    /// From one draft to the next, in microseconds; 0 unknown.
    package private(set) var interval = 0.0
    /// What of the responses the drafter did not compute: the way there and back, and its other work, in microseconds.
    package private(set) var wire = 0
    /// t_q, what the drafter computes for one draft, in microseconds; 0 unknown.
    package private(set) var drawing = 0.0
    private var awaitedSince: Instant?
    /// The first pass of a stream reads the text too: it says nothing about a draft.
    private var hasDrawn = false
    private var lastArrival: Instant?
    /// The drafter said that it stops until a verdict lets it go on.
    private var isPaused = false

    /// The share of a new measurement in the running mean.
    private static let share = 0.125

    package init() {}

    /// A verdict went out that left `standing` drafts.
    package mutating func told(standing: Int, at now: Instant) {
        awaitedSince = standing == 0 ? now : nil
        if standing == 0 || isPaused { lastArrival = standing == 0 ? nil : now }
        isPaused = false
    }

    /// 2d, the way to the drafter and back with what else it does there, in microseconds; `nil` unknown.
    package var roundTrip: Double? { response > 0 && drawing > 0 ? max(0, response - drawing) : nil }

    /// `tokens` drafts arrived, after which `standing` ones stand; the drafter computed for so many microseconds.
    ///
    /// - Parameter isCatchingUp: whether that holds the reading of several rounds' tokens, which is no part of t_q.
    package mutating func arrived(
        standing: Int, end: DraftEnd, computed: Int, tokens: Int, isCatchingUp: Bool = false, at now: Instant
    ) {
        if tokens > 0, computed > 0 {
            if hasDrawn, !isCatchingUp { drawing = DraftPace.mean(drawing, Double(computed) / Double(tokens)) }
            hasDrawn = true
        }
        if standing > 0, let since = awaitedSince {
            if !isCatchingUp { response = DraftPace.mean(response, Double(now - since)) }
            wire += max(0, now - since - computed)
            awaitedSince = nil
        } else if let lastArrival, awaitedSince == nil {
            interval = DraftPace.mean(interval, Double(now - lastArrival))
        }
        lastArrival = now
        isPaused = end != .open
    }

    /// When the next standing draft is expected; `nil` when there is no telling.
    package var nextExpected: Instant? {
        guard response > 0, interval > 0, !isPaused else { return nil }
        if let awaitedSince { return awaitedSince + Int(response) }
        return lastArrival.map { $0 + Int(interval) }
    }

    private static func mean(_ mean: Double, _ sample: Double) -> Double {
        mean == 0 ? sample : mean + share * (min(sample, 8 * mean) - mean)
    }
}

package import NacreCore

/// How a job paces its passes against its drafter. The four methods commit the same tokens, because under coupling
/// the target's own token is committed whatever was drafted (ALGORITHMS 9.1); they differ in who waits for whom.
package enum Schedule: Sendable, Equatable {
    case autoregressive
    case speculative(SpeculativeSchedule)
    case pearl(PearlSchedule)
    case stream(StreamSchedule)

    /// - Parameter gamma: draft length γ; 0 takes the method's default.
    package init(_ method: DecodingMethod, gamma: Int) {
        switch method {
        case .autoregressive: self = .autoregressive
        case .speculative: self = .speculative(SpeculativeSchedule(gamma: gamma == 0 ? 4 : gamma))
        case .pearl: self = .pearl(PearlSchedule(gamma: gamma == 0 ? 4 : gamma))
        case .stream: self = .stream(StreamSchedule(nodesMax: gamma == 0 ? 16 : gamma))
        }
    }

    package var wantsDrafter: Bool { self != .autoregressive }

    /// What the job wants from the next pass.
    package func turn(_ view: ChainView) -> Turn {
        guard view.hasDrafter else { return .exactly(0) }
        return switch self {
        case .autoregressive: .exactly(0)
        case .speculative(let schedule): schedule.turn(view)
        case .pearl(let schedule): schedule.turn(view)
        case .stream(let schedule): schedule.turn(view)
        }
    }

    /// Whether a finished pass may be judged now, or its verdict is held until the drafter's window is complete.
    package func mayJudge(_ view: ChainView) -> Bool {
        guard view.hasDrafter, case .pearl(let schedule) = self else { return true }
        return schedule.mayJudge(view)
    }

    /// The pass was judged: `passed` says whether every check of it succeeded.
    package mutating func judged(passed: Bool) {
        guard case .pearl(var schedule) = self else { return }
        schedule.judged(passed: passed)
        self = .pearl(schedule)
    }

    /// Drafting starts anew at the committed end: no window is outstanding.
    package mutating func restart() {
        guard case .pearl(var schedule) = self else { return }
        schedule.judged(passed: false)
        self = .pearl(schedule)
    }

    /// Positions that may be drafted once `committed` tokens stand: the drafter stops below this.
    package func positionLimit(committed: Position, windowPositions: Int) -> Position {
        switch self {
        case .autoregressive: committed
        case .speculative(let schedule): committed + schedule.gamma
        case .pearl(let schedule): committed + schedule.positionsAhead
        case .stream: committed + windowPositions
        }
    }
}

/// What a schedule may look at.
package struct ChainView: Sendable, Equatable {
    /// A drafter is bound and ready.
    package var hasDrafter: Bool
    /// Draft tokens beyond the committed text that are here.
    package var unjudged: Int
    /// The drafter will send no more before a verdict.
    package var isExhausted: Bool
    /// Output tokens that the job may still commit, at least 1.
    package var remaining: Int

    package init(hasDrafter: Bool, unjudged: Int, isExhausted: Bool, remaining: Int) {
        self.hasDrafter = hasDrafter
        self.unjudged = unjudged
        self.isExhausted = isExhausted
        self.remaining = remaining
    }

    /// Draft tokens worth verifying: the pass commits one more token than it verifies.
    package var verifiable: Int { min(unjudged, remaining - 1) }
}

/// A job's part in the next pass: the last committed token and so many drafts behind it.
package enum Turn: Sendable, Equatable {
    /// Not now: the method waits for its drafter.
    case wait
    case exactly(Int)
    /// As many as are worth their cost, up to this.
    case upTo(Int)
}

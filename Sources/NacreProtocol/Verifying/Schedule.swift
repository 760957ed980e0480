import NacreCore

/// How a job paces its passes against its drafters. The four methods commit the same tokens, because under coupling
/// the target's own token is committed whatever was drafted (ALGORITHMS 9.1); they differ in who waits for whom.
package enum Schedule: Sendable, Equatable {
    case autoregressive
    case speculative(SpeculativeSchedule)
    case pearl(PearlSchedule)
    case stream(StreamSchedule)

    /// A draft length γ of 0 takes the method's default.
    package init(_ speculation: Speculation) {
        let gamma = speculation.gamma
        switch speculation.method {
        case .autoregressive, .beam: self = .autoregressive
        case .dsbd: self = .speculative(SpeculativeSchedule(gamma: gamma == 0 ? 3 : gamma, shape: speculation.shape))
        // In turns: what is verified is a whole beam search.
        case .speculative, .mtad:
            self = .speculative(SpeculativeSchedule(gamma: gamma == 0 ? 4 : gamma, shape: speculation.shape))
        case .pearl: self = .pearl(PearlSchedule(gamma: gamma == 0 ? 4 : gamma))
        case .stream: self = .stream(StreamSchedule(nodesMax: gamma == 0 ? 16 : gamma))
        }
    }

    /// The next round has at most so many drafts; no method goes below 1.
    package mutating func setDraftLength(_ drafts: Int) {
        let drafts = max(1, drafts)
        switch self {
        case .autoregressive: break
        case .speculative(let schedule):
            self = .speculative(SpeculativeSchedule(gamma: drafts, shape: schedule.shape))
        case .pearl(var schedule):
            schedule.setDraftLength(drafts)
            self = .pearl(schedule)
        case .stream: self = .stream(StreamSchedule(nodesMax: drafts))
        }
    }

    package var wantsDrafter: Bool { self != .autoregressive }

    /// What the job wants from the next pass.
    package func turn(_ view: DraftView) -> Turn {
        guard view.hasDrafter else { return .spine(0) }
        return switch self {
        case .autoregressive: .spine(0)
        case .speculative(let schedule): schedule.turn(view)
        case .pearl(let schedule): schedule.turn(view)
        case .stream(let schedule): schedule.turn(view)
        }
    }

    /// Whether a finished pass may be judged now, or its verdict is held until the drafter's window is complete.
    package func mayJudge(_ view: DraftView) -> Bool {
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

    /// Positions behind the committed text that may be drafted: the drafter stops there. `window` is what keeps a
    /// free-running drafter busy.
    package func positionsAhead(window: Int) -> Int {
        switch self {
        case .autoregressive: 0
        case .speculative(let schedule): schedule.positionsAhead
        case .pearl(let schedule): schedule.positionsAhead
        case .stream: window
        }
    }
}

/// What a schedule may look at.
package struct DraftView: Sendable, Equatable {
    /// A drafter is bound and ready.
    package var hasDrafter: Bool
    /// Drafts behind the committed text that are here: those of the first path, and all.
    package var spine: Int
    package var nodes: Int
    /// No drafter will send more before a verdict.
    package var isExhausted: Bool
    /// Output tokens that the job may still commit, at least 1.
    package var remaining: Int

    package init(hasDrafter: Bool, spine: Int, nodes: Int, isExhausted: Bool, remaining: Int) {
        self.hasDrafter = hasDrafter
        self.spine = spine
        self.nodes = nodes
        self.isExhausted = isExhausted
        self.remaining = remaining
    }

    /// Drafts of the first path worth verifying: the pass commits one more token than it verifies.
    package var verifiable: Int { min(spine, remaining - 1) }
}

/// A job's part in the next pass: the last committed token and drafts behind it.
package enum Turn: Sendable, Equatable {
    /// Not now: the method waits for its drafter.
    case wait
    /// So many drafts of the first path.
    case spine(Int)
    /// All drafts.
    case all
    /// Those that are worth their cost, up to so many.
    case upTo(Int)
}

/// PEARL's lock-step state machine (Liu et al. 2024, Algorithm 2; ALGORITHMS 2.1): drafter and target work at the
/// same time, and a step ends when both have ended.
///
/// With n the committed length and x the committed text:
/// - `pre` (pre-verify): the target evaluates x[n−1] alone while the drafter drafts d_1 ... d_γ at n ... n+γ−1. Then
///   d_1 is checked. Accepted: it is committed, and `post` follows with the window W = d, of which w_1 = d_1.
///   Rejected: the correction is committed, `pre` follows.
/// - `post` (post-verify): the target evaluates w_1 ... w_γ (w_1 is x[n−1]) while the drafter drafts the next window
///   e_1 ... e_γ at n+γ−1 ... n+2γ−2. Then w_2 ... w_γ and e_1 are checked: γ checks. All pass: they are committed
///   and `post` follows with W = e; there is no bonus token, the last row was spent on e_1. The j-th fails: j−1
///   tokens and the correction are committed, `pre` follows.
package struct PearlSchedule: Sendable, Equatable {
    package enum Phase: Sendable, Equatable {
        case pre, post
    }

    /// Length of the window that is drafted, and of the one that is verified in `post`.
    package private(set) var gamma: Int
    private var window: Int
    package private(set) var phase: Phase = .pre

    package init(gamma: Int) { (self.gamma, window) = (gamma, gamma) }

    /// Drafts that follow come in windows of so many, at least 1.
    package mutating func setDraftLength(_ gamma: Int) { self.gamma = max(1, gamma) }

    /// Length of the drafted text beyond the committed end at which the drafter's window is complete.
    package var positionsAhead: Int {
        switch phase {
        case .pre: gamma
        case .post: window - 1 + gamma
        }
    }

    package func turn(_ view: DraftView) -> Turn {
        switch phase {
        case .pre: return .spine(0)
        case .post:
            // w_2 ... w_γ are here: the step before did not end without them.
            return .spine(min(window - 1, view.verifiable))
        }
    }

    package func mayJudge(_ view: DraftView) -> Bool {
        view.spine >= min(positionsAhead, view.remaining) || view.isExhausted
    }

    package mutating func judged(passed: Bool) {
        phase = passed ? .post : .pre
        window = gamma
    }
}

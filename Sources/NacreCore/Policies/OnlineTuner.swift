import RealModule

/// Finds the best of a few policies while jobs run, and loses next to nothing by looking.
///
///     tuner.record(tokens: 3, seconds: 0.08)      // after each commit of the job that is watched
///     if tuner.mustStop(after: 0.3) { tuner.stop() }   // while none comes
///     decode(under: tuner.current)
///
/// One job of a pair is watched. Now and then another policy is tried in it for a few tokens, and held against what the
/// job did just before: the text and the load are the same, so that little more than the policy differs. A policy that
/// is faster by more than the spread of its trials takes over; one that is slower is tried more and more rarely, but
/// never for the last time, since texts and loads change.
///
/// Trials are paid from a credit, as the governor's probes are: each token decoded without one earns `share` of a
/// token, a trial costs what it was slower, and is broken off when that is spent. So all trials together lose at most
/// `share` of the tokens, however bad a policy is, and one step more for each.
package struct OnlineTuner: Sendable {
    /// Share of tokens that may be lost: below the 3 % that are promised, for the steps that overdraw.
    package static let share = 0.025

    /// Tokens of a trial, and at least as many before it that it is held against.
    private static let sliceTokens = 24.0
    /// Credit that may be saved up, in tokens.
    private static let creditMax = 48.0
    /// Credit that a trial of an unknown policy begins with: broken off earlier it would tell nothing.
    private static let creditMin = 6.0
    /// Tokens from a trial of a policy to its next.
    private static let pause = 96.0...24_576
    /// Trials before a policy may take over.
    private static let trialsMin = 4.0
    /// What an earlier trial counts of a later one.
    private static let memory = 0.97
    /// Of the spread of one trial, before there are several: generous, so that none is believed alone.
    private static let spreadBefore = 0.3

    /// What its trials showed of a policy, held against the incumbent.
    package struct Arm: Sendable, Hashable {
        /// Of the logarithms of its trials' ratios: the sum of their weights, theirs, and that of their squares.
        package private(set) var weight = 0.0
        package private(set) var sum = 0.0
        package private(set) var squares = 0.0
        /// Tokens from a trial to the next.
        package fileprivate(set) var pause = OnlineTuner.pause.lowerBound
        fileprivate var due = 0.0

        package init() {}

        /// As it was kept; `nil` for what no trials can have shown.
        package init?(weight: Double, sum: Double, squares: Double, pause: Double) {
            let most = 1 / (1 - OnlineTuner.memory)
            guard (0...most).contains(weight), sum.isFinite, squares.isFinite, squares >= 0,
                weight > 0 || sum == 0 && squares == 0, OnlineTuner.pause.contains(pause)
            else { return nil }
            (self.weight, self.sum, self.squares, self.pause, due) = (weight, sum, squares, pause, pause)
        }

        /// What was held against another incumbent says little about this one; its next trial comes after `seen`.
        fileprivate mutating func forget(seen: Double) {
            self = Arm()
            due = seen + pause
        }

        fileprivate var mean: Double { weight > 0 ? sum / weight : 0 }
        fileprivate var error: Double {
            guard weight > 0 else { return .infinity }
            let variance = max(0, squares / weight - mean * mean)
            let before = OnlineTuner.spreadBefore * OnlineTuner.spreadBefore
            // As if one trial with the usual spread had come before.
            return ((variance * weight + before) / (weight + 1) / weight).squareRoot()
        }

        /// Takes in a trial. One that was far faster than those before it says that times have changed: then these
        /// count no more, for by their weight they would hide it for long.
        fileprivate mutating func take(_ logarithm: Double) {
            let spread = max(OnlineTuner.spreadBefore, (max(0, squares / max(weight, 1) - mean * mean)).squareRoot())
            if weight > 0, logarithm > mean + 2 * spread {
                (weight, sum, squares) = (0, 0, 0)
                pause = OnlineTuner.pause.lowerBound
            }
            weight = weight * OnlineTuner.memory + 1
            sum = sum * OnlineTuner.memory + logarithm
            squares = squares * OnlineTuner.memory + logarithm * logarithm
        }
    }

    package private(set) var arms: [Arm]
    /// The policy that all other jobs have.
    package private(set) var incumbent = 0
    /// The one that is being tried in the job that is watched.
    package private(set) var trial: Int?
    /// All tokens of jobs that were watched.
    private var seen = 0.0
    private var credit = 0.0
    /// Of the incumbent in this job: the last tokens and their time, older ones fading.
    private var reference = (tokens: 0.0, seconds: 0.0)
    private var tried = (tokens: 0.0, seconds: 0.0)
    /// All of the trial, with its first step, and the credit that it began with.
    private var paid = (tokens: 0.0, seconds: 0.0)
    private var creditBefore = 0.0
    /// The step after a change still holds something of what was before.
    private var isSettling = false

    /// - Parameter arms: policies, from the one to begin with.
    package init(arms count: Int) {
        precondition(count > 0, "no policies")
        arms = Array(repeating: Arm(), count: count)
    }

    /// Goes on from what was found earlier, of the same policies.
    ///
    /// - Parameter incumbent: the place of one of them.
    package init(arms: [Arm], incumbent: Int) {
        precondition(arms.indices.contains(incumbent), "policy \(incumbent) of \(arms.count)")
        self.arms = arms
        self.incumbent = incumbent
    }

    /// The policy of the job that is watched.
    package var current: Int { trial ?? incumbent }

    /// Takes in what was committed, and the time since the commit before.
    package mutating func record(tokens: Double, seconds: Double) {
        guard tokens > 0, seconds > 0, seconds.isFinite else { return }
        seen += tokens
        guard trial != nil else {
            credit = min(Self.creditMax, credit + Self.share * tokens)
            if isSettling {
                isSettling = false
            } else {
                // The last two slices or so.
                let kept = reference.tokens > 2 * Self.sliceTokens ? 2 * Self.sliceTokens / reference.tokens : 1
                reference = (reference.tokens * kept + tokens, reference.seconds * kept + seconds)
            }
            begin()
            return
        }
        pay(tokens, seconds)
        if isSettling {
            isSettling = false
        } else {
            tried = (tried.tokens + tokens, tried.seconds + seconds)
        }
        if tried.tokens >= Self.sliceTokens || credit <= 0 { stop() }
    }

    /// Whether a trial has used its credit up, `seconds` after what was recorded last, with so many tokens since.
    package func mustStop(after seconds: Double, tokens: Double = 0) -> Bool {
        trial != nil && creditBefore + paid.tokens + tokens - rate * (paid.seconds + seconds) <= 0
    }

    /// Ends a trial, with what it has shown.
    ///
    /// - Parameters:
    ///   - seconds: since what was recorded last.
    ///   - tokens: since then.
    package mutating func stop(after seconds: Double = 0, tokens: Double = 0) {
        guard let arm = trial else { return }
        if seconds > 0 { pay(tokens, seconds) }
        tried = (tried.tokens + tokens, tried.seconds + seconds)
        if tried.seconds > 0, rate > 0 {
            // A trial without a token was slower than one token would have been.
            let ratio = max(tried.tokens, 0.5) / (rate * tried.seconds)
            // As long as a whole one counts as much; a short one shows a rate of few steps.
            if tried.tokens >= Self.sliceTokens / 2 || ratio < 0.9 { arms[arm].take(.log(ratio)) }
        }
        settle(arm)
        trial = nil
        isSettling = true
    }

    /// The job that was watched is over, another one is watched from now on, or what computes beside it has changed:
    /// what was measured says nothing of what follows. A trial shows nothing, and what it has cost stays spent.
    package mutating func leave() {
        if let arm = trial { arms[arm].due = seen + Self.pause.lowerBound }
        trial = nil
        isSettling = true
        reference = (0, 0)
    }

    // MARK: - Trials

    /// Tokens per second of the incumbent.
    private var rate: Double { reference.seconds > 0 ? reference.tokens / reference.seconds : 0 }

    private mutating func pay(_ tokens: Double, _ seconds: Double) {
        paid = (paid.tokens + tokens, paid.seconds + seconds)
        // A trial that is faster earns nothing: what was won is no reason to lose it.
        credit = creditBefore + min(0, paid.tokens - rate * paid.seconds)
    }

    private mutating func begin() {
        guard reference.tokens >= Self.sliceTokens else { return }
        let due = arms.indices.filter { $0 != incumbent && arms[$0].due <= seen && credit >= price(of: arms[$0]) }
        // The one with most to hope for; of those never tried the first.
        func hope(_ arm: Int) -> Double { arms[arm].mean + arms[arm].error }
        guard let arm = due.max(by: { hope($0) < hope($1) || hope($0) == hope($1) && $0 > $1 }) else { return }
        trial = arm
        tried = (0, 0)
        paid = (0, 0)
        creditBefore = credit
        isSettling = true
    }

    /// The credit that a trial needs: what it is likely to lose, and enough to be able to tell.
    private func price(of arm: Arm) -> Double {
        guard arm.weight > 0 else { return Self.creditMin }
        let lost = Self.sliceTokens * (1 - min(1, .exp(arm.mean)))
        // What is many times slower would lose all of it and tell no more.
        return max(Self.creditMin, min(Self.creditMax / 2, lost))
    }

    private mutating func settle(_ arm: Int) {
        let (mean, error) = (arms[arm].mean, arms[arm].error)
        if arms[arm].weight >= Self.trialsMin, mean > error, mean > .log(Governor.gain) {
            for other in arms.indices where other != arm { arms[other].forget(seen: seen) }
            arms[arm] = Arm()
            incumbent = arm
            reference = (0, 0)
            return
        }
        let isSlower = arms[arm].weight > 0 && mean + error < 0
        arms[arm].pause = isSlower ? min(2 * arms[arm].pause, Self.pause.upperBound) : Self.pause.lowerBound
        arms[arm].due = seen + arms[arm].pause
    }
}

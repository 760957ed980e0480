/// Never slower: whether a job should draft at all, by what was measured.
///
/// | state | leaves when | to |
/// |---|---|---|
/// | full (not of `best` lengths) | measured to be slower than plain; if `adapted`, than shortened | shortened |
/// | shortened (at most the cost model's best length) | slower than plain | resting |
/// | shortened | faster, and its pause is over; if `adapted`, and the policy's length may be as fast | full |
/// | full, shortened | seems slower, but plain decoding was never measured | checking |
/// | resting | expected to be faster beyond doubt, or a probe says so by `gain` | shortened |
/// | any | a probe of the other way is due and paid for | the same, after a few rounds |
///
/// What is compared is tokens per time of the two ways to decode, each as the cost model's forecast times a factor that
/// was measured: so a change of load or of acceptance, which the forecast knows, counts at once, and what the model
/// does not know (a drafter that takes the verifier's cores, drafts that come late) counts as measured. The spread of
/// the measurements is part of the decision.
///
/// Probes are paid from a credit: each decoded token earns `budget` of a token, and a probe costs what it was slower.
/// So probing stays below `budget` of all tokens, and an `endowment`, however bad the other way is, and pauses grow
/// while nothing changes.
package struct Governor: Sendable {
    private var state: State
    private var measured = MeasuredLengths()
    private var plain = MeasuredRate(spread: plainSpread)
    private var credit = endowment
    /// Rounds of drafting that were measured here, in no other circumstances.
    private var roundsHere = 0
    /// Rounds since the last probe or change.
    private var since = 0
    /// Rounds since the policy's own length was last thought of: looks at plain decoding must not keep it waiting.
    private var sinceFull = 0
    private var (restPause, checkPause, fullPause) = (firstPause, firstPause, pause.lowerBound)
    /// Looks at plain decoding before it was ever measured.
    private var checks = 0
    /// The first round of another way to decode still holds something of the one before.
    private var isSettling = false
    /// Rounds since the last change that told nothing.
    private var unusable = 0
    /// What is said of the last decision.
    package private(set) var reason = Reason.notMeasured

    private let lengths: Lengths

    package init(_ lengths: Lengths = .asked) {
        self.lengths = lengths
        state = lengths == .best ? .shortened : .full
    }

    /// The governor of the same drafts in other circumstances, another load for instance: it goes on from what is known
    /// here and takes it for little.
    package var elsewhere: Governor {
        var other = self
        other.measured.own.doubt(to: Self.agedTo, rounds: Self.roundsMin)
        other.measured.shortened.doubt(to: Self.agedTo, rounds: Self.roundsMin)
        other.plain.doubt(to: Self.agedTo, rounds: Self.roundsMin)
        (other.restPause, other.checkPause) = (Self.firstPause, Self.firstPause)
        switch state {
        case .probing: other.state = .resting
        case .checking(_, let isFull): other.state = isFull ? .full : .shortened
        case .full, .shortened, .resting: break
        }
        other.roundsHere = 0
        other.since = 0
        other.unusable = 0
        other.isSettling = true
        return other
    }

    /// Goes on where `last`, of the same drafts in other circumstances, leaves off: what may be spent on probes is one
    /// credit for all of them.
    package mutating func resume(after last: Governor) {
        credit = last.credit
        isSettling = isSettling || order.mayDraft != last.order.mayDraft
    }

    package var phase: Phase { state.phase(of: lengths) }

    /// By how much drafts that are expected to be so fast would be faster than plain decoding, by what was measured of
    /// such expectations.
    package func expectedRatio(_ forecast: Forecast) -> Double { ratio(forecast).value }

    /// The same for whoever has to pay before he drafts: what is beyond doubt. That other circumstances were better
    /// than was expected of them counts for nothing before a few rounds of drafting were measured in these.
    package func cautiousRatio(_ forecast: Forecast) -> Double {
        let ratio = ratio(forecast)
        let doubt = ratio.value > 0 ? Self.errors * ratio.error / ratio.value : 0
        return (roundsHere < Self.roundsMin ? min(ratio.value, ratio.forecast) : ratio.value) * max(0, 1 - doubt)
    }

    /// How the next round should be decoded, by `forecast` and what was measured so far.
    package mutating func next(_ forecast: Forecast) -> Order {
        let ratio = ratio(forecast)
        let (last, wasSettling) = (order.mayDraft, isSettling)
        defer { isSettling = order.mayDraft != last || wasSettling }
        switch state {
        case .full, .shortened: nextDrafting(ratio, forecast)
        case .resting: nextResting(ratio)
        case .probing(let left, let extensions) where left <= 0 || isRuinous: endProbe(ratio, extensions)
        case .checking(let left, let isFull) where left <= 0:
            move(to: isFull ? .full : .shortened)
            nextDrafting(ratio, forecast)
        case .probing, .checking: break
        }
        return order
    }

    /// Takes in a round that was decoded as `next` said.
    package mutating func record(_ round: GovernedRound) {
        // A round that tells nothing passes all the same: a state that counts rounds must come to its end.
        since += 1
        sinceFull += 1
        // While the first drafts are on their way, a state that counts rounds has not begun.
        guard !round.isBeginning else { return }
        let isMeasured = round.microseconds > 0 && round.microseconds.isFinite && round.forecast.isUsable
        if isMeasured { pay(for: round) }
        switch state {
        case .probing(let left, let extensions): state = .probing(left: left - 1, extensions: extensions)
        case .checking(let left, let isFull): state = .checking(left: left - 1, isFull: isFull)
        case .full, .shortened, .resting: break
        }
        guard !isSettling || !isMeasured else {
            isSettling = false
            return
        }
        guard isMeasured, round.isTypical else {
            miss()
            return
        }
        if order.mayDraft {
            roundsHere += 1
            drafting.record(tokens: round.tokens, expected: speculative(round.forecast) * round.microseconds)
        } else {
            plain.record(tokens: round.tokens, expected: round.forecast.plain * round.microseconds)
        }
    }

    /// A round told nothing: a probe that learns nothing must not go on.
    private mutating func miss() {
        unusable += 1
        guard unusable >= Self.unusableMax else { return }
        switch state {
        case .probing: move(to: .resting)
        case .checking(_, let isFull): move(to: isFull ? .full : .shortened)
        case .full, .shortened, .resting: break
        }
    }

    /// What the next round is to be decoded by.
    package var order: Order { state.order }

    private mutating func nextDrafting(_ ratio: Ratio, _ forecast: Forecast) {
        let isFull = state.isFull
        if drafting.rounds >= Self.roundsMin && isSlower(ratio) || isHopeless(ratio) {
            guard plain.rounds > 0 || checks >= Self.checksMax else {
                // The forecast may be as wrong of plain decoding.
                reason = .notMeasured
                checks += 1
                return move(to: .checking(left: Self.plainProbeRounds + 1, isFull: isFull))
            }
            reason = isFull ? .shortened(ratio.value) : .slower(ratio.value)
            // Another length is another rate.
            let rest = drafting.rounds < Self.roundsKnown ? Self.firstPause : Self.pause.lowerBound
            if !isFull {
                restPause = rest
            } else if lengths == .asked {
                measured.shortened = MeasuredRate()
            }
            move(to: isFull ? .shortened : .resting)
            return
        }
        if isFull, lengths == .adapted, let shortfall = measured.shortfall(forecast) {
            reason = .shorterPays(shortfall)
            return move(to: .shortened)
        }
        reason = drafting.rounds < Self.roundsMin ? .notMeasured : .pays(ratio.value)
        // Where forecast and measurement are at odds it may well cost nothing.
        let lost = max(0, 1 - 1 / min(ratio.value, ratio.forecast))
        let cost = Double(Self.plainProbeRounds) * drafting.tokensPerRound * lost
        if since >= checkPause, drafting.rounds >= Self.roundsMin, credit >= cost {
            checkPause = min(2 * checkPause, Self.pause.upperBound)
            move(to: .checking(left: Self.plainProbeRounds + 1, isFull: isFull))
            plain.age(to: Self.agedTo)
        } else if !isFull, lengths != .best, sinceFull >= fullPause, ratio.value > Self.gain {
            tryFull(forecast)
        }
    }

    /// The policy's own length once more, unless it is known to be slower.
    private mutating func tryFull(_ forecast: Forecast) {
        fullPause = min(2 * fullPause, Self.pause.upperBound)
        sinceFull = 0
        // What was measured of it is less and less certain, so that at last it is tried again.
        if lengths == .adapted { measured.doubtOwn() } else { measured.own = MeasuredRate() }
        if lengths != .adapted || measured.mayOwnBeAsFast(forecast) { move(to: .full) }
    }

    private mutating func nextResting(_ ratio: Ratio) {
        // What is measured of plain decoding goes up and down, and is no reason to draft.
        if ratio.value - Self.errors * ratio.error > 1, ratio.value > Self.gain {
            reason = .pays(ratio.value)
            move(to: .shortened)
            return
        }
        reason = .slower(ratio.value)
        let cost = Double(Self.probeRounds) * plain.tokensPerRound * max(0, 1 - ratio.value)
        guard since >= restPause, credit >= cost else { return }
        reason = .probing
        drafting.age(to: Self.agedTo)
        move(to: .probing(left: Self.probeRounds + 1, extensions: 0))
    }

    private mutating func endProbe(_ ratio: Ratio, _ extensions: Int) {
        if ratio.value > Self.gain {
            reason = .pays(ratio.value)
            move(to: .shortened)
        } else if ratio.value + ratio.error > Self.gain, extensions < Self.extensionsMax, credit > 0 {
            state = .probing(left: Self.probeRounds, extensions: extensions + 1)
        } else {
            reason = .slower(ratio.value)
            // Where the two are close a probe costs nothing, and to be wrong for long does.
            let isClear = ratio.value + ratio.error < 1
            restPause =
                isClear ? min(2 * restPause, Self.pause.upperBound) : min(restPause, Self.pause.lowerBound)
            move(to: .resting)
        }
    }

    private mutating func move(to next: State) {
        let before = order.mayDraft
        state = next
        since = 0
        unusable = 0
        isSettling = order.mayDraft != before
    }

    private typealias Ratio = (value: Double, error: Double, forecast: Double)

    /// Measured to be; or expected to be and, for what it is worth, measured too.
    private func isSlower(_ ratio: Ratio) -> Bool {
        ratio.value + Self.errors * ratio.error < 1 || max(ratio.value, ratio.forecast) * Self.gain < 1
    }

    /// Expected to be far slower, and a few rounds have not said otherwise.
    private func isHopeless(_ ratio: Ratio) -> Bool {
        drafting.rounds >= Self.roundsHopeless && max(ratio.value, ratio.forecast) < Self.hopeless
    }

    /// Tokens per time with drafts over those without.
    private func ratio(_ forecast: Forecast) -> Ratio {
        guard forecast.isUsable else { return (1, 1, 1) }
        let expected = speculative(forecast) / forecast.plain
        let value = expected * drafting.correction / plain.correction
        let relative = (drafting.relativeError, plain.relativeError)
        return (value, value * (relative.0 * relative.0 + relative.1 * relative.1).squareRoot(), expected)
    }

    /// What was measured of drafts as long as they are, or would be, and what is forecast of them.
    private var drafting: MeasuredRate {
        get { measured[isOwn: state.isFull] }
        set { measured[isOwn: state.isFull] = newValue }
    }

    private func speculative(_ forecast: Forecast) -> Double {
        state.isFull ? forecast.speculative : forecast.shortened
    }

    /// The probe has cost much more than it was expected to: it need not be seen through.
    private var isRuinous: Bool { credit < -Self.creditProbes / 2 * Double(Self.probeRounds) * plain.tokensPerRound }

    private mutating func pay(for round: GovernedRound) {
        switch state {
        case .full, .shortened, .resting:
            let most = Self.creditProbes * Double(Self.probeRounds) * max(1, round.tokens)
            credit = min(credit + Self.budget * round.tokens, max(credit, most))
        // What else the time went into is not known: what was to be expected is paid.
        case .probing where !round.isTypical:
            credit -= round.tokens * max(0, 1 / ratio(round.forecast).value - 1)
        // Where plain decoding is the faster one nothing was won that could be lost again.
        case .checking where !round.isTypical:
            credit -= round.tokens * max(0, ratio(round.forecast).value - 1)
        case .probing:
            credit += round.tokens - round.forecast.plain * plain.correction * round.microseconds
        case .checking:
            credit += min(0, round.tokens - speculative(round.forecast) * drafting.correction * round.microseconds)
        }
    }
}

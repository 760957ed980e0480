/// What a governor has measured of the two lengths that its rounds may have: the policy's own, and at most the cost
/// model's best.
struct MeasuredLengths: Sendable, Hashable {
    var own = MeasuredRate()
    var shortened = MeasuredRate()

    subscript(isOwn isOwn: Bool) -> MeasuredRate {
        get { isOwn ? own : shortened }
        set { if isOwn { own = newValue } else { shortened = newValue } }
    }

    /// How fast rounds of the policy's own length are against shortened ones, where those are faster beyond doubt:
    /// measured to be, or expected to be far faster while a few rounds have not said otherwise; else `nil`.
    func shortfall(_ forecast: Governor.Forecast) -> Double? {
        // Those that are no longer anyway are the same rounds.
        guard forecast.isUsable, forecast.endsByItself || forecast.speculative < forecast.shortened else { return nil }
        let (ratio, error) = ownToShortened(forecast)
        let isMeasured = own.rounds >= Governor.roundsMin && ratio * (1 + Governor.errors * error) * Governor.gain < 1
        let expected = forecast.speculative / forecast.shortened
        let isHopeless = own.rounds >= Governor.roundsHopeless && max(ratio, expected) < Governor.hopeless
        return isMeasured || isHopeless ? ratio : nil
    }

    /// Whether the policy's own length may well be as fast as shortened rounds are.
    func mayOwnBeAsFast(_ forecast: Governor.Forecast) -> Bool {
        let (ratio, error) = ownToShortened(forecast)
        return ratio * (1 + error) >= 1
    }

    /// What was measured of the policy's own length is long past.
    mutating func doubtOwn() { own.doubt(to: Governor.agedTo, rounds: max(1, own.rounds / 2)) }

    /// Tokens per time of rounds of the policy's own length over those of shortened ones, with its relative error.
    ///
    /// Of shortened rounds before there were any, what is expected is taken; where longer ones are slower than was
    /// expected of them, so much slower. Of rounds that end by themselves nothing was expected.
    private func ownToShortened(_ forecast: Governor.Forecast) -> (ratio: Double, error: Double) {
        let isKnown = shortened.rounds > 0
        let unknown = forecast.endsByItself ? 1 : min(1, own.correction)
        let errors = (own.relativeError, isKnown ? shortened.relativeError : 0)
        let ratio =
            forecast.speculative * own.correction / (forecast.shortened * (isKnown ? shortened.correction : unknown))
        return (ratio, (errors.0 * errors.0 + errors.1 * errors.1).squareRoot())
    }
}

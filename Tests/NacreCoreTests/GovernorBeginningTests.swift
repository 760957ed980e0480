import NacreCore
import Testing

@Suite("How the governor begins")
struct GovernorBeginningTests {
    /// Tokens of a round of 10 µs.
    private struct Tokens {
        var plain = 1.0
        var drafting: Double
        /// Of drafts at most as long as the cost model likes them, if not the same.
        var shortened: Double?

        func of(_ order: Governor.Order) -> Double {
            guard order.mayDraft else { return plain }
            return order.isShortened ? shortened ?? drafting : drafting
        }
    }

    private static let fair = Governor.Forecast(plain: 0.1, speculative: 0.12)

    /// Decodes until the governor says so; returns the rounds it took.
    private func decode(
        _ governor: inout Governor, _ tokens: Tokens, forecast: Governor.Forecast = fair, atMost most: Int = 400,
        until isDone: (Governor) -> Bool
    ) -> Int {
        for round in 0..<most {
            let order = governor.next(forecast)
            if isDone(governor) { return round }
            governor.record(GovernedRound(forecast: forecast, tokens: tokens.of(order), microseconds: 10))
        }
        return most
    }

    @Test("Before its first rest it looks at plain decoding, and the first probe comes soon, paid in advance")
    func firstRest() {
        var governor = Governor(.best)
        let poor = Tokens(drafting: 0.5)
        #expect(decode(&governor, poor) { !$0.order.mayDraft } == 8)
        #expect(governor.phase == .checking)
        #expect(decode(&governor, poor) { $0.phase == .resting } == 5)
        #expect(decode(&governor, poor) { $0.phase == .probing } == 16)
        // Plain decoding is slower still: the forecast was wrong of both.
        governor = Governor(.best)
        #expect(decode(&governor, Tokens(plain: 0.5, drafting: 0.6)) { $0.phase == .resting } == 400)
    }

    @Test("After a close probe the next comes no later than after a clear one")
    func closeProbe() {
        func pause(_ drafting: Double) -> Int {
            var governor = Governor(.best)
            _ = decode(&governor, Tokens(drafting: 0.5)) { $0.phase == .probing }
            _ = decode(&governor, Tokens(drafting: drafting)) { $0.phase == .resting }
            return decode(&governor, Tokens(drafting: drafting)) { $0.phase == .probing }
        }
        #expect(pause(1) <= pause(0.8), "\(pause(1)) \(pause(0.8))")
    }

    @Test("A shortened length is held to its own forecast")
    func shortened() {
        let forecast = Governor.Forecast(plain: 0.1, speculative: 0.04, shortened: 0.13)
        var governor = Governor()
        let tokens = Tokens(drafting: 0.4, shortened: 1.3)
        #expect(decode(&governor, tokens, forecast: forecast) { $0.phase == .shortened } < 20)
        #expect(abs(governor.expectedRatio(forecast) - 1.3) < 1e-9)
        #expect(decode(&governor, tokens, forecast: forecast, atMost: 60) { $0.phase == .resting } == 60)
    }

    @Test("Rounds before the first drafts are no part of a probe, and are not measured")
    func draftless() {
        var governor = Governor(.best)
        _ = decode(&governor, Tokens(drafting: 0.5)) { $0.phase == .probing }
        let known = governor.expectedRatio(Self.fair)
        for _ in 0..<12 {
            _ = governor.next(Self.fair)
            governor.record(GovernedRound(forecast: Self.fair, tokens: 0.9, microseconds: 10, isBeginning: true))
        }
        #expect(governor.phase == .probing && governor.expectedRatio(Self.fair) == known)
        #expect(decode(&governor, Tokens(drafting: 2)) { $0.phase == .drafting } < 60)
    }

    @Test("The forecast of a stream: after a rejection a pass goes without drafts, or waits for one")
    func streamForecast() {
        func rate(_ roundTrip: Double) -> Double {
            RoundConditions(
                .stream, cost: StepCostModel(nodesMax: 64, priorFixed: 90, perNode: 10), draftMicroseconds: 5,
                roundTripMicroseconds: roundTrip, acceptance: PositionalAcceptance(priorAlpha: 0.5), most: 16
            ).tokensPerMicrosecond(drafts: 1)
        }
        // Half of the passes of 1.5 tokens hold a rejection. A wait of 15 costs less than a pass of one token in 100.
        #expect(abs(rate(10) - 1.5 / (110 + 0.5 * 15)) < 1e-9)
        #expect(abs(rate(1_000) - (1.5 + 0.5) / (110 + 0.5 * 100)) < 1e-9)
    }
}

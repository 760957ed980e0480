extension Governor {
    /// Why drafts rest, or do not.
    package enum Reason: Sendable, Hashable, CustomStringConvertible {
        case notMeasured
        case pays(Double)
        case shortened(Double)
        /// How fast rounds of the policy's length are against shortened ones.
        case shorterPays(Double)
        case slower(Double)
        case probing

        package var description: String {
            func times(_ ratio: Double) -> String { "\((ratio * 100).rounded() / 100)" }
            return switch self {
            case .notMeasured: "drafts until there are measurements"
            case .pays(let ratio): "drafts decode \(times(ratio)) times as fast as plain decoding"
            case .shortened(let ratio):
                "drafts of the policy's length decode \(times(ratio)) times as fast as plain decoding: shortened"
            case .shorterPays(let ratio):
                "drafts of the policy's length decode \(times(ratio)) times as fast as shorter ones: shortened"
            case .slower(let ratio): "drafts would decode \(times(ratio)) times as fast as plain decoding: resting"
            case .probing: "drafts are tried for a few rounds"
            }
        }
    }

    /// What is done about drafts now.
    package enum Phase: Sendable, Hashable {
        case drafting
        /// Drafting, at most as long as the cost model finds best.
        case shortened
        case resting
        /// Drafting for a few rounds, to see whether it pays again.
        case probing
        /// Plain for a few rounds, to see what that would bring.
        case checking
    }
}

/// A round as it went.
package struct GovernedRound: Sendable, Hashable {
    package var forecast: Governor.Forecast
    /// Tokens committed by all jobs of the pass, and the time from the end of the round before to this one's.
    package var tokens: Double
    package var microseconds: Double
    /// Whether the time went into nothing but decoding as ordered; one that did not costs, and tells nothing.
    package var isTypical: Bool
    /// Drafting has begun, and no draft can have stood in the round: it is none of drafting, nor of plain decoding.
    package var isBeginning: Bool

    package init(
        forecast: Governor.Forecast, tokens: Double, microseconds: Double, isTypical: Bool = true,
        isBeginning: Bool = false
    ) {
        self.forecast = forecast
        self.tokens = tokens
        self.microseconds = microseconds
        self.isTypical = isTypical
        self.isBeginning = isBeginning
    }
}

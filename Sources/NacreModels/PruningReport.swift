import Foundation
package import NacreCore
package import NacreEngine

/// What a search for layers to drop found; also the document that `nacre models prune-layers --search --json` prints.
package struct PruningReport: Encodable, Sendable {
    /// A drafter made by dropping layers, as far as it was measured.
    package struct Drafter: Encodable, Sendable, Equatable {
        /// `0-3,7`.
        package let layers: String
        package let layersKept: Int
        /// Positions at which it would have drafted the target's choice, of those looked at.
        package let agreed: Int
        package let judged: Int
        /// The share, and between what it lies with 95 % certainty.
        package let agreement: Double
        package let agreementLow: Double
        package let agreementHigh: Double
        /// One token, in microseconds.
        package let passMicroseconds: Double
        /// The draft length at which decoding would be fastest.
        package let draftLength: Int
        /// Tokens per second by those of plain decoding, with drafter and verifier taking turns on these threads: at
        /// the agreement, and at both ends of what it may be.
        package let speedUp: Double
        package let speedUpLow: Double
        package let speedUpHigh: Double

        private enum CodingKeys: String, CodingKey {
            case layers, layersKept, agreed, judged, agreement, agreementLow, agreementHigh
            case passMicroseconds = "pass_us"
            case draftLength, speedUp, speedUpLow, speedUpHigh
        }

        package init(
            _ keep: [Int], layers: String, _ measured: MeasuredAgreement, passMicroseconds: Double,
            target: StepCostModel
        ) {
            self.layers = layers
            layersKept = keep.count
            agreed = measured.agreed
            judged = measured.judged
            agreement = measured.rate
            (agreementLow, agreementHigh) = measured.interval
            self.passMicroseconds = passMicroseconds
            func best(_ alpha: Double) -> (gamma: Int, speedUp: Double) {
                PruningReport.speedUp(alpha: alpha, passMicroseconds: passMicroseconds, target: target)
            }
            // A few positions that all agreed are not an agreement of 1.
            (draftLength, speedUp) = best((Double(agreed) + 1) / (Double(judged) + 2))
            speedUpLow = best(agreementLow).speedUp
            speedUpHigh = best(agreementHigh).speedUp
        }
    }

    package let target: String
    package let threads: Int
    package let layers: Int
    /// One token of the target, in microseconds.
    package let targetPassMicroseconds: Double
    /// Sets of layers that were measured.
    package let tried: Int
    /// Whether the search came to its end, rather than to that of its budget.
    package let isComplete: Bool
    /// The best as the search saw it. The best of many looks better there than it is.
    package let searched: Drafter
    /// The same on texts that the search did not see; on the same texts if there was but one.
    package let result: Drafter
    package let isHeldOut: Bool

    private enum CodingKeys: String, CodingKey {
        case target, threads, layers
        case targetPassMicroseconds = "target_pass_us"
        case tried, isComplete, searched, result, isHeldOut
    }

    /// Whether drafting would pay, as far as can be told.
    package enum Verdict: Sendable { case pays, mayPay, doesNotPay }

    package var verdict: Verdict {
        if result.speedUpLow > 1 { return .pays }
        return result.speedUpHigh > 1 ? .mayPay : .doesNotPay
    }

    /// Longest draft that is considered.
    private static let draftMax = 16

    /// The best draft length, and how much faster than plain decoding it would be (`ThroughputModel`).
    static func speedUp(alpha: Double, passMicroseconds: Double, target: StepCostModel) -> (gamma: Int, speedUp: Double)
    {
        let model = ThroughputModel(
            alpha: min(max(alpha, 0), 0.999), cost: target, draftMicroseconds: passMicroseconds, delayMicroseconds: 0)
        let best = (1...draftMax).map { ($0, model.speculative(gamma: $0) / model.autoregressive) }.max { $0.1 < $1.1 }
        return best ?? (1, 0)
    }
}

extension PruningReport {
    /// The findings as names and values.
    package var rows: [(String, String)] {
        func percent(_ share: Double) -> String { "\((100 * share).rounded(to: 1)) %" }
        let words =
            switch verdict {
            case .pays: "drafting pays"
            case .mayPay: "too few positions to say whether drafting pays"
            case .doesNotPay: "drafting does not pay"
            }
        return [
            (
                "agreement",
                "\(percent(result.agreement)) of \(result.judged) positions (95 %: \(percent(result.agreementLow)) to "
                    + "\(percent(result.agreementHigh)))"
                    + (isHeldOut ? ", on texts that the search did not see" : ", on the text of the search")
            ),
            (
                "pass_us",
                "\(result.passMicroseconds.rounded(to: 1)) of the target's \(targetPassMicroseconds.rounded(to: 1))"
            ),
            (
                "predicted_speed_up",
                "\(result.speedUp.rounded(to: 2)) (\(result.speedUpLow.rounded(to: 2)) to "
                    + "\(result.speedUpHigh.rounded(to: 2))) with drafts of \(result.draftLength), in turns on "
                    + "\(threads) threads: \(words)"
            ),
            (
                "search",
                "\(tried) sets tried, "
                    + (isComplete ? "to the end" : "until the budget was used up: there may be better ones")
            ),
        ]
    }
}

extension MeasuredAgreement {
    /// Between what the share lies with 95 % certainty, positions taken as independent of each other.
    ///
    /// - Source: Wilson, "Probable inference", 1927.
    package var interval: (low: Double, high: Double) {
        let (n, z) = (Double(judged), 1.96)
        let centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
        let width = z / (1 + z * z / n) * (rate * (1 - rate) / n + z * z / (4 * n * n)).squareRoot()
        // At 0 and 1 an end is the share itself, but for rounding.
        return (min(rate, max(0, centre - width)), max(rate, min(1, centre + width)))
    }
}

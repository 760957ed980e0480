import Foundation
package import NacreCore

/// Numbers as people read them: a point, no grouping, whatever the locale.
package enum Figures {
    /// Three significant digits.
    package static func short(_ value: Double?) -> String { value.map { String(format: "%.3g", $0) } ?? "-" }
    package static func decimal(_ value: Double, digits: Int) -> String { String(format: "%.\(digits)f", value) }

    package static func decimal(_ value: Double?, digits: Int) -> String {
        value.map { decimal($0, digits: digits) } ?? "-"
    }

    /// "71 %", or "-" for what was not measured.
    package static func percent(_ share: Double?) -> String { share.map { decimal(100 * $0, digits: 0) + " %" } ?? "-" }

    /// How long the outputs of measured jobs are: `tokens` each, or at most.
    package static func outputLength(_ tokens: Int, ignoreEos: Bool) -> String {
        ignoreEos ? "outputs of \(tokens) tokens, ends of texts ignored" : "outputs of at most \(tokens) tokens"
    }

    /// "1.05-1.17", the quartiles; "-" for what was not measured, or once only.
    package static func range(_ quartiles: Quartiles?, digits: Int) -> String {
        guard let quartiles, quartiles.count > 1 else { return "-" }
        return "\(decimal(quartiles.low, digits: digits))-\(decimal(quartiles.high, digits: digits))"
    }
}

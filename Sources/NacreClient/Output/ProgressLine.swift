import Foundation

/// How far a long command is: one line on stderr that is written over, on a terminal only.
package struct ProgressLine: Sendable {
    private static let width = 24

    private let isShown: Bool
    private let start = ContinuousClock.now

    package init(_ terminal: Terminal) { isShown = terminal.showsProgress }

    /// - Parameter share: 0 ... 1.
    package func show(_ share: Double, _ text: String) {
        guard isShown else { return }
        let elapsed = start.duration(to: .now)
        write("\r\u{1B}[K" + Self.text(share, text, elapsed: elapsed))
    }

    /// Takes the line away.
    package func clear() {
        if isShown { write("\r\u{1B}[K") }
    }

    /// "[######------------------]  25 %  stream, 4 jobs, about 3 min left".
    package static func text(_ share: Double, _ text: String, elapsed: Duration) -> String {
        let share = min(1, max(0, share.isFinite ? share : 0))
        let filled = Int(share * Double(width))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
        let percent = Figures.decimal(100 * share, digits: 0)
        let padded = String(repeating: " ", count: 3 - percent.count) + percent
        return "[\(bar)] \(padded) %  \(text)\(share > 0.02 ? left(share, elapsed) : "")"
    }

    private static func left(_ share: Double, _ elapsed: Duration) -> String {
        let seconds = Int((elapsed / .seconds(1)) * (1 - share) / share)
        switch seconds {
        case ..<1: return ""
        case ..<100: return ", about \(seconds) s left"
        default: return ", about \((seconds + 30) / 60) min left"
        }
    }

    private func write(_ text: String) {
        // Progress that nobody can see is not worth failing for.
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}

import Foundation
package import NacreNode

/// Stdout for results and stderr for progress, and what a person sees of either.
package struct Terminal: Sendable {
    /// Whether results go to a person rather than into a pipe or file.
    package let isInteractive: Bool
    /// Whether progress goes to a person.
    package let showsProgress: Bool
    package let isColoured: Bool

    package init(isInteractive: Bool, showsProgress: Bool, isColoured: Bool) {
        self.isInteractive = isInteractive
        self.showsProgress = showsProgress
        self.isColoured = isColoured
    }

    /// The process's own; in colour only for a person who has not set `NO_COLOR`.
    package static func standard() -> Terminal {
        let isInteractive = isatty(STDOUT_FILENO) == 1
        return Terminal(
            isInteractive: isInteractive, showsProgress: isatty(STDERR_FILENO) == 1,
            isColoured: isInteractive && ProcessInfo.processInfo.environment["NO_COLOR"] == nil)
    }

    /// Columns of the terminal behind stdout; 80 if it does not say.
    package var width: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Lines of the terminal behind stdout; 24 if it does not say.
    package var height: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return 24 }
        return Int(size.ws_row)
    }

    /// Wipes the screen of a terminal.
    package func clear() throws(NacreError) { try Self.write("\u{1B}[2J", to: STDOUT_FILENO) }

    /// Writes lines over what stands on the screen, and wipes what is left of that.
    ///
    /// - Parameter fromTop: false writes them below, as any result.
    package func redraw(_ lines: [(text: String, isBold: Bool)], fromTop: Bool) throws(NacreError) {
        var text = fromTop ? "\u{1B}[H" : ""
        for (index, line) in lines.enumerated() {
            let shown = Self.harmless(line.text)
            text += line.isBold && isColoured ? "\u{1B}[1m\(shown)\u{1B}[0m" : shown
            // A line break behind the last would scroll a full screen.
            if fromTop { text += "\u{1B}[K" }
            if !fromTop || index < lines.count - 1 { text += "\n" }
        }
        try Self.write(fromTop ? text + "\u{1B}[J" : text, to: STDOUT_FILENO)
    }

    /// Writes a result, at once and as it is; on a terminal without the control characters by which a model's text
    /// could steer it.
    ///
    /// - Throws: `NacreError` `.failed` when the reader is gone, without a message: it went because it had enough.
    package func write(_ text: String, isBold: Bool = false) throws(NacreError) {
        let shown = isInteractive ? Self.harmless(text) : text
        try Self.write(isBold && isColoured ? "\u{1B}[1m\(shown)\u{1B}[0m" : shown, to: STDOUT_FILENO)
    }

    /// Writes a result and a line break.
    package func line(_ text: String, isBold: Bool = false) throws(NacreError) {
        try write(text, isBold: isBold)
        try write("\n")
    }

    /// Says on stderr what is going on.
    package func note(_ text: String) {
        // Progress that nobody can see is not worth failing for.
        try? Self.write(text + "\n", to: STDERR_FILENO)
    }

    /// The text without control characters other than line breaks and tabs.
    package static func harmless(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { scalar in
                    scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control
                }))
    }

    private static func write(_ text: String, to descriptor: Int32) throws(NacreError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EPIPE {
                throw NacreError(.failed, "")
            } else if errno != EINTR && errno != EAGAIN {
                throw NacreError(.failed, "cannot write the output: \(String(cString: strerror(errno)))")
            }
        }
    }
}

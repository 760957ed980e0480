import Foundation

/// A terminal's keys, one by one, without waiting for a line; as it was again when it is let go.
package final class Keyboard {
    private var before = termios()
    private let isOpen: Bool

    /// Takes over stdin if that is a terminal.
    package init() {
        isOpen = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0
        guard isOpen else { return }
        var raw = before
        // Signals stay: Ctrl-C ends as everywhere.
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw)
    }

    deinit { if isOpen { tcsetattr(STDIN_FILENO, TCSANOW, &before) } }

    /// The next key that was pressed, if one was.
    package func key() -> Character? {
        var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        var byte: UInt8 = 0
        guard isOpen, poll(&waiting, 1, 0) == 1, read(STDIN_FILENO, &byte, 1) == 1 else { return nil }
        return Character(UnicodeScalar(byte))
    }
}

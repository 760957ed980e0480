import Foundation

/// The one line that a daemon prints on stdout when it is ready for work, for whoever launched it:
/// `ready coordinator control=127.0.0.1:7400 http=127.0.0.1:7401`.
package struct ReadyLine: Sendable, Hashable, CustomStringConvertible {
    package let role: String
    /// By name: control, http, data.
    package let addresses: [String: HostPort]

    package init(role: String, addresses: [String: HostPort] = [:]) {
        self.role = role
        self.addresses = addresses
    }

    /// `nil` for any other line.
    package init?(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        guard words.count >= 2, words[0] == "ready" else { return nil }
        var addresses: [String: HostPort] = [:]
        for word in words.dropFirst(2) {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let address = try? HostPort(parts[1]) else { return nil }
            addresses[parts[0]] = address
        }
        self.init(role: words[1], addresses: addresses)
    }

    package var description: String {
        (["ready", role] + addresses.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
            .joined(separator: " ")
    }

    /// Prints the line, at once; `output` is what stdout was when the process started.
    package func announce(to output: Int32 = STDOUT_FILENO) {
        FileHandle(fileDescriptor: output).write(Data("\(self)\n".utf8))
    }
}

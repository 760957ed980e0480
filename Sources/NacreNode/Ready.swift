import Foundation

/// The one line that a daemon prints on stdout when it is ready for work, for whoever launched it:
/// `ready coordinator control=127.0.0.1:7400 http=127.0.0.1:7401`.
package struct Ready: Sendable, Hashable {
    package let role: String
    /// Names and addresses: control, http, data.
    package let addresses: [String: String]

    package init(role: String, addresses: [(String, String)]) {
        self.role = role
        self.addresses = Dictionary(addresses) { $1 }
    }

    /// Reads the line; `nil` for any other.
    package init?(line: String) {
        let words = line.split(separator: " ").map(String.init)
        guard words.count >= 2, words[0] == "ready" else { return nil }
        role = words[1]
        addresses = Dictionary(
            words.dropFirst(2).compactMap { word in
                let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
                return parts.count == 2 ? (parts[0], parts[1]) : nil
            }
        ) { $1 }
    }

    package var line: String {
        (["ready", role] + addresses.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
    }

    package func announce() { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}

/// Where a process listens: `127.0.0.1:7400`, `verifier-1:7400`, `[::1]:7400`.
package struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    /// 0 when listening: any free port.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// - Throws: `.addressUnreadable`.
    package init(_ text: String) throws(TransportError) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw PeerAddress.unreadable(text)
        }
        var host = text[..<colon]
        if host.first == "[", host.last == "]", host.count > 2 {
            host = host.dropFirst().dropLast()
        } else if host.contains(where: { ":[]".contains($0) }) {
            // Without brackets the last group of an IPv6 address would pass for a port.
            throw PeerAddress.unreadable(text)
        }
        guard !host.isEmpty else { throw PeerAddress.unreadable(text) }
        self.init(host: String(host), port: Int(port))
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    private static func unreadable(_ text: String) -> TransportError {
        TransportError(
            .addressUnreadable, "'\(text)' is not an address",
            remedy: "write host:port, for instance 127.0.0.1:7400 or [::1]:7400")
    }
}

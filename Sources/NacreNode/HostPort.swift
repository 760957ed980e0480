/// A host and a TCP port, as in `127.0.0.1:7400`, `[::1]:7400` or `node.local:7400`.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address, without brackets.
    package let host: String
    /// 0 ... 65535; 0 asks the system for a free port when listening.
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// - Throws: `.badUsage`, saying what an address looks like.
    package init(_ text: String) throws(NacreError) {
        func mistake(_ what: String) -> NacreError {
            NacreError(.badUsage, "'\(text)' is not an address: \(what), as in 127.0.0.1:7400 or [::1]:7400")
        }
        guard let colon = text.lastIndex(of: ":") else { throw mistake("it needs a host and a port") }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw mistake("an IPv6 host is written in brackets")
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || "[]/".contains($0) }) else {
            throw mistake("it needs a host before the colon")
        }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(digits),
            (0...65_535).contains(port)
        else { throw mistake("its port must lie between 0 and 65535") }
        self.init(host: String(host), port: port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

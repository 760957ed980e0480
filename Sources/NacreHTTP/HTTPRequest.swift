/// One request, whole: its body has been collected.
package struct HTTPRequest: Sendable, Hashable {
    /// One `name=value` of the query, percent-decoded.
    package struct QueryItem: Sendable, Hashable {
        /// Before the `=`, decoded.
        package let name: String
        /// After the `=`, decoded; `""` without one.
        package let value: String
    }
    /// `GET`, `POST` and so on, as it was sent.
    package let method: String
    /// The path as it was sent, without the query.
    package let path: String
    /// The query's items, in order.
    package let query: [QueryItem]
    /// The fields without the pseudo-fields (`:method` and kin).
    package let headers: HTTPFields
    /// At most `HTTPLimits.bodyBytesMax` bytes.
    package let body: [UInt8]

    /// The value of the first query item called `name`; `""` for a name without `=`.
    package func queryValue(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// Takes the pseudo-fields apart; nil when method or path is missing, as in `CONNECT`.
    init?(fields: HTTPFields, body: [UInt8]) {
        guard let method = fields[":method"], let target = fields[":path"], target.hasPrefix("/") else { return nil }
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts[0])
        query = parts.count > 1 ? Self.items(of: parts[1]) : []
        var headers = HTTPFields()
        for field in fields.all where !field.name.hasPrefix(":") { headers.append(field.name, field.value) }
        self.headers = headers
        self.body = body
    }

    private static func items(of query: Substring) -> [QueryItem] {
        query.split(separator: "&").map { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return QueryItem(name: decoded(parts[0]), value: parts.count > 1 ? decoded(parts[1]) : "")
        }
    }

    /// Undoes percent-encoding and `+` for a blank; a `%` without two hex digits stands for itself.
    private static func decoded(_ text: Substring) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = hexValue(bytes[index + 1]), let low = hexValue(bytes[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index] == UInt8(ascii: "+") ? UInt8(ascii: " ") : bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

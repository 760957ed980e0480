/// The fields of a message in the order they were sent; names are lower case.
package struct HTTPFields: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// One field. A name may occur in several.
    package struct Field: Sendable, Hashable {
        /// Lower case.
        package let name: String
        /// As it was sent; bytes that are not UTF-8 are replaced.
        package let value: String
    }
    /// Every field, in order.
    package private(set) var all: [Field] = []

    /// No fields.
    package init() {}

    /// The fields of a literal, in its order; names are lower-cased.
    package init(dictionaryLiteral pairs: (String, String)...) {
        for (name, value) in pairs { append(name, value) }
    }

    /// Adds a field after the others; `name` is lower-cased, as HTTP/2 requires.
    package mutating func append(_ name: String, _ value: String) {
        all.append(Field(name: name.lowercased(), value: value))
    }

    /// The value of the first field called `name`, which must be in lower case.
    package subscript(name: String) -> String? {
        all.first { $0.name == name }?.value
    }

    /// Whether HTTP/2 can carry every field: token characters in names, no line breaks, NULs or outer blanks in values.
    ///
    /// libnghttp2 does not check what it sends; a peer would reset the stream, and the cause would be hard to see.
    func firstInvalidName() -> String? {
        all.first { field in
            let name = field.name.utf8.dropFirst(field.name.hasPrefix(":") ? 1 : 0)
            let value = field.value.utf8
            let blank: Set<UInt8> = [0x20, 0x09]
            return name.isEmpty || !name.allSatisfy(Self.isNameByte)
                || value.contains { $0 == 0 || $0 == 0x0A || $0 == 0x0D }
                || value.first.map(blank.contains) == true || value.last.map(blank.contains) == true
        }?.name
    }

    // RFC 9110 §5.6.2 `tchar`, without upper case (RFC 9113 §8.2.1).
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

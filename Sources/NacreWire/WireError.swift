/// Why bytes are not a message, or a message cannot become bytes.
package struct WireError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable, CaseIterable {
        /// The frame is longer than this side accepts now.
        case oversize
        /// Header or payload changed on the way.
        case badChecksum
        /// The peer speaks another version of this protocol.
        case wireVersion
        /// The first bytes are those of another protocol.
        case foreignPeer
        /// No message has this frame type.
        case unknownType
        /// The stream ended inside a frame.
        case truncated
        /// The payload is no protobuf message of its type, or one built to exhaust memory.
        case malformed
        /// A value is outside its range.
        case invalidValue
        /// A message of ours does not fit the wire.
        case unsendable
    }

    package let code: Code
    /// What is wrong. Holds numbers and field names, never text or tokens of a prompt.
    package let message: String
    /// What a person can do about it.
    package let remedy: String

    package init(_ code: Code, _ message: String, remedy: String) {
        self.code = code
        self.message = message
        self.remedy = remedy
    }

    package var description: String { "\(message): \(remedy)" }
}

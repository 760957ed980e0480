/// Why a port could not be opened or an address not be read.
package struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable, CaseIterable {
        /// Another process listens there.
        case portInUse
        /// The host is unknown, or not one of this machine's.
        case addressUnusable
        /// This user may not open that port.
        case permissionDenied
        /// The text is no host:port.
        case addressUnreadable
    }

    package let code: Code
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

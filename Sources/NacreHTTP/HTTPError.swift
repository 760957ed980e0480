/// What went wrong in HTTP, with the remedy.
package struct HTTPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of failure; callers decide by these, people read `message`.
    package enum Code: Sendable, Hashable {
        /// Another process listens there already.
        case addressInUse
        /// The address cannot be listened on (not ours, not allowed, not a name).
        case cannotListen
        /// Nothing answers at the address: a command line exits 3 on this.
        case unreachable
        /// Something answers, but it does not speak HTTP/2 with prior knowledge.
        case notHTTP2
        /// This stream was ended by the other side, or by a limit.
        case streamReset
        /// The other side is shutting down and has not looked at this request: it may be sent elsewhere.
        case goAway
        /// The connection ended with the exchange unfinished.
        case connectionClosed
        /// The bytes received are not HTTP/2, or break its rules or our limits.
        case protocolViolation
        /// A body or an event is larger than the caller allows.
        case tooLarge
        /// A message of our own that HTTP cannot carry: a bad field, a second answer to one request.
        case invalidMessage
        /// libnghttp2 failed inside (out of memory, or our use of it is wrong).
        case library
    }
    /// What callers decide by.
    package let code: Code
    /// What happened, for people.
    package let message: String
    /// The next thing to try; empty when there is none.
    package let remedy: String

    /// An error that says what happened and what to try.
    package init(_ code: Code, _ message: String, remedy: String = "") {
        self.code = code
        self.message = message
        self.remedy = remedy
    }

    /// Message and remedy in one line.
    package var description: String { remedy.isEmpty ? message : "\(message): \(remedy)" }
}

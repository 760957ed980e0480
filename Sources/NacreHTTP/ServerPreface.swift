/// What the first bytes of a connection say about the client.
enum ServerPreface: Hashable {
    /// Not enough bytes to tell.
    case undecided
    case http2
    case http1
    /// Anything else, TLS among it: there is no answer it would understand.
    case unknown

    private static let bytes = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private static let methodBytesMax = 20

    init(_ received: some Collection<UInt8>) {
        let letters = received.prefix { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        if received.starts(with: Self.bytes) {
            self = .http2
        } else if Self.bytes.starts(with: received) {
            self = .undecided
        } else if letters.isEmpty || letters.count > Self.methodBytesMax {
            self = .unknown
        } else if letters.count == received.count {
            self = .undecided
        } else {
            self = received.dropFirst(letters.count).first == UInt8(ascii: " ") ? .http1 : .unknown
        }
    }

    /// The answer to an HTTP/1.x request, in its own language.
    static let http1Answer: String = {
        let body = "this port speaks HTTP/2: use curl --http2-prior-knowledge\n"
        return "HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain; charset=utf-8\r\n"
            + "connection: close\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
    }()
}

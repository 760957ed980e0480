/// A stream's number: odd, rising, chosen by the client.
struct HTTP2StreamID: Sendable, Hashable {
    let number: Int32
}

/// Why a stream or connection ended: the numbers of RFC 9113 §7.
struct HTTP2Reason: Sendable, Hashable, CustomStringConvertible {
    let number: UInt32

    static let none = HTTP2Reason(number: 0)
    static let internalError = HTTP2Reason(number: 2)
    static let refused = HTTP2Reason(number: 7)
    static let cancel = HTTP2Reason(number: 8)
    static let enhanceYourCalm = HTTP2Reason(number: 11)

    private static let names = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
        "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    var description: String {
        Int(number) < Self.names.count ? Self.names[Int(number)] : "error \(number)"
    }
}

/// What a session noticed while it took or gave bytes, in order. Any stream may be one that is already forgotten.
enum HTTP2Event: Sendable, Hashable {
    /// The peer's settings came: it speaks HTTP/2.
    case settings
    /// A whole header block: a head, or trailers after one.
    case fields(HTTP2StreamID, HTTPFields)
    /// A header block over `HTTPLimits.headerBytesMax`; its fields were dropped.
    case fieldsTooLarge(HTTP2StreamID)
    case data(HTTP2StreamID, [UInt8])
    /// The peer sends no more on this stream.
    case ended(HTTP2StreamID)
    /// Some of this stream's queued bytes went out.
    case taken(HTTP2StreamID)
    /// Our side of this stream is complete and out.
    case sentLast(HTTP2StreamID)
    /// A head or body of ours could not be sent.
    case notSent(HTTP2StreamID)
    /// The stream is over on both sides, for this reason.
    case closed(HTTP2StreamID, HTTP2Reason)
    /// The peer takes no new streams.
    case goAway(HTTP2Reason)
    /// The peer broke a rule in a way that HTTP/2 forgives.
    case offence
}

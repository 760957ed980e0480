import NIOCore

/// One request and its answer, as far as they have come.
struct ServerStream {
    enum Incoming: Hashable {
        case collecting
        /// It has been refused; what still comes is dropped.
        case unwanted
        case ended
    }
    enum Answer: Hashable {
        case none, started, whole
    }
    let head: HTTPFields
    var body: [UInt8] = []
    var incoming = Incoming.collecting
    var answer = Answer.none
    /// Non-nil from when the handler has the request.
    var gone: AsyncStream<Never>.Continuation?
    var writers: [Int: CheckedContinuation<Void, any Error>] = [:]
    var lastProgress = NIODeadline.now()

    var isHead: Bool { head[":method"] == "HEAD" }
}

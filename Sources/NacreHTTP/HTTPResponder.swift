/// Answers one request, once. Every call fails when the client has gone.
package struct HTTPResponder: Sendable {
    let connection: ServerConnection
    let stream: HTTP2StreamID

    /// Answers with a whole body; returns when its last bytes are queued. `content-length` is added.
    ///
    /// - Throws: `HTTPError` `.streamReset`, `.connectionClosed`, `.invalidMessage`; `CancellationError`.
    package func send(status: Int, headers: HTTPFields = [:], body: [UInt8] = []) async throws {
        var headers = headers
        if headers["content-length"] == nil { headers.append("content-length", String(body.count)) }
        try await connection.start(stream, status: status, headers: headers, hasBody: !body.isEmpty)
        guard !body.isEmpty else { return }
        try await connection.write(body, on: stream)
        try await connection.finish(stream)
    }

    /// Answers with a head and a body to be written piece by piece; the head leaves at once.
    ///
    /// - Throws: as `send`.
    package func start(status: Int, headers: HTTPFields = [:]) async throws -> HTTPBodyWriter {
        try await connection.start(stream, status: status, headers: headers, hasBody: true)
        return HTTPBodyWriter(connection: connection, stream: stream)
    }
}

/// The body of one answer. A handler that returns without `finish` resets the stream, so that the client cannot take
/// half a body for a whole one.
package struct HTTPBodyWriter: Sendable {
    let connection: ServerConnection
    let stream: HTTP2StreamID

    /// Sends bytes; suspends while `HTTPLimits.queuedBytesMax` bytes wait for the client.
    ///
    /// - Throws: `HTTPError` `.streamReset` (the client left this stream, or stalled), `.connectionClosed`;
    ///   `CancellationError`.
    package func write(_ bytes: [UInt8]) async throws {
        try await connection.write(bytes, on: stream)
    }

    /// Marks the end of the body; queued bytes still go out. Must be called once.
    ///
    /// - Throws: as `write`.
    package func finish() async throws {
        try await connection.finish(stream)
    }
}

package import NIOCore
import NIOPosix

/// One connection to an HTTP/2 server, clear text with prior knowledge; carries many requests at once.
///
/// ```swift
/// let client = try await HTTPClient.connect(host: "127.0.0.1", port: 7401)
/// let answer = try await client.request(method: "GET", path: "/healthz")
/// print(answer.status, try await answer.body.collect(max: 4096))
/// await client.close()
/// ```
package final class HTTPClient: Sendable {
    private let connection: ClientConnection

    private init(_ connection: ClientConnection) {
        self.connection = connection
    }

    /// Connects and waits until the server has shown that it speaks HTTP/2; `close` must be called.
    ///
    /// - Throws: `HTTPError` `.unreachable`, `.notHTTP2`; `CancellationError`.
    package static func connect(
        host: String, port: Int, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        limits: HTTPLimits = HTTPLimits(), timeout: Duration = .seconds(5)
    ) async throws -> HTTPClient {
        let authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let connection: ClientConnection
        do {
            connection = try await ClientBootstrap(group: group)
                .connectTimeout(TimeAmount(timeout))
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let connection = try ClientConnection(channel, authority: authority, limits: limits)
                        try channel.pipeline.syncOperations.addHandler(BytesHandler(connection))
                        return connection
                    }
                }
        } catch let error as HTTPError {
            throw error
        } catch {
            try Task.checkCancellation()
            throw HTTPError(
                .unreachable, "nothing answers at \(authority)", remedy: "check the address and that the server runs")
        }
        try await connection.untilReady(within: timeout)
        return HTTPClient(connection)
    }

    /// Sends one request; returns when the answer's head is here. Its body is read from the result.
    ///
    /// - Throws: `HTTPError` `.streamReset`, `.goAway`, `.connectionClosed`, `.invalidMessage`; `CancellationError`
    ///   when the calling task is cancelled, which also resets the stream.
    package func request(
        method: String, path: String, headers: HTTPFields = [:], body: [UInt8] = []
    ) async throws -> HTTPResponse {
        var fields: HTTPFields = [
            ":method": method, ":scheme": "http", ":authority": connection.authority, ":path": path,
        ]
        for field in headers.all { fields.append(field.name, field.value) }
        if !body.isEmpty, headers["content-length"] == nil { fields.append("content-length", String(body.count)) }
        let (stream, head) = try await connection.request(fields, body: body)
        guard let status = head[":status"].flatMap({ Int($0) }) else {
            await connection.abandon(stream)
            throw HTTPError(.protocolViolation, "\(connection.authority) answered without a status")
        }
        var rest = HTTPFields()
        for field in head.all where !field.name.hasPrefix(":") { rest.append(field.name, field.value) }
        return HTTPResponse(status: status, headers: rest, body: HTTPBody(connection, stream))
    }

    /// Says goodbye and closes the connection; requests still open fail.
    package func close() async {
        await connection.close()
    }
}

/// An answer: its head, and a body that may still be on its way.
package struct HTTPResponse: Sendable {
    /// The final status, 200...599.
    package let status: Int
    /// The fields without `:status`; trailers are not kept.
    package let headers: HTTPFields
    /// Read it, or drop it to reset the stream.
    package let body: HTTPBody
}

/// The chunks of a body as they come; read by one task, once. The server is held back while nobody reads. Dropping the
/// body, or cancelling its reader, resets the stream.
package struct HTTPBody: AsyncSequence, Sendable {
    /// A chunk, never empty.
    package typealias Element = [UInt8]
    /// `HTTPError` or `CancellationError`.
    package typealias Failure = any Error

    /// Resets the stream when the last reader is gone.
    final class Hold: Sendable {
        let connection: ClientConnection
        let stream: HTTP2StreamID

        init(_ connection: ClientConnection, _ stream: HTTP2StreamID) {
            self.connection = connection
            self.stream = stream
        }

        deinit { connection.abandonLater(stream) }
    }

    /// Reads the body in order.
    package struct Iterator: AsyncIteratorProtocol {
        let hold: Hold

        /// The next chunk, never empty; nil at the end.
        ///
        /// - Throws: `HTTPError` `.streamReset`, `.connectionClosed`; `CancellationError`.
        package mutating func next() async throws -> [UInt8]? {
            try await hold.connection.next(on: hold.stream)
        }
    }

    private let hold: Hold

    init(_ connection: ClientConnection, _ stream: HTTP2StreamID) {
        hold = Hold(connection, stream)
    }

    /// The body's reader; there is one body, so a second reader goes on where the first stopped.
    package func makeAsyncIterator() -> Iterator { Iterator(hold: hold) }

    /// The whole body.
    ///
    /// - Throws: `HTTPError` `.tooLarge` beyond `max` bytes, and as `Iterator.next`.
    package func collect(max bytesMax: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await chunk in self {
            guard bytes.count + chunk.count <= bytesMax else {
                throw HTTPError(.tooLarge, "the answer is over \(bytesMax) bytes")
            }
            bytes += chunk
        }
        return bytes
    }
}

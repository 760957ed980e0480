import NIOCore
import NIOPosix
import NacreHTTP
import Testing

/// Runs a server for the length of `body`.
func withServer<R: Sendable>(
    limits: HTTPLimits = HTTPLimits(), handler: @escaping HTTPServer.Handler, _ body: (HTTPServer) async throws -> R
) async throws -> R {
    let server = try await HTTPServer.start(host: "127.0.0.1", port: 0, limits: limits, handler: handler)
    do {
        let result = try await body(server)
        await server.shutdown(grace: .zero)
        return result
    } catch {
        await server.shutdown(grace: .zero)
        throw error
    }
}

/// Runs a client of `server` for the length of `body`.
func withClient<R: Sendable>(
    of server: HTTPServer, limits: HTTPLimits = HTTPLimits(), _ body: (HTTPClient) async throws -> R
) async throws -> R {
    let client = try await HTTPClient.connect(host: "127.0.0.1", port: server.port, limits: limits)
    do {
        let result = try await body(client)
        await client.close()
        return result
    } catch {
        await client.close()
        throw error
    }
}

/// Something that happens, once or more, in a handler; a test waits for it.
struct Signal<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func send(_ value: Value) { continuation.yield(value) }

    func next() async throws -> Value {
        try #require(await stream.first { _ in true })
    }
}

/// Returns when the task is cancelled.
func untilCancelled() async {
    for await _ in AsyncStream<Never>.makeStream().stream {}
}

/// Sends `parts` over a bare socket, then closes its own side if it `finishes`; returns everything the peer sends until
/// it closes the other.
func converse(port: Int, sending parts: [[UInt8]], finishes: Bool = false) async throws -> [UInt8] {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.allowRemoteHalfClosure, value: false)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
            }
        }
    return try await channel.executeThenClose { inbound, outbound in
        // A peer that closes early fails the rest of the writes, or the reads after it: what came before counts.
        do {
            for part in parts { try await outbound.write(ByteBuffer(bytes: part)) }
            if finishes { outbound.finish() }
        } catch is ChannelError {
        } catch is IOError {
        }
        var received: [UInt8] = []
        do {
            for try await bytes in inbound { received += Array(bytes.readableBytesView) }
        } catch is IOError {
        }
        return received
    }
}

/// A server of an older time: greets in HTTP/1.1.
final class OldServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        let text = ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(text), promise: nil)
    }
}

/// HTTP/2 by hand, for the conversations that no decent client holds.
enum Raw {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let settings = frame(type: 4)
    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4

    static func frame(type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let length = number(UInt32(payload.count)).dropFirst()
        return Array([length, [type, flags], number(stream)[...], payload[...]].joined())
    }

    static func number(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    /// One field, literal, not indexed, not compressed (RFC 7541 §6.2.2); both strings shorter than 127 bytes.
    static func field(_ name: String, _ value: String) -> [UInt8] {
        [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
    }

    static func head(method: String = "GET", path: String = "/") -> [UInt8] {
        field(":method", method) + field(":scheme", "http") + field(":authority", "test") + field(":path", path)
    }

    static func headers(_ stream: UInt32, flags: UInt8 = endStream | endHeaders, _ block: [UInt8]? = nil) -> [UInt8] {
        frame(type: 1, flags: flags, stream: stream, block ?? head())
    }

    static func reset(_ stream: UInt32) -> [UInt8] {
        frame(type: 3, stream: stream, number(8))
    }

    /// A client's goodbye: the server closes when the streams before it are done.
    static let goAway = frame(type: 7, [UInt8](repeating: 0, count: 8))

    /// The numbers of a client's first `count` streams.
    static func streams(_ count: Int) -> [UInt32] { (0..<count).map { UInt32($0 * 2 + 1) } }

    /// The types of the frames in `bytes`, and the reason of a GOAWAY among them.
    static func frames(in bytes: [UInt8]) -> (types: [UInt8], goAway: UInt32?) {
        var rest = bytes[...]
        var types: [UInt8] = []
        var goAway: UInt32?
        while rest.count >= 9 {
            let header = Array(rest.prefix(9))
            let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
            let payload = Array(rest.dropFirst(9).prefix(length))
            types.append(header[3])
            if header[3] == 7, payload.count >= 8 {
                goAway = payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
            }
            rest = rest.dropFirst(9 + length)
        }
        return (types, goAway)
    }
}

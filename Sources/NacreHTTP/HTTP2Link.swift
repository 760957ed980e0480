import NIOCore

/// An actor on a channel's event loop that is handed the channel's bytes.
protocol ByteConsumer: Actor {
    func opened()
    func received(_ bytes: ByteBuffer)
    func writable()
    func closed()
}

/// The last handler of a channel: hands bytes to the connection's actor, whose executor is this channel's event loop.
/// What comes before it in the pipeline (TLS, or nothing) is not its business.
final class BytesHandler<Consumer: ByteConsumer>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let consumer: Consumer

    init(_ consumer: Consumer) {
        self.consumer = consumer
    }

    func channelActive(context: ChannelHandlerContext) {
        consumer.assumeIsolated { $0.opened() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        consumer.assumeIsolated { $0.received(bytes) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        consumer.assumeIsolated { $0.writable() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        consumer.assumeIsolated { $0.closed() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A broken socket is a closed one; `channelInactive` follows and tells the connection.
        context.close(promise: nil)
    }
}

/// A session and the channel under it: moves bytes between them as fast as the channel takes them. Lives inside one
/// connection's actor.
final class HTTP2Link {
    var session: HTTP2Session
    let channel: any Channel
    private var isPumping = false
    /// When the last bytes were queued and our side of the channel began to close.
    private(set) var closingSince: NIODeadline?

    // One write to the channel: a few frames, so that small ones share a packet.
    private static let writeBytesMax = 64 << 10

    init(_ role: HTTP2Session.Role, channel: any Channel, limits: HTTPLimits) throws(HTTPError) {
        session = try HTTP2Session(role, limits: limits)
        self.channel = channel
    }

    /// Hands received bytes to the session; `pump` must follow.
    func receive(_ bytes: ByteBuffer) throws(HTTPError) {
        guard closingSince == nil else { return }
        // `withUnsafeReadableBytes` rethrows untyped: carry the typed error around it.
        let result = bytes.withUnsafeReadableBytes { bytes -> Result<Void, HTTPError> in
            do throws(HTTPError) {
                return .success(try session.receive(bytes))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Handles all events and writes all bytes, until there are none or the channel is full.
    ///
    /// Writing can make the channel call its connection back at once (`writable`), so a call within a call returns: the
    /// outer loop looks at everything again before it ends.
    func pump(_ handle: (HTTP2Event) -> Void) throws(HTTPError) {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while true {
            let events = session.takeEvents()
            for event in events { handle(event) }
            guard channel.isWritable else {
                if events.isEmpty { return } else { continue }
            }
            var buffer = channel.allocator.buffer(capacity: 1024)
            try session.drain(into: &buffer, bytesMax: Self.writeBytesMax)
            if buffer.readableBytes > 0 {
                channel.writeAndFlush(buffer, promise: nil)
            } else if events.isEmpty {
                break
            }
        }
        if session.isDone { beginClosing() }
    }

    /// Ends our side once everything written is out. The other side stays open until the peer closes it: closing both
    /// with bytes unread would make the kernel reset the connection, and the peer might lose our last frames.
    func beginClosing() {
        guard closingSince == nil else { return }
        closingSince = .now()
        let channel = channel
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(mode: .output, promise: nil) }
    }

    /// Whether the peer had its time to close after us.
    func hasLingered(for timeout: Duration, at now: NIODeadline) -> Bool {
        closingSince.map { now - $0 > TimeAmount(timeout) } ?? false
    }
}

import NIOCore
import NacreProtocol
import NacreWire

/// The inside of a `PeerConnection`: its end of the channel. Lives on the event loop.
///
/// | state | leaves on | to |
/// |---|---|---|
/// | waiting | channel active | open |
/// | waiting, open | `close`, a protocol error, too slow | leaving: sends what waits, drops what comes |
/// | any | channel inactive, dialling failed | closed: `closed` is delivered |
final class PeerLink: ChannelInboundHandler {
    typealias InboundIn = Message
    typealias OutboundOut = ByteBuffer

    private enum State { case waiting, open, leaving, closed }

    private let options: PeerOptions
    private let handler: PeerHandler
    private let decoder = FrameDecoder()
    private var state = State.waiting
    /// Kept from the moment there is a channel until `closed`: the owner need not hold the connection.
    private var connection: PeerConnection?
    private var context: ChannelHandlerContext?
    /// Frames of this turn, not yet handed to the channel.
    private var pending = ByteBuffer()
    private var isFlushScheduled = false
    /// Bytes sent while over the write budget.
    private var bytesOverBudget = 0
    private var overBudget: Scheduled<Void>?
    private var handshake: Scheduled<Void>?
    /// The first cause of the end, which the later ones only follow from.
    private var reason: String?

    init(options: PeerOptions, handler: @escaping PeerHandler) {
        self.options = options
        self.handler = handler
    }

    func attach(to channel: any Channel, as connection: PeerConnection) throws {
        self.connection = connection
        try channel.syncOptions?.setOption(
            .writeBufferWaterMark, value: .init(low: options.writeBudgetBytes, high: options.writeBudgetBytes))
        try channel.pipeline.syncOperations.addHandlers(ByteToMessageHandler(decoder), self)
    }

    // MARK: - The owner's calls

    func send(_ message: Message) {
        guard state == .open || state == .waiting else { return }
        let before = pending.readableBytes
        do {
            try MessageCodec.encode(message, into: &pending)
        } catch {
            // Our own fault, but the peer would wait for the message for ever.
            end("could not send: \(error)", Goodbye(code: .shuttingDown, detail: "internal error"))
            return
        }
        if let context, !context.channel.isWritable {
            bytesOverBudget += pending.readableBytes - before
            if bytesOverBudget > 3 * options.writeBudgetBytes { return abandon() }
        }
        scheduleFlush()
    }

    func close(after goodbye: Goodbye?) { end("closed by this side", goodbye) }

    func raiseFrameLimit() {
        decoder.raiseLimit()
        handshake?.cancel()
        handshake = nil
    }

    // MARK: - The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { open(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) { open(context) }

    private func open(_ context: ChannelHandlerContext) {
        switch state {
        case .waiting: state = .open
        // The owner closed while the channel was on its way.
        case .leaving: return depart()
        case .open, .closed: return
        }
        handshake = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(options.handshakeMax)) {
            self.end(
                "no handshake within \(self.options.handshakeMax)",
                Goodbye(code: .protocolError, detail: "no handshake within \(self.options.handshakeMax)"))
        }
        deliver(.opened)
        scheduleFlush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state == .open else { return }
        let message = unwrapInboundIn(data)
        if case .goodbye(let goodbye) = message {
            reason = reason ?? "the peer said goodbye (\(goodbye.code)): \(goodbye.detail)"
        }
        deliver(.message(message))
    }

    func channelReadComplete(context: ChannelHandlerContext) { flush() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        overBudget?.cancel()
        overBudget = nil
        bytesOverBudget = 0
        guard !context.channel.isWritable else { return }
        overBudget = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(options.overBudgetMax)) {
            self.abandon()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? WireError else {
            // The channel closes itself after errors of its socket; after any other it must not go on either.
            reason = reason ?? "lost the connection: \(error)"
            return context.close(promise: nil)
        }
        let code: GoodbyeCode = error.code == .wireVersion ? .wireVersion : .protocolError
        end(error.description, Goodbye(code: code, detail: error.message))
    }

    func channelInactive(context: ChannelHandlerContext) { finish() }

    // MARK: - Endings

    /// Leaves for `reason`: in good order, but not for ever.
    private func end(_ reason: String, _ goodbye: Goodbye?) {
        guard state == .open || state == .waiting else { return }
        self.reason = self.reason ?? reason
        if let goodbye {
            // A goodbye's only text is cut to its limit, so that it always fits.
            try? MessageCodec.encode(.goodbye(goodbye), into: &pending)
        }
        let wasOpen = state == .open
        state = .leaving
        if wasOpen { depart() }
    }

    /// Sends the rest and closes this direction; the peer's closing then ends the link. Closing both at once could
    /// make the kernel drop what the peer has not read yet.
    private func depart() {
        guard let context else { return }
        flush()
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(options.farewellMax)) {
            self.context?.close(promise: nil)
        }
    }

    /// Leaves a peer that does not read.
    private func abandon() {
        guard state == .open || state == .leaving else { return }
        reason = reason ?? "too slow: more than \(options.writeBudgetBytes) bytes wait to be read by the peer"
        state = .leaving
        context?.close(promise: nil)
    }

    func fail(as connection: PeerConnection, reason: String) {
        self.connection = connection
        self.reason = self.reason ?? reason
        finish()
    }

    private func finish() {
        guard state != .closed, let connection else { return }
        state = .closed
        overBudget?.cancel()
        handshake?.cancel()
        self.connection = nil
        // The channel may end inside a call of the owner; the owner hears of it when that call is over.
        let reason = reason ?? "the peer closed the connection"
        connection.eventLoop.execute { [handler] in handler(connection, .closed(reason: reason)) }
    }

    private func deliver(_ event: PeerEvent) {
        guard let connection else { return }
        handler(connection, event)
    }

    // MARK: - Flushing

    /// One write for all messages of a turn: tasks queued during a turn run before the loop waits again.
    private func scheduleFlush() {
        guard !isFlushScheduled, let context, state == .open else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    private func flush() {
        guard let context, pending.readableBytes > 0 else { return }
        let frames = pending
        pending = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(frames), promise: nil)
    }
}

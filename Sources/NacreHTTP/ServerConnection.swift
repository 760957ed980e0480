import NIOCore

/// One client's connection. Confined to its channel's event loop, which is its executor.
///
/// A stream collects its request, is handed to a handler, and is answered through `HTTPResponder`; what happens to a
/// stream at each moment is in `ServerStream`.
actor ServerConnection: ByteConsumer {
    /// A request that waits for its handler.
    struct Accepted: Sendable {
        let request: HTTPRequest
        let responder: HTTPResponder
        /// Ends when the client has left before the answer was complete.
        let gone: AsyncStream<Never>
    }

    enum Phase {
        /// It is not yet known what the client speaks; these are its bytes so far.
        case preface(ByteBuffer)
        case speaking
        /// Speaks something else: answered, and being closed.
        case refused
        case closed
    }

    nonisolated let channel: any Channel
    nonisolated var unownedExecutor: UnownedSerialExecutor { channel.eventLoop.executor.asUnownedSerialExecutor() }

    let limits: HTTPLimits
    private let events: AsyncStream<HTTPServer.Event>.Continuation
    let link: HTTP2Link
    private(set) var phase = Phase.preface(ByteBuffer())
    var streams: [HTTP2StreamID: ServerStream] = [:]
    private var bodiesBytes = 0
    var handlersRunning = 0
    private var offences = 0
    var writersSoFar = 0
    private var hasSettings = false
    var isDraining = false
    private var clock: RepeatedTask?
    private let openedAt = NIODeadline.now()
    private var lastUsed = NIODeadline.now()

    init(_ channel: any Channel, limits: HTTPLimits, events: AsyncStream<HTTPServer.Event>.Continuation) throws {
        self.channel = channel
        self.limits = limits
        self.events = events
        link = try HTTP2Link(.server, channel: channel, limits: limits)
    }

    // MARK: the channel's side

    func opened() {
        guard case .enqueued = events.yield(.opened(self)) else { return channel.close(promise: nil) }
        let tick = TimeAmount(limits.tick)
        clock = channel.eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { [weak self] _ in
            self?.assumeIsolated { $0.tick() }
        }
    }

    func received(_ bytes: ByteBuffer) {
        switch phase {
        case .preface(var held):
            held.writeImmutableBuffer(bytes)
            judge(held)
        case .speaking:
            feed(bytes)
        case .refused, .closed:
            break
        }
    }

    func writable() {
        if case .speaking = phase { pump() }
    }

    func closed() {
        guard !isClosed else { return }
        phase = .closed
        clock?.cancel()
        for stream in streams.keys { end(stream, HTTPError(.connectionClosed, "the client closed the connection")) }
        events.yield(.closed(self))
    }

    var isClosed: Bool {
        if case .closed = phase { true } else { false }
    }

    private func judge(_ held: ByteBuffer) {
        switch ServerPreface(held.readableBytesView) {
        case .undecided:
            phase = .preface(held)
        case .http2:
            phase = .speaking
            feed(held)
        case .http1:
            phase = .refused
            channel.write(ByteBuffer(string: ServerPreface.http1Answer), promise: nil)
            link.beginClosing()
        case .unknown:
            phase = .refused
            channel.close(promise: nil)
        }
    }

    private func feed(_ bytes: ByteBuffer) {
        lastUsed = .now()
        do {
            try link.receive(bytes)
        } catch {
            channel.close(promise: nil)
            return
        }
        pump()
    }

    func pump() {
        do {
            try link.pump { handle($0) }
        } catch {
            channel.close(promise: nil)
        }
    }

    private func tick() {
        let now = NIODeadline.now()
        let isLate = !hasSettings && now - openedAt > TimeAmount(limits.handshakeTimeout)
        if isLate || link.hasLingered(for: limits.lingerTimeout, at: now) {
            channel.close(promise: nil)
            return
        }
        guard case .speaking = phase else { return }
        let stalled = streams.filter { stream, state in
            // A stream that waits for its handler moves nothing and is not stalled.
            let waits = state.incoming == .ended && link.session.queuedBytes(on: stream) == 0
            return !waits && now - state.lastProgress > TimeAmount(limits.stallTimeout)
        }
        for stream in stalled.keys {
            end(stream, HTTPError(.streamReset, "the client took no bytes for \(limits.stallTimeout)"))
            attempt { try link.session.reset(stream, .cancel) }
        }
        // RFC 9113 §8.1 lets a server that has answered early reset the stream with NO_ERROR, but clients that are
        // still sending take a quick reset for a failure and drop the answer (curl 7.88). So they get time to stop by
        // themselves; their window is not refilled, so it costs nothing.
        for (stream, state) in streams
        where state.incoming == .unwanted && link.session.queuedBytes(on: stream) == 0
            && now - state.lastProgress > TimeAmount(limits.lingerTimeout)
        {
            attempt { try link.session.reset(stream, .none) }
        }
        if streams.isEmpty, handlersRunning == 0, now - lastUsed > TimeAmount(limits.idleTimeout) {
            attempt { try link.session.submitGoAway() }
        }
        pump()
    }

    // MARK: the session's side

    private func handle(_ event: HTTP2Event) {
        switch event {
        case .settings: hasSettings = true
        case .fields(let stream, let fields): begin(stream, fields)
        case .fieldsTooLarge(let stream):
            begin(stream, [":method": "GET"])
            refuse(stream, 431, "the header list is over \(limits.headerBytesMax) bytes")
            countOffence()
        case .data(let stream, let bytes): collect(bytes, for: stream)
        case .ended(let stream):
            let incoming = streams[stream]?.incoming
            streams[stream]?.incoming = .ended
            if incoming == .collecting { dispatch(stream) }
        case .taken(let stream):
            streams[stream]?.lastProgress = .now()
            wakeWriters(of: stream)
        case .sentLast(let stream):
            streams[stream]?.lastProgress = .now()
        case .notSent(let stream): attempt { try link.session.reset(stream, .internalError) }
        case .closed(let stream, let reason):
            end(stream, HTTPError(.streamReset, "the client ended the stream (\(reason))"))
            attempt { link.session.forget(stream) }
        case .goAway: break
        case .offence: countOffence()
        }
    }

    private func begin(_ stream: HTTP2StreamID, _ fields: HTTPFields) {
        // A second block on a stream is its trailers: nothing here reads them.
        guard streams[stream] == nil else { return }
        // The library bounds open streams; a client that resets at once leaves handlers behind, which this bounds.
        guard handlersRunning < limits.handlersMax else {
            return attempt { try link.session.reset(stream, .refused) }
        }
        streams[stream] = ServerStream(head: fields)
        attempt { try link.session.shareEvenly(stream) }
        if let length = fields["content-length"].flatMap({ Int($0) }), length > limits.bodyBytesMax {
            refuseBody(stream)
        }
    }

    private func collect(_ bytes: [UInt8], for stream: HTTP2StreamID) {
        attempt { try link.session.creditConnection(bytes.count) }
        guard let state = streams[stream], state.incoming == .collecting else { return }
        if state.body.count + bytes.count > limits.bodyBytesMax { return refuseBody(stream) }
        if bodiesBytes + bytes.count > limits.bodiesBytesMax {
            return refuse(stream, 503, "too many request bodies at once on this connection: send fewer at a time")
        }
        bodiesBytes += bytes.count
        streams[stream]?.body += bytes
        streams[stream]?.lastProgress = .now()
        attempt { try link.session.credit(bytes.count, to: stream) }
    }

    private func dispatch(_ stream: HTTP2StreamID) {
        guard let state = streams[stream] else { return }
        dropBody(of: stream)
        guard let request = HTTPRequest(fields: state.head, body: state.body) else {
            return refuse(stream, 400, "this is not a request for a path")
        }
        let (gone, continuation) = AsyncStream<Never>.makeStream()
        streams[stream]?.gone = continuation
        handlersRunning += 1
        let responder = HTTPResponder(connection: self, stream: stream)
        events.yield(.accepted(Accepted(request: request, responder: responder, gone: gone)))
    }

    /// Answers without a handler, and wants no more of the request.
    func refuse(_ stream: HTTP2StreamID, _ status: Int, _ text: String) {
        guard let state = streams[stream], state.answer == .none else { return }
        dropBody(of: stream)
        if state.incoming == .collecting { streams[stream]?.incoming = .unwanted }
        streams[stream]?.answer = .whole
        let body = Array("\(text)\n".utf8)
        let fields: HTTPFields = [
            ":status": String(status), "content-type": "text/plain; charset=utf-8",
            "content-length": String(body.count),
        ]
        attempt {
            try link.session.submitResponse(fields, on: stream, hasBody: true)
            try link.session.queue(body[...], on: stream)
            try link.session.finish(stream)
        }
    }

    private func refuseBody(_ stream: HTTP2StreamID) {
        refuse(stream, 413, "the request body is over \(limits.bodyBytesMax) bytes")
    }

    private func dropBody(of stream: HTTP2StreamID) {
        bodiesBytes -= streams[stream]?.body.count ?? 0
        streams[stream]?.body = []
    }

    /// Forgets a stream; who still works for it is told that the client has left.
    private func end(_ stream: HTTP2StreamID, _ error: HTTPError) {
        guard let state = streams[stream] else { return }
        dropBody(of: stream)
        streams[stream] = nil
        lastUsed = .now()
        for writer in state.writers.values { writer.resume(throwing: error) }
        if state.answer != .whole || link.session.queuedBytes(on: stream) > 0 { state.gone?.finish() }
    }

    private func wakeWriters(of stream: HTTP2StreamID) {
        guard link.session.queuedBytes(on: stream) < limits.queuedBytesMax else { return }
        let writers = streams[stream]?.writers ?? [:]
        streams[stream]?.writers = [:]
        for writer in writers.values { writer.resume() }
    }

    private func countOffence() {
        offences += 1
        if offences == limits.offencesMax { attempt { try link.session.terminate(.enhanceYourCalm) } }
    }

    /// A session that fails on our own calls is out of memory or misused: nothing on it can be trusted.
    func attempt(_ work: () throws -> Void) {
        do {
            try work()
        } catch {
            channel.close(promise: nil)
        }
    }
}

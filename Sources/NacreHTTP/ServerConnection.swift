import NIOCore

/// One client's connection. Confined to its channel's event loop, which is its executor.
///
/// A stream collects its request, is handed to a handler, and is answered through `HTTPResponder`; what happens to a
/// stream at each moment is in `Stream`.
actor ServerConnection: ByteConsumer {
    /// A request that waits for its handler.
    struct Accepted: Sendable {
        let request: HTTPRequest
        let responder: HTTPResponder
        /// Ends when the client has left before the answer was complete.
        let gone: AsyncStream<Never>
    }

    private enum Phase {
        /// It is not yet known what the client speaks; these are its bytes so far.
        case preface(ByteBuffer)
        case speaking
        /// Speaks something else: answered, and being closed.
        case refused
        case closed
    }

    private struct Stream {
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

    nonisolated let channel: any Channel
    nonisolated var unownedExecutor: UnownedSerialExecutor { channel.eventLoop.executor.asUnownedSerialExecutor() }

    private let limits: HTTPLimits
    private let events: AsyncStream<HTTPServer.Event>.Continuation
    private let link: HTTP2Link
    private var phase = Phase.preface(ByteBuffer())
    private var streams: [HTTP2StreamID: Stream] = [:]
    private var bodiesBytes = 0
    private var handlersRunning = 0
    private var offences = 0
    private var writersSoFar = 0
    private var hasSettings = false
    private var isDraining = false
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

    private var isClosed: Bool {
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

    private func pump() {
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
            // RFC 9113 §8.1: the answer is out, and a client that is still sending its request may stop.
            if let state = streams[stream], state.incoming != .ended {
                attempt { try link.session.reset(stream, .none) }
            }
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
        guard handlersRunning < limits.streamsMax else {
            return attempt { try link.session.reset(stream, .refused) }
        }
        streams[stream] = Stream(head: fields)
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
    private func refuse(_ stream: HTTP2StreamID, _ status: Int, _ text: String) {
        guard let state = streams[stream], state.answer == .none else { return }
        dropBody(of: stream)
        if state.incoming == .collecting { streams[stream]?.incoming = .unwanted }
        streams[stream]?.answer = .whole
        let body = Array("\(text)\n".utf8)
        let fields: HTTPFields = [
            ":status": String(status), "content-type": "text/plain; charset=utf-8", "content-length": String(body.count),
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
    private func attempt(_ work: () throws -> Void) {
        do {
            try work()
        } catch {
            channel.close(promise: nil)
        }
    }

    // MARK: the handlers' side

    func start(_ stream: HTTP2StreamID, status: Int, headers: HTTPFields, hasBody: Bool) throws {
        let state = try open(stream)
        guard state.answer == .none else {
            throw HTTPError(.invalidMessage, "this request has been answered already")
        }
        var fields: HTTPFields = [":status": String(status)]
        for field in headers.all { fields.append(field.name, field.value) }
        let hasBody = hasBody && !state.isHead
        try link.session.submitResponse(fields, on: stream, hasBody: hasBody)
        streams[stream]?.answer = hasBody ? .started : .whole
        streams[stream]?.lastProgress = .now()
        pump()
    }

    func write(_ bytes: [UInt8], on stream: HTTP2StreamID) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let state = try open(stream)
            if state.isHead { return }
            guard state.answer == .started else {
                throw HTTPError(.invalidMessage, "this answer has no body, or it is finished")
            }
            let room = limits.queuedBytesMax - link.session.queuedBytes(on: stream)
            if room <= 0 {
                try await waitForRoom(on: stream)
                continue
            }
            // The stall clock runs only while bytes wait: it starts with the first of them.
            if room == limits.queuedBytesMax { streams[stream]?.lastProgress = .now() }
            try link.session.queue(rest.prefix(room), on: stream)
            rest = rest.dropFirst(room)
            pump()
        }
    }

    func finish(_ stream: HTTP2StreamID) throws {
        let state = try open(stream)
        if state.isHead { return }
        guard state.answer == .started else {
            throw HTTPError(.invalidMessage, "this answer has no body, or it is finished")
        }
        streams[stream]?.answer = .whole
        try link.session.finish(stream)
        pump()
    }

    /// The handler of this stream is back; what it left open is closed so that the client cannot mistake it.
    func handlerReturned(_ stream: HTTP2StreamID) {
        handlersRunning -= 1
        switch streams[stream]?.answer {
        case .none?: refuse(stream, 500, "the server has no answer to this request")
        case .started?: attempt { try link.session.reset(stream, .internalError) }
        case .whole?, nil: break
        }
        if !isClosed { pump() }
    }

    /// Takes no new requests, finishes the open ones, then closes.
    func drain() {
        guard !isDraining else { return }
        isDraining = true
        if case .speaking = phase {
            attempt { try link.session.submitGoAway() }
            pump()
        } else {
            channel.close(promise: nil)
        }
    }

    private func open(_ stream: HTTP2StreamID) throws -> Stream {
        if let state = streams[stream] { return state }
        throw isClosed
            ? HTTPError(.connectionClosed, "the client closed the connection")
            : HTTPError(.streamReset, "the client has left this stream")
    }

    private func waitForRoom(on stream: HTTP2StreamID) async throws {
        writersSoFar += 1
        let number = writersSoFar
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { streams[stream]?.writers[number] = $0 }
        } onCancel: {
            // Runs after the line above has run, also when the task was cancelled before: that line is on this loop.
            channel.eventLoop.execute {
                self.assumeIsolated { $0.cancelWriter(number, on: stream) }
            }
        }
    }

    private func cancelWriter(_ number: Int, on stream: HTTP2StreamID) {
        streams[stream]?.writers.removeValue(forKey: number)?.resume(throwing: CancellationError())
    }
}

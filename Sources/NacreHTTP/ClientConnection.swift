import NIOCore

/// The client's end of one connection. Confined to its channel's event loop, which is its executor.
actor ClientConnection: ByteConsumer {
    private struct Stream {
        /// The final head, when it has come.
        var head: HTTPFields?
        /// Body bytes not yet read; bounded by the stream's window, which is given back as they are read.
        var body = ByteBuffer()
        var isWhole = false
        var isClosed = false
        var failure: HTTPError?
        /// Who waits for the head, or for more of the body.
        var reader: CheckedContinuation<Void, any Error>?
    }

    nonisolated let channel: any Channel
    nonisolated var unownedExecutor: UnownedSerialExecutor { channel.eventLoop.executor.asUnownedSerialExecutor() }

    /// `host:port`, for messages and `:authority`.
    nonisolated let authority: String
    private let link: HTTP2Link
    private var streams: [HTTP2StreamID: Stream] = [:]
    private var hasSettings = false
    private var hasReceived = false
    private var isClosed = false
    private var ready: CheckedContinuation<Void, any Error>?
    /// Why no more requests can be made; the first reason stays.
    private var failure: HTTPError?

    // One element of a body: large enough to be cheap, small enough to be handed on.
    private static let chunkBytesMax = 64 << 10

    init(_ channel: any Channel, authority: String, limits: HTTPLimits) throws {
        self.channel = channel
        self.authority = authority
        link = try HTTP2Link(.client, channel: channel, limits: limits)
    }

    // MARK: the channel's side

    func opened() { pump() }

    func received(_ bytes: ByteBuffer) {
        hasReceived = true
        do {
            try link.receive(bytes)
        } catch {
            return close(because: hasSettings ? error : notHTTP2)
        }
        pump()
    }

    func writable() { pump() }

    func closed() {
        isClosed = true
        let cut = HTTPError(.connectionClosed, "\(authority) closed the connection")
        let mute = HTTPError(
            .unreachable, "\(authority) accepts connections and closes them", remedy: "try again later")
        fail(hasSettings ? cut : hasReceived ? notHTTP2 : mute)
    }

    private var notHTTP2: HTTPError {
        HTTPError(.notHTTP2, "\(authority) does not speak HTTP/2", remedy: "check the port")
    }

    private func pump() {
        guard !isClosed else { return }
        do {
            try link.pump { handle($0) }
        } catch {
            close(because: error)
        }
        if link.closingSince != nil, !hasSettings { close(because: notHTTP2) }
    }

    private func close(because error: HTTPError) {
        fail(error)
        channel.close(promise: nil)
    }

    /// Ends the connection for everyone who waits on it.
    private func fail(_ error: HTTPError) {
        failure = failure ?? error
        ready?.resume(throwing: error)
        ready = nil
        for stream in streams.keys { end(stream, error) }
    }

    // MARK: the session's side

    private func handle(_ event: HTTP2Event) {
        switch event {
        case .settings:
            hasSettings = true
            ready?.resume()
            ready = nil
        case .fields(let stream, let fields):
            // An interim answer (1xx) comes before the final one, trailers after it.
            guard let status = fields[":status"], !status.hasPrefix("1"), streams[stream]?.head == nil else { return }
            streams[stream]?.head = fields
            wake(stream)
        case .fieldsTooLarge(let stream):
            end(stream, HTTPError(.tooLarge, "the answer's header list is too large"))
            attempt { try link.session.reset(stream, .cancel) }
        case .data(let stream, let bytes):
            attempt { try link.session.creditConnection(bytes.count) }
            streams[stream]?.body.discardReadBytes()
            streams[stream]?.body.writeBytes(bytes)
            wake(stream)
        case .ended(let stream):
            streams[stream]?.isWhole = true
            wake(stream)
        case .notSent(let stream):
            end(stream, failure ?? HTTPError(.invalidMessage, "the request could not be sent"))
            attempt { try link.session.reset(stream, .cancel) }
        case .closed(let stream, let reason):
            attempt { link.session.forget(stream) }
            streams[stream]?.isClosed = true
            end(stream, endError(reason))
        case .goAway(let reason):
            failure =
                failure
                ?? HTTPError(
                    .goAway, "\(authority) is shutting down (\(reason))", remedy: "connect again in a moment")
        case .taken, .sentLast, .offence:
            break
        }
    }

    private func endError(_ reason: HTTP2Reason) -> HTTPError {
        if reason == .refused, let failure { return failure }
        return HTTPError(.streamReset, "\(authority) ended the stream before its answer was complete (\(reason))")
    }

    /// Fails a stream unless its answer is whole.
    private func end(_ stream: HTTP2StreamID, _ error: HTTPError) {
        guard let state = streams[stream] else { return }
        if !state.isWhole, state.failure == nil { streams[stream]?.failure = error }
        wake(stream)
    }

    private func wake(_ stream: HTTP2StreamID) {
        let reader = streams[stream]?.reader
        streams[stream]?.reader = nil
        reader?.resume()
    }

    private func attempt(_ work: () throws -> Void) {
        do {
            try work()
        } catch {
            channel.close(promise: nil)
        }
    }

    // MARK: the caller's side

    /// Returns when the server has shown that it speaks HTTP/2.
    func untilReady(within timeout: Duration) async throws {
        if let failure { throw failure }
        if hasSettings { return }
        let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            self.assumeIsolated { $0.close(because: $0.notHTTP2) }
        }
        defer { deadline.cancel() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { ready = $0 }
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// Sends a request and waits for the head of its answer. The stream stays until its body is read or abandoned.
    func request(_ fields: HTTPFields, body: [UInt8]) async throws -> (stream: HTTP2StreamID, head: HTTPFields) {
        if let failure { throw failure }
        let stream = try link.session.submitRequest(fields, body: body)
        streams[stream] = Stream()
        pump()
        while true {
            if Task.isCancelled {
                abandon(stream)
                throw CancellationError()
            }
            if let head = streams[stream]?.head { return (stream, head) }
            if let failure = streams[stream]?.failure {
                streams[stream] = nil
                throw failure
            }
            if streams[stream]?.isWhole != false {
                streams[stream] = nil
                throw HTTPError(.protocolViolation, "\(authority) answered without a status")
            }
            try await wait(on: stream)
        }
    }

    /// The next bytes of a body, nil at its end.
    func next(on stream: HTTP2StreamID) async throws -> [UInt8]? {
        while var state = streams[stream] {
            if let bytes = state.body.readBytes(length: min(state.body.readableBytes, Self.chunkBytesMax)),
                !bytes.isEmpty
            {
                streams[stream]?.body.moveReaderIndex(forwardBy: bytes.count)
                try link.session.credit(bytes.count, to: stream)
                pump()
                return bytes
            }
            if state.isWhole {
                streams[stream] = nil
                return nil
            }
            if let failure = state.failure {
                streams[stream] = nil
                throw failure
            }
            if Task.isCancelled {
                abandon(stream)
                throw CancellationError()
            }
            try await wait(on: stream)
        }
        // Abandoned by a cancellation between waking and running: half a body must not look whole.
        try Task.checkCancellation()
        return nil
    }

    /// Wants no more of a stream: resets it if it is still open.
    func abandon(_ stream: HTTP2StreamID) {
        guard let state = streams.removeValue(forKey: stream) else { return }
        state.reader?.resume(throwing: CancellationError())
        guard !state.isClosed, !isClosed else { return }
        attempt { try link.session.reset(stream, .cancel) }
        pump()
    }

    nonisolated func abandonLater(_ stream: HTTP2StreamID) {
        channel.eventLoop.execute {
            self.assumeIsolated { $0.abandon(stream) }
        }
    }

    /// Says goodbye and closes; what is still open fails with `.connectionClosed`.
    func close() async {
        fail(HTTPError(.connectionClosed, "the connection was closed by this side"))
        attempt { try link.session.terminate(.none) }
        attempt { try link.pump { handle($0) } }
        channel.close(promise: nil)
        // It fails only when the channel was closed before by the other side: closed either way.
        try? await channel.closeFuture.get()
    }

    private func wait(on stream: HTTP2StreamID) async throws {
        precondition(
            streams[stream]?.reader == nil, "stream \(stream.number) has two readers: a body is read by one task")
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { streams[stream]?.reader = $0 }
        } onCancel: {
            // Runs after the line above has run, also when the task was cancelled before: that line is on this loop.
            abandonLater(stream)
        }
    }
}

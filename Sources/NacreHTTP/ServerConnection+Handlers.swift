import NIOCore

/// What handlers do with their streams, through `HTTPResponder` and `HTTPBodyWriter`.
extension ServerConnection {
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

    private func open(_ stream: HTTP2StreamID) throws -> ServerStream {
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

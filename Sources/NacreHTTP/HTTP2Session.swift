import CNghttp2
import NIOCore

/// One end of an HTTP/2 connection without its socket: bytes in, events out; messages in, bytes out.
///
/// The façade of libnghttp2 1.52. It is used from one event loop, and never from inside a callback: the callbacks
/// write on the tape, and the owner reads it between calls.
struct HTTP2Session: ~Copyable {
    enum Role {
        case server, client
    }
    private let pointer: OpaquePointer
    // The library's user data is an unretained reference to the tape: it lives as long as the pointer.
    private let tape: HTTP2Tape

    /// A session that has queued its settings (and, as a client, the preface) and nothing else.
    ///
    /// - Throws: `HTTPError` `.library`.
    init(_ role: Role, limits: HTTPLimits) throws(HTTPError) {
        let tape = HTTP2Tape(headerBytesMax: limits.headerBytesMax)
        let pointer = try Self.makePointer(role, tape, limits)
        do {
            try Self.submitSettings(role, pointer, limits)
        } catch {
            nghttp2_session_del(pointer)
            throw error
        }
        self.pointer = pointer
        self.tape = tape
    }

    deinit {
        nghttp2_session_del(pointer)
    }

    // MARK: bytes

    /// Takes what the peer sent; the events are on the tape, also when this throws.
    ///
    /// - Throws: `HTTPError` `.protocolViolation`: the connection must be closed at once.
    mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTPError) {
        let count = nghttp2_session_mem_recv(pointer, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
        if count < 0 {
            throw HTTPError(.protocolViolation, "the peer broke HTTP/2: \(Self.text(count))")
        }
    }

    /// Appends bytes for the peer until there are none left or the buffer holds `bytesMax` (and one frame more).
    mutating func drain(into buffer: inout ByteBuffer, bytesMax: Int) throws(HTTPError) {
        while buffer.readableBytes < bytesMax {
            var bytes: UnsafePointer<UInt8>?
            let count = try Self.checked(nghttp2_session_mem_send(pointer, &bytes))
            guard count > 0, let bytes else { return }
            buffer.writeBytes(UnsafeRawBufferPointer(start: bytes, count: count))
        }
    }

    /// The events since the last call.
    mutating func takeEvents() -> [HTTP2Event] { tape.takeEvents() }

    /// Whether the library has nothing more to say and to hear: the connection can be closed.
    var isDone: Bool { nghttp2_session_want_read(pointer) == 0 && nghttp2_session_want_write(pointer) == 0 }

    // MARK: messages

    /// Queues a request; `body` goes out as the peer's window allows.
    ///
    /// - Throws: `HTTPError` `.invalidMessage` for a field that HTTP/2 cannot carry, `.library`.
    mutating func submitRequest(_ fields: HTTPFields, body: [UInt8]) throws(HTTPError) -> HTTP2StreamID {
        try Self.validate(fields)
        var source = HTTP2Tape.bodySource()
        let number = Self.withBlock(of: fields) { block, count in
            body.isEmpty
                ? nghttp2_submit_request(pointer, nil, block, count, nil, nil)
                : nghttp2_submit_request(pointer, nil, block, count, &source, nil)
        }
        let stream = HTTP2StreamID(number: Int32(try Self.checked(Int(number))))
        if !body.isEmpty {
            tape.open(stream)
            tape.queue(body, on: stream)
            tape.finish(stream)
        }
        return stream
    }

    /// Queues the head of a response. With a body, `queue` and `finish` must follow; at most one head per stream.
    ///
    /// - Throws: `HTTPError` `.invalidMessage` for a field that HTTP/2 cannot carry, `.library`.
    mutating func submitResponse(_ fields: HTTPFields, on stream: HTTP2StreamID, hasBody: Bool) throws(HTTPError) {
        try Self.validate(fields)
        var source = HTTP2Tape.bodySource()
        if hasBody { tape.open(stream) }
        let code = Self.withBlock(of: fields) { block, count in
            hasBody
                ? nghttp2_submit_response(pointer, stream.number, block, count, &source)
                : nghttp2_submit_response(pointer, stream.number, block, count, nil)
        }
        _ = try Self.checked(Int(code))
    }

    /// Adds body bytes; the caller bounds them by `queuedBytes`.
    mutating func queue(_ bytes: ArraySlice<UInt8>, on stream: HTTP2StreamID) throws(HTTPError) {
        tape.queue(bytes, on: stream)
        try resume(stream)
    }

    /// Marks the body as whole: the stream's last frame follows its queued bytes.
    mutating func finish(_ stream: HTTP2StreamID) throws(HTTPError) {
        tape.finish(stream)
        try resume(stream)
    }

    /// Body bytes that wait for the peer's window.
    func queuedBytes(on stream: HTTP2StreamID) -> Int { tape.queuedBytes(on: stream) }

    /// Ends a stream from our side. Harmless for a stream that is gone.
    mutating func reset(_ stream: HTTP2StreamID, _ reason: HTTP2Reason) throws(HTTPError) {
        let flags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        _ = try Self.checked(Int(nghttp2_submit_rst_stream(pointer, flags, stream.number, reason.number)))
    }

    /// Drops the body bytes kept for a closed stream.
    mutating func forget(_ stream: HTTP2StreamID) { tape.forget(stream) }

    /// Gives the connection's window back. Done on arrival, so that a stream nobody reads holds only itself.
    mutating func creditConnection(_ bytes: Int) throws(HTTPError) {
        _ = try Self.checked(Int(nghttp2_session_consume_connection(pointer, bytes)))
    }

    /// Gives a stream's window back, when its bytes have been taken. Harmless for a stream that is gone.
    mutating func credit(_ bytes: Int, to stream: HTTP2StreamID) throws(HTTPError) {
        _ = try Self.checked(Int(nghttp2_session_consume_stream(pointer, stream.number, bytes)))
    }

    /// Lets the stream share the connection frame by frame. RFC 9218's default would send the oldest stream's body
    /// whole before the next one's; an event stream must not wait for a large answer. Harmless for a stream that is
    /// gone.
    mutating func shareEvenly(_ stream: HTTP2StreamID) throws(HTTPError) {
        var priority = nghttp2_extpri(urgency: UInt32(NGHTTP2_EXTPRI_DEFAULT_URGENCY), inc: 1)
        let ignoresClient: Int32 = 1
        try Self.checkedUnlessGone(
            nghttp2_session_change_extpri_stream_priority(pointer, stream.number, &priority, ignoresClient))
    }

    /// Takes no new streams; the open ones go on.
    mutating func submitGoAway() throws(HTTPError) {
        let last = nghttp2_session_get_last_proc_stream_id(pointer)
        let flags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        _ = try Self.checked(Int(nghttp2_submit_goaway(pointer, flags, last, HTTP2Reason.none.number, nil, 0)))
    }

    /// Ends the connection and every stream: after the next drain the session is done.
    mutating func terminate(_ reason: HTTP2Reason) throws(HTTPError) {
        _ = try Self.checked(Int(nghttp2_session_terminate_session(pointer, reason.number)))
    }

    // MARK: workings

    private mutating func resume(_ stream: HTTP2StreamID) throws(HTTPError) {
        // Also an invalid argument when the body is not deferred: then its turn is coming anyway.
        try Self.checkedUnlessGone(nghttp2_session_resume_data(pointer, stream.number))
    }

    private static func makePointer(
        _ role: Role, _ tape: HTTP2Tape, _ limits: HTTPLimits
    ) throws(HTTPError) -> OpaquePointer {
        var callbacks: OpaquePointer?
        _ = try checked(Int(nghttp2_session_callbacks_new(&callbacks)))
        defer { nghttp2_session_callbacks_del(callbacks) }
        var options: OpaquePointer?
        _ = try checked(Int(nghttp2_option_new(&options)))
        defer { nghttp2_option_del(options) }
        guard let callbacks, let options else { throw HTTPError(.library, "libnghttp2 gave no memory") }
        HTTP2Tape.register(on: callbacks)

        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_no_closed_streams(options, 1)
        nghttp2_option_set_max_settings(options, limits.settingsMax)
        nghttp2_option_set_max_outbound_ack(options, limits.acksQueuedMax)
        // These two are back-ports that bookworm's 1.52 carries for CVE-2023-44487 and CVE-2024-28182. A package
        // without them does not declare them, and the build stops here, as it should.
        nghttp2_option_set_stream_reset_rate_limit(options, UInt64(limits.resetsBurst), UInt64(limits.resetsPerSecond))
        nghttp2_option_set_max_continuations(options, limits.continuationsMax)

        let userData = Unmanaged.passUnretained(tape).toOpaque()
        var pointer: OpaquePointer?
        let code =
            switch role {
            case .server: nghttp2_session_server_new2(&pointer, callbacks, userData, options)
            case .client: nghttp2_session_client_new2(&pointer, callbacks, userData, options)
            }
        _ = try checked(Int(code))
        guard let pointer else { throw HTTPError(.library, "libnghttp2 gave no session") }
        return pointer
    }

    private static func submitSettings(
        _ role: Role, _ pointer: OpaquePointer, _ limits: HTTPLimits
    ) throws(HTTPError) {
        func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
            nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(value))
        }
        var entries = [
            entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.streamWindowBytes),
            entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.headerBytesMax),
        ]
        switch role {
        case .server:
            entries.append(entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streamsMax))
            // The priority tree of RFC 7540 costs memory and has been attacked; see `shareEvenly`.
            entries.append(entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1))
        case .client:
            entries.append(entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
        }
        let flags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        _ = try checked(Int(nghttp2_submit_settings(pointer, flags, entries, entries.count)))
        let window = Int32(limits.connectionWindowBytes)
        _ = try checked(Int(nghttp2_session_set_local_window_size(pointer, flags, 0, window)))
    }

    private static func validate(_ fields: HTTPFields) throws(HTTPError) {
        if let name = fields.firstInvalidName() {
            throw HTTPError(.invalidMessage, "the field \"\(name)\" has a name or value that HTTP/2 cannot carry")
        }
    }

    /// Lends the fields in the library's shape; it copies what it keeps.
    private static func withBlock<R>(of fields: HTTPFields, _ body: (UnsafePointer<nghttp2_nv>?, Int) -> R) -> R {
        var bytes: [UInt8] = []
        var starts: [(name: Int, value: Int, end: Int)] = []
        for field in fields.all {
            let name = bytes.count
            bytes += field.name.utf8
            let value = bytes.count
            bytes += field.value.utf8
            starts.append((name, value, bytes.count))
        }
        return bytes.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return body(nil, 0) }
            let block = starts.map { start in
                nghttp2_nv(
                    name: base + start.name, value: base + start.value, namelen: start.value - start.name,
                    valuelen: start.end - start.value, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
            }
            return block.withUnsafeBufferPointer { body($0.baseAddress, $0.count) }
        }
    }

    /// The library's answer as a number, once it is known not to be an error.
    private static func checked(_ code: Int) throws(HTTPError) -> Int {
        guard code >= 0 else { throw HTTPError(.library, "libnghttp2 failed: \(text(code))") }
        return code
    }

    /// For calls that name a stream: one that is gone is an invalid argument to the library, and to us an ordinary
    /// case, since its `closed` event may still be on the tape.
    private static func checkedUnlessGone(_ code: Int32) throws(HTTPError) {
        if code != NGHTTP2_ERR_INVALID_ARGUMENT.rawValue { _ = try checked(Int(code)) }
    }

    private static func text(_ code: Int) -> String {
        nghttp2_strerror(Int32(clamping: code)).map { String(cString: $0) } ?? "error \(code)"
    }
}

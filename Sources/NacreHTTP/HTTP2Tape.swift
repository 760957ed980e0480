import CNghttp2
import NIOCore

/// What a session's callbacks write on, and the body bytes they send from. They touch nothing else: in particular not
/// the session, which is in the middle of a call when they run.
final class HTTP2Tape {
    private(set) var events: [HTTP2Event] = []
    private var partial: [HTTP2StreamID: PartialFields] = [:]
    private var outgoing: [HTTP2StreamID: OutgoingBody] = [:]
    private let headerBytesMax: Int

    private struct PartialFields {
        var fields = HTTPFields()
        var bytes = 0
    }

    /// Bytes of a body that wait to be sent.
    private struct OutgoingBody {
        var bytes = ByteBuffer()
        var isWhole = false
    }

    init(headerBytesMax: Int) {
        self.headerBytesMax = headerBytesMax
    }

    /// Hands over the events since the last call.
    func takeEvents() -> [HTTP2Event] {
        defer { events.removeAll(keepingCapacity: true) }
        return events
    }

    // MARK: bodies, called by the session's owner between calls of the library

    func open(_ stream: HTTP2StreamID) {
        outgoing[stream] = OutgoingBody()
    }

    func queue(_ bytes: some Sequence<UInt8>, on stream: HTTP2StreamID) {
        outgoing[stream]?.bytes.discardReadBytes()
        outgoing[stream]?.bytes.writeBytes(bytes)
    }

    func finish(_ stream: HTTP2StreamID) {
        outgoing[stream]?.isWhole = true
    }

    func queuedBytes(on stream: HTTP2StreamID) -> Int {
        outgoing[stream]?.bytes.readableBytes ?? 0
    }

    func forget(_ stream: HTTP2StreamID) {
        outgoing[stream] = nil
        partial[stream] = nil
    }

    // MARK: callbacks

    /// Registers the callbacks. Each receives the tape as its user data.
    static func register(on callbacks: OpaquePointer) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, tape in
            HTTP2Tape.with(tape, frame) { tape, frame in tape.partial[frame.stream] = PartialFields() }
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameBytes, value, valueBytes, _, tape in
            HTTP2Tape.with(tape, frame) { tape, frame in
                tape.field(
                    UnsafeBufferPointer(start: name, count: nameBytes),
                    UnsafeBufferPointer(start: value, count: valueBytes), on: frame.stream)
            }
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, tape in
            HTTP2Tape.with(tape, frame) { tape, frame in tape.received(frame) }
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, frame, code, tape in
            HTTP2Tape.with(tape, frame) { tape, frame in
                tape.partial[frame.stream] = nil
                // A stream too many is not an offence: the peer may not have seen our settings yet.
                if code != NGHTTP2_ERR_REFUSED_STREAM.rawValue { tape.events.append(.offence) }
            }
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, bytes, count, tape in
            guard let tape = HTTP2Tape.from(tape) else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
            let chunk = Array(UnsafeBufferPointer(start: bytes, count: count))
            tape.events.append(.data(HTTP2StreamID(number: stream), chunk))
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, tape in
            HTTP2Tape.with(tape, frame) { tape, frame in
                if frame.carriesMessage, frame.isLast { tape.events.append(.sentLast(frame.stream)) }
            }
        }
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, tape in
            HTTP2Tape.with(tape, frame) { tape, frame in
                if frame.carriesMessage { tape.events.append(.notSent(frame.stream)) }
            }
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, reason, tape in
            guard let tape = HTTP2Tape.from(tape) else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
            tape.events.append(.closed(HTTP2StreamID(number: stream), HTTP2Reason(number: reason)))
            return 0
        }
    }

    /// The source of every body: moves queued bytes into the library's frame, or defers until there are some.
    static func bodySource() -> nghttp2_data_provider {
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, stream, frame, room, flags, _, tape in
            guard let tape = HTTP2Tape.from(tape), let frame, let flags else {
                return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
            }
            let target = UnsafeMutableRawBufferPointer(start: frame, count: room)
            return tape.moveBody(of: HTTP2StreamID(number: stream), into: target, flags: flags)
        }
        return provider
    }

    // The session that holds the library's pointer also holds the tape, and deletes the pointer in its `deinit`, before
    // the tape is released: whenever a callback runs, the tape is alive.
    private static func from(_ pointer: UnsafeMutableRawPointer?) -> HTTP2Tape? {
        pointer.map { Unmanaged<HTTP2Tape>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func with(
        _ pointer: UnsafeMutableRawPointer?, _ frame: UnsafePointer<nghttp2_frame>?,
        _ body: (HTTP2Tape, nghttp2_frame) -> Void
    ) -> Int32 {
        guard let tape = from(pointer), let frame else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
        body(tape, frame.pointee)
        return 0
    }

    private func field(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, on stream: HTTP2StreamID
    ) {
        // The count goes on after the limit, the copies do not: a small block can name a large field very often.
        partial[stream]?.bytes += name.count + value.count + 32
        guard let bytes = partial[stream]?.bytes, bytes <= headerBytesMax else { return }
        partial[stream]?.fields.append(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    private func received(_ frame: nghttp2_frame) {
        switch UInt32(frame.hd.type) {
        case NGHTTP2_HEADERS.rawValue:
            guard let block = partial.removeValue(forKey: frame.stream) else { return }
            events.append(
                block.bytes > headerBytesMax ? .fieldsTooLarge(frame.stream) : .fields(frame.stream, block.fields))
            if frame.isLast { events.append(.ended(frame.stream)) }
        case NGHTTP2_DATA.rawValue:
            if frame.isLast { events.append(.ended(frame.stream)) }
        case NGHTTP2_SETTINGS.rawValue:
            if frame.hd.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 { events.append(.settings) }
        case NGHTTP2_GOAWAY.rawValue:
            events.append(.goAway(HTTP2Reason(number: frame.goaway.error_code)))
        default:
            break
        }
    }

    private func moveBody(
        of stream: HTTP2StreamID, into target: UnsafeMutableRawBufferPointer, flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        let moved = outgoing[stream]?.bytes.readWithUnsafeReadableBytes { source in
            let count = min(source.count, target.count)
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.prefix(count)))
            return count
        }
        guard let moved, let body = outgoing[stream] else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
        if body.isWhole, body.bytes.readableBytes == 0 {
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        } else if moved == 0 {
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        if moved > 0 { events.append(.taken(stream)) }
        return moved
    }
}

extension nghttp2_frame {
    fileprivate var stream: HTTP2StreamID { HTTP2StreamID(number: hd.stream_id) }
    fileprivate var isLast: Bool { hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 }
    fileprivate var carriesMessage: Bool {
        UInt32(hd.type) == NGHTTP2_HEADERS.rawValue || UInt32(hd.type) == NGHTTP2_DATA.rawValue
    }
}

/// One event of a `text/event-stream`.
/// - Source: WHATWG HTML, "Server-sent events".
package struct ServerSentEvent: Sendable, Hashable {
    /// What a client resumes after; when decoding, the last id seen, also from an earlier event.
    package let id: String?
    /// The kind of event; nil means `message`.
    package let event: String?
    /// Any text; line breaks arrive as `\n`, whatever they were.
    package let data: String

    /// `id` and `event` are our own words: they hold no line breaks, and `id` no NUL.
    package init(id: String? = nil, event: String? = nil, data: String) {
        for text in [id, event].compactMap({ $0 }) {
            precondition(
                !text.utf8.contains { $0 == 0x0A || $0 == 0x0D || $0 == 0 }, "a line break in a field: \(text)")
        }
        self.id = id
        self.event = event
        self.data = data
    }

    /// The event as it goes on the wire.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        func line(_ field: String, _ value: some Sequence<UInt8>) {
            bytes += field.utf8
            bytes += value
            bytes.append(UInt8(ascii: "\n"))
        }
        if let id { line("id: ", id.utf8) }
        if let event { line("event: ", event.utf8) }
        for part in Self.lines(of: data) { line("data: ", part) }
        line("", [])
        return bytes
    }

    /// A comment that keeps a quiet stream open; decoders skip it.
    package static let keepAlive = Array(": keep-alive\n\n".utf8)

    // A carriage return ends a line in this format, alone or before a line feed: each break becomes a new `data:` line.
    private static func lines(of text: String) -> [[UInt8]] {
        var lines: [[UInt8]] = [[]]
        var followsReturn = false
        for byte in text.utf8 {
            let isFeed = byte == UInt8(ascii: "\n")
            let isReturn = byte == UInt8(ascii: "\r")
            if isReturn || isFeed && !followsReturn {
                lines.append([])
            } else if !isFeed {
                lines[lines.count - 1].append(byte)
            }
            followsReturn = isReturn
        }
        return lines
    }
}

/// Takes a `text/event-stream` apart; the bytes may be split anywhere.
package struct ServerSentEventDecoder: Sendable {
    private let eventBytesMax: Int
    private var line: [UInt8] = []
    private var followsReturn = false
    private var isFirstLine = true
    private var lastID: String?
    private var event: String?
    private var data: [UInt8] = []
    private var hasData = false

    /// - Parameter eventBytesMax: bound on the data of one event, and on one line.
    package init(eventBytesMax: Int = 1 << 20) {
        self.eventBytesMax = eventBytesMax
    }

    /// Takes the next bytes; returns the events that they complete.
    ///
    /// - Throws: `HTTPError` `.tooLarge`.
    package mutating func decode(_ bytes: some Sequence<UInt8>) throws(HTTPError) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            let isFeed = byte == UInt8(ascii: "\n")
            let isReturn = byte == UInt8(ascii: "\r")
            if isReturn || isFeed && !followsReturn {
                endLine(into: &events)
            } else if !isFeed {
                line.append(byte)
            }
            followsReturn = isReturn
            if line.count + data.count > eventBytesMax {
                throw HTTPError(.tooLarge, "an event is over \(eventBytesMax) bytes")
            }
        }
        return events
    }

    private mutating func endLine(into events: inout [ServerSentEvent]) {
        defer { line.removeAll(keepingCapacity: true) }
        if isFirstLine {
            isFirstLine = false
            let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
            if line.starts(with: byteOrderMark) { line.removeFirst(byteOrderMark.count) }
        }
        if line.isEmpty { return endEvent(into: &events) }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "data":
            if hasData { data.append(UInt8(ascii: "\n")) }
            data += value
            hasData = true
        case "event":
            event = Self.text(value)
        case "id":
            lastID = Self.text(value) ?? lastID
        default:
            // A comment (empty name), `retry`, or a field of a later time.
            break
        }
    }

    private mutating func endEvent(into events: inout [ServerSentEvent]) {
        if hasData {
            let name = event.flatMap { $0.isEmpty ? nil : $0 }
            events.append(ServerSentEvent(id: lastID, event: name, data: String(decoding: data, as: UTF8.self)))
        }
        data = []
        hasData = false
        event = nil
    }

    /// The value as text; nil when it holds a NUL, which the format forbids in ids.
    private static func text(_ value: ArraySlice<UInt8>) -> String? {
        value.contains(0) ? nil : String(decoding: value, as: UTF8.self)
    }
}

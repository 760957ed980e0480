import NacreHTTP
import Testing

@Suite("Server-sent events")
struct ServerSentEventsTests {
    private static let events = [
        ServerSentEvent(id: "1", event: "tokens", data: #"{"text":"a: b"}"#),
        ServerSentEvent(id: "2", data: "zwei\nZeilen, üñí 🐚"),
        ServerSentEvent(id: "3", event: "end", data: ""),
    ]

    @Test("the encoded form is the one of the standard")
    func encoded() {
        #expect(Self.events[0].encoded == Array("id: 1\nevent: tokens\ndata: {\"text\":\"a: b\"}\n\n".utf8))
        #expect(Self.events[1].encoded == Array("id: 2\ndata: zwei\ndata: Zeilen, üñí 🐚\n\n".utf8))
        #expect(ServerSentEvent(data: "a\r\nb\rc").encoded == Array("data: a\ndata: b\ndata: c\n\n".utf8))
    }

    @Test("what was encoded is decoded, wherever the bytes are split", arguments: ["\n", "\r\n", "\r"])
    func splitAnywhere(lineEnd: String) throws {
        let text = String(decoding: ServerSentEvent.keepAlive + Self.events.flatMap(\.encoded), as: UTF8.self)
        let bytes = Array(
            ("\u{FEFF}"
                + text.split(separator: "\n", omittingEmptySubsequences: false)
                .joined(separator: lineEnd)).utf8)
        for first in 0...bytes.count {
            for second in stride(from: first, through: bytes.count, by: 7) {
                var decoder = ServerSentEventDecoder()
                var decoded = try decoder.decode(bytes[..<first])
                decoded += try decoder.decode(bytes[first..<second])
                decoded += try decoder.decode(bytes[second...])
                #expect(decoded == Self.events, "split at \(first) and \(second)")
            }
        }
        var drip = ServerSentEventDecoder()
        #expect(try bytes.flatMap { try drip.decode([$0]) } == Self.events)
    }

    @Test("ids carry over, empty events are skipped, unknown fields are ignored")
    func oddities() throws {
        var decoder = ServerSentEventDecoder()
        let text = ":comment\nid: 9\n\nretry: 5\nfoo\ndata:x\n\nevent: gone\n\ndata\ndata:  y\nid: a\0b\n\n"
        #expect(
            try decoder.decode(Array(text.utf8)) == [
                ServerSentEvent(id: "9", data: "x"), ServerSentEvent(id: "9", data: "\n y"),
            ])
    }

    @Test("an event over the limit is refused")
    func tooLarge() throws {
        var decoder = ServerSentEventDecoder(eventBytesMax: 20)
        #expect { try decoder.decode(Array("data: 123456\ndata: 123456\ndata: 1234567890\n".utf8)) } throws: {
            ($0 as? HTTPError)?.code == .tooLarge
        }
    }
}

import Foundation
import NacreHTTP
import Testing

@Suite("Peers that break the rules", .timeLimit(.minutes(1)))
struct HostileTests {
    private static let handshake = Raw.preface + Raw.settings
    private static let enhanceYourCalm: UInt32 = 11

    /// Holds the conversation, sees it closed, and checks that the server serves the next client.
    private func survives(_ parts: [[UInt8]], finishes: Bool = false) async throws -> [UInt8] {
        try await withServer { _, responder in
            try? await responder.send(status: 200, body: Array("ok".utf8))
        } _: { server in
            let received = try await converse(port: server.port, sending: parts, finishes: finishes)
            try await withClient(of: server) { client in
                let answer = try await client.request(method: "GET", path: "/")
                #expect(answer.status == 200)
            }
            return received
        }
    }

    /// Holds the conversation with a server of unusual limits, which might not suit an ordinary client.
    private func under(_ limits: HTTPLimits, _ parts: [[UInt8]], finishes: Bool = false) async throws -> [UInt8] {
        try await withServer(limits: limits) { _, _ in
        } _: { server in
            try await converse(port: server.port, sending: parts, finishes: finishes)
        }
    }

    @Test(
        "an HTTP/1.1 request is told in HTTP/1.1 what the port speaks", arguments: ["GET", "POST", "PUT", "PROPFIND"])
    func http1(method: String) async throws {
        let text = "\(method) /v1/jobs HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n\r\n"
        for parts in [[Array(text.utf8)], text.utf8.map { [$0] }] {
            let answer = String(decoding: try await survives(parts), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 505 "))
            #expect(answer.hasSuffix("\r\n\r\nthis port speaks HTTP/2: use curl --http2-prior-knowledge\n"))
        }
    }

    @Test("garbage does no harm, before the handshake and after it", arguments: UInt64(0)..<40)
    func garbage(seed: UInt64) async throws {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        let noise = (0..<4000).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        _ = try await survives([seed % 2 == 0 ? noise : Self.handshake + noise], finishes: true)
    }

    @Test("a client that says nothing, or half a preface, is closed when the handshake time is over")
    func silent() async throws {
        var limits = HTTPLimits()
        limits.handshakeTimeout = .milliseconds(50)
        for parts in [[], [Array(Raw.preface.prefix(10))], [Raw.preface], [Array("GE".utf8)]] {
            #expect(Raw.frames(in: try await under(limits, parts)).types.allSatisfy { $0 != 0 })
        }
    }

    @Test("a connection without requests is told goodbye when it was idle for too long")
    func idle() async throws {
        var limits = HTTPLimits()
        limits.idleTimeout = .milliseconds(50)
        let received = try await under(limits, [Self.handshake])
        #expect(Raw.frames(in: received).goAway == 0)
    }

    @Test("a request whose body stops coming loses its stream")
    func stalledUpload() async throws {
        var limits = HTTPLimits()
        limits.stallTimeout = .milliseconds(50)
        limits.idleTimeout = .milliseconds(100)
        let received = try await under(
            limits, [Self.handshake + Raw.headers(1, flags: Raw.endHeaders, Raw.head(method: "POST"))])
        #expect(Raw.frames(in: received).types.contains(3))
    }

    @Test("a rapid reset attack ends the connection")
    func rapidReset() async throws {
        let attack = Raw.streams(5000).map { Raw.headers($0) + Raw.reset($0) }
        let received = try await survives([Self.handshake] + attack)
        #expect(Raw.frames(in: received).goAway != nil)
    }

    @Test("handlers that outlive their streams bound the streams that are taken")
    func lingeringHandlers() async throws {
        var limits = HTTPLimits()
        limits.handlersMax = 4
        let gate = Signal<Void>()
        let started = Signal<Void>()
        let parts = Raw.streams(20).map { Raw.headers($0) + Raw.reset($0) }
        try await withServer(limits: limits) { _, responder in
            started.send(())
            // Deaf to cancellation on purpose: an unstructured wait.
            await Task { try? await gate.next() }.value
            try? await responder.send(status: 200)
        } _: { server in
            let received = try await converse(port: server.port, sending: [Self.handshake] + parts + [Raw.goAway])
            for _ in 0..<4 {
                try await started.next()
                gate.send(())
            }
            #expect(Raw.frames(in: received).types.filter { $0 == 1 }.isEmpty)
        }
    }

    @Test("a flood of CONTINUATION frames ends the connection")
    func continuationFlood() async throws {
        let flood = (0..<2000).map { _ in Raw.frame(type: 9, stream: 1, Raw.field("x", "y")) }
        let received = try await survives([Self.handshake + Raw.headers(1, flags: Raw.endStream)] + flood)
        #expect(!Raw.frames(in: received).types.contains(1))
    }

    @Test("a SETTINGS frame with too many entries ends the connection")
    func wideSettings() async throws {
        let entry: [UInt8] = [0, 3, 0, 0, 0, 100]
        let wide = Raw.frame(type: 4, (0..<100).flatMap { _ in entry })
        #expect(Raw.frames(in: try await survives([Self.handshake, wide])).goAway != nil)
    }

    @Test("a small compressed block that unpacks to a huge header list is answered 431 without being kept")
    func compressionBomb() async throws {
        // A 4,000-byte field enters the dynamic table (RFC 7541 §6.2.1), then each byte 0xBE names it once more.
        let value = [UInt8](repeating: 0x61, count: 3900)
        // 3900 as an integer with a 7-bit prefix (RFC 7541 §5.1): 127, then 3773 in groups of seven bits.
        let field: [UInt8] = [0x40, 1, 0x78, 0x7F, 0xBD, 0x1D]
        let bomb = Array([Raw.head(), field, value, [UInt8](repeating: 0xBE, count: 10_000)].joined())
        let received = try await survives([Self.handshake, Raw.headers(1, bomb), Raw.goAway])
        #expect(Raw.frames(in: received).types.filter { $0 < 2 } == [1, 0])
    }

    @Test("many small offences are forgiven one by one and together end the connection")
    func offences() async throws {
        // An update that overflows the window is a stream error: the stream is reset, the connection goes on.
        let offence = Raw.streams(200).map { stream in
            Raw.headers(stream, flags: Raw.endHeaders) + Raw.frame(type: 8, stream: stream, Raw.number(0x7FFF_FFFF))
        }
        let received = try await survives([Self.handshake] + offence)
        #expect(Raw.frames(in: received).goAway == Self.enhanceYourCalm)
    }

    @Test("unfinished bodies are bounded for the connection as a whole")
    func manyBodies() async throws {
        var limits = HTTPLimits()
        limits.bodiesBytesMax = 50_000
        let bodies = Raw.streams(10).map { stream in
            Raw.headers(stream, flags: Raw.endHeaders, Raw.head(method: "POST"))
                + Raw.frame(type: 0, stream: stream, [UInt8](repeating: 1, count: 10_000))
        }
        let received = try await under(limits, [Self.handshake] + bodies, finishes: true)
        #expect(Raw.frames(in: received).types.filter { $0 == 1 }.count == 5)
    }

    @Test("connections over the limit are closed, the others are served")
    func tooManyConnections() async throws {
        var limits = HTTPLimits()
        limits.connectionsMax = 2
        try await withServer(limits: limits) { _, responder in
            try? await responder.send(status: 200)
        } _: { server in
            try await withClient(of: server) { first in
                try await withClient(of: server) { second in
                    await #expect(throws: HTTPError.self) {
                        // It may get as far as the settings before it is closed.
                        let third = try await HTTPClient.connect(host: "127.0.0.1", port: server.port)
                        _ = try await third.request(method: "GET", path: "/")
                    }
                    for client in [first, second] {
                        let answer = try await client.request(method: "GET", path: "/")
                        #expect(answer.status == 200)
                    }
                }
            }
        }
    }
}

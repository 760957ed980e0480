import NacreHTTP
import Testing

@Suite("Requests and answers over real sockets", .timeLimit(.minutes(1)))
struct ExchangeTests {
    @Test("a request arrives as it was sent, and so does its answer")
    func echo() async throws {
        try await withServer { request, responder in
            let isRight =
                request.method == "POST" && request.path == "/v1/jobs" && request.queryValue("after") == "a b&ü"
                && request.queryValue("x") == "1 2" && request.queryValue("flag") == ""
                && request.queryValue("no") == nil
                && request.headers["idempotency-key"] == "k1" && request.headers[":path"] == nil
            try? await responder.send(
                status: isRight ? 201 : 400, headers: ["Content-Type": "text/plain", "x-id": "7"], body: request.body)
        } _: { server in
            try await withClient(of: server) { client in
                let answer = try await client.request(
                    method: "POST", path: "/v1/jobs?after=a%20b%26%c3%BC&x=1+2&flag",
                    headers: ["Idempotency-Key": "k1"],
                    body: Array("hello".utf8))
                #expect(answer.status == 201)
                #expect(answer.headers["content-type"] == "text/plain")
                #expect(answer.headers["x-id"] == "7")
                #expect(answer.headers["content-length"] == "5")
                #expect(try await answer.body.collect(max: 100) == Array("hello".utf8))
            }
        }
    }

    @Test("a hundred requests at once each get their own answer")
    func concurrent() async throws {
        let arrived = Signal<Void>()
        let gate = Signal<Void>()
        try await withServer { request, responder in
            arrived.send(())
            if request.path == "/last" {
                for _ in 0..<100 { gate.send(()) }
            } else {
                try? await gate.next()
            }
            try? await responder.send(status: 200, body: Array(request.path.utf8))
        } _: { server in
            try await withClient(of: server) { client in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<100 {
                        group.addTask {
                            let answer = try await client.request(method: "GET", path: "/\(number)")
                            return try await answer.body.collect(max: 10) == Array("/\(number)".utf8)
                        }
                    }
                    // All hundred wait inside their handlers before the one that lets them go is sent.
                    for _ in 0..<100 { try await arrived.next() }
                    _ = try await client.request(method: "GET", path: "/last")
                    for try await isRight in group { #expect(isRight) }
                }
            }
        }
    }

    @Test("bodies larger than every window arrive whole, both ways")
    func largeBodies() async throws {
        let large = (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let upload = Array(large.prefix(1 << 20))
        try await withServer { request, responder in
            try? await responder.send(status: request.body == upload ? 200 : 400, body: large)
        } _: { server in
            try await withClient(of: server) { client in
                let answer = try await client.request(method: "POST", path: "/", body: upload)
                #expect(answer.status == 200)
                #expect(try await answer.body.collect(max: 5 << 20) == large)
                let again = try await client.request(method: "POST", path: "/", body: upload)
                await #expect(throws: HTTPError.self) { try await again.body.collect(max: 1000) }
            }
        }
    }

    @Test("a body written piece by piece arrives while it is being written")
    func streaming() async throws {
        let pieceRead = Signal<Void>()
        try await withServer { _, responder in
            do {
                let writer = try await responder.start(status: 200, headers: ["content-type": "text/event-stream"])
                for number in 0..<20 {
                    try await writer.write(ServerSentEvent(id: "\(number)", data: "token \(number)").encoded)
                    try await pieceRead.next()
                }
                try await writer.finish()
            } catch {
                Issue.record(error)
            }
        } _: { server in
            try await withClient(of: server) { client in
                let answer = try await client.request(method: "GET", path: "/events")
                var decoder = ServerSentEventDecoder()
                var ids: [String?] = []
                for try await chunk in answer.body {
                    for event in try decoder.decode(chunk) {
                        ids.append(event.id)
                        pieceRead.send(())
                    }
                }
                #expect(ids == (0..<20).map { "\($0)" })
            }
        }
    }

    @Test("an answer to HEAD has the fields and no body")
    func head() async throws {
        try await withServer { _, responder in
            try? await responder.send(status: 200, body: [1, 2, 3])
        } _: { server in
            try await withClient(of: server) { client in
                let answer = try await client.request(method: "HEAD", path: "/")
                #expect(answer.headers["content-length"] == "3")
                #expect(try await answer.body.collect(max: 10) == [])
            }
        }
    }

    @Test("a handler that answers nothing, half or twice cannot mislead the client")
    func carelessHandlers() async throws {
        let second = Signal<HTTPError.Code?>()
        try await withServer { request, responder in
            switch request.path {
            case "/half":
                let writer = try? await responder.start(status: 200)
                try? await writer?.write([1, 2, 3])
            case "/twice":
                try? await responder.send(status: 200)
                do {
                    try await responder.send(status: 200)
                } catch {
                    second.send((error as? HTTPError)?.code)
                }
            case "/invalid":
                do {
                    try await responder.send(status: 200, headers: ["x": "a\r\nb"])
                } catch {
                    second.send((error as? HTTPError)?.code)
                }
            default: break
            }
        } _: { server in
            try await withClient(of: server) { client in
                #expect(try await client.request(method: "GET", path: "/none").status == 500)
                let half = try await client.request(method: "GET", path: "/half")
                #expect(half.status == 200)
                await #expect { try await half.body.collect(max: 10) } throws: {
                    ($0 as? HTTPError)?.code == .streamReset
                }
                #expect(try await client.request(method: "GET", path: "/twice").status == 200)
                let afterTwice = try await second.next()
                #expect(afterTwice == .streamReset || afterTwice == .invalidMessage)
                #expect(try await client.request(method: "GET", path: "/invalid").status == 500)
                #expect(try await second.next() == .invalidMessage)
            }
        }
    }

    @Test("a request for no path is answered 400, one over the body limit 413, one with too many fields 431")
    func refusals() async throws {
        try await withServer { _, responder in
            try? await responder.send(status: 200)
        } _: { server in
            try await withClient(of: server) { client in
                let large = [UInt8](repeating: 7, count: 2 << 20)
                let announced = try await client.request(method: "POST", path: "/", body: large)
                #expect(announced.status == 413)
                #expect(try await String(decoding: announced.body.collect(max: 99), as: UTF8.self).contains("1048576"))
                let wide = try await client.request(
                    method: "GET", path: "/", headers: ["x": String(repeating: "y", count: 20_000)])
                #expect(wide.status == 431)
                #expect(try await client.request(method: "OPTIONS", path: "*").status == 400)
                #expect(try await client.request(method: "GET", path: "/").status == 200)
            }
        }
    }

    @Test("a body that grows over the limit without saying so is answered 413 at once")
    func growingBody() async throws {
        var limits = HTTPLimits()
        limits.bodyBytesMax = 1000
        limits.lingerTimeout = .milliseconds(50)
        let parts =
            [Raw.preface + Raw.settings + Raw.headers(1, flags: Raw.endHeaders, Raw.head(method: "POST"))]
            + (0..<3).map { _ in Raw.frame(type: 0, stream: 1, [UInt8](repeating: 7, count: 500)) }
            + [Raw.goAway]
        try await withServer(limits: limits) { _, _ in
            Issue.record("the handler must not see this")
        } _: { server in
            let received = try await converse(port: server.port, sending: parts)
            let (types, goAway) = Raw.frames(in: received)
            // Head and body of the answer, then the reset that says: stop sending.
            #expect(types.filter { $0 < 4 } == [1, 0, 3])
            #expect(goAway == nil)
        }
    }
}

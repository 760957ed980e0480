import NIOCore
import NIOPosix
import NacreHTTP
import Testing

@Suite("Clients that are slow, leave or come too late", .timeLimit(.minutes(1)))
struct DisconnectTests {
    /// Writes without end until the client is gone; says what it had written and how it ended.
    private static func pour(
        _ responder: HTTPResponder, written: Signal<Int>? = nil, ended: Signal<HTTPError.Code?>
    ) async {
        do {
            let writer = try await responder.start(status: 200)
            var bytes = 0
            while true {
                try await writer.write([UInt8](repeating: 1, count: 16 << 10))
                bytes += 16 << 10
                written?.send(bytes)
            }
        } catch {
            ended.send((error as? HTTPError)?.code)
        }
    }

    @Test("a reader that stops holds its own stream and no other; its writer waits, and what waits is bounded")
    func slowReader() async throws {
        let ended = Signal<HTTPError.Code?>()
        let written = Signal<Int>()
        let limits = HTTPLimits()
        try await withServer { request, responder in
            if request.path == "/pour" {
                await Self.pour(responder, written: written, ended: ended)
            } else {
                try? await responder.send(status: 200, body: [UInt8](repeating: 2, count: 1 << 20))
            }
        } _: { server in
            try await withClient(of: server) { client in
                let pouring = try await client.request(method: "GET", path: "/pour")
                // The window and the queue fill up: more than half of both has been written, nothing was read.
                let bound = limits.streamWindowBytes + limits.queuedBytesMax
                while try await written.next() < bound / 2 {}
                for _ in 0..<5 {
                    let other = try await client.request(method: "GET", path: "/other")
                    #expect(try await other.body.collect(max: 1 << 20).count == 1 << 20)
                }
                var poured = 0
                for try await chunk in pouring.body {
                    poured += chunk.count
                    if poured >= 4 * bound { break }
                }
                #expect(poured >= 4 * bound)
            }
            #expect(try await ended.next() != nil)
        }
    }

    @Test("a client that takes nothing for the stall time loses its stream")
    func stalled() async throws {
        var limits = HTTPLimits()
        limits.stallTimeout = .milliseconds(100)
        let ended = Signal<HTTPError.Code?>()
        try await withServer(limits: limits) { _, responder in
            await Self.pour(responder, ended: ended)
        } _: { server in
            try await withClient(of: server) { client in
                let answer = try await client.request(method: "GET", path: "/")
                #expect(try await ended.next() == .streamReset)
                await #expect { try await answer.body.collect(max: 1 << 30) } throws: {
                    ($0 as? HTTPError)?.code == .streamReset
                }
            }
        }
    }

    @Test("a disconnect cancels the handler, and its next write fails, within a second")
    func disconnect() async throws {
        let started = Signal<Void>()
        let ended = Signal<HTTPError.Code?>()
        try await withServer { _, responder in
            started.send(())
            await untilCancelled()
            do {
                _ = try await responder.start(status: 200)
                ended.send(nil)
            } catch {
                ended.send((error as? HTTPError)?.code)
            }
        } _: { server in
            let client = try await HTTPClient.connect(host: "127.0.0.1", port: server.port)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect {
                        _ = try await client.request(method: "GET", path: "/")
                    } throws: { ($0 as? HTTPError)?.code == .connectionClosed }
                }
                try await started.next()
                let clock = ContinuousClock()
                let begun = clock.now
                await client.close()
                #expect(try await ended.next() == .connectionClosed)
                #expect(clock.now - begun < .seconds(1))
            }
        }
    }

    @Test("dropping one body, or cancelling its request, cancels that handler and leaves the others")
    func oneStream() async throws {
        let started = Signal<String>()
        let ended = Signal<String>()
        let gate = Signal<Void>()
        try await withServer { request, responder in
            let writer = request.path == "/cancelled" ? nil : try? await responder.start(status: 200)
            started.send(request.path)
            if request.path == "/stays" {
                try? await gate.next()
                try? await writer?.write([42])
                try? await writer?.finish()
            } else {
                await untilCancelled()
                ended.send(request.path)
            }
        } _: { server in
            try await withClient(of: server) { client in
                let stays = try await client.request(method: "GET", path: "/stays")
                #expect(try await started.next() == "/stays")
                // The answer is dropped at once: its head is here, its body will not be read.
                _ = try await client.request(method: "GET", path: "/dropped")
                #expect(try await started.next() == "/dropped")
                #expect(try await ended.next() == "/dropped")

                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        await #expect(throws: CancellationError.self) {
                            _ = try await client.request(method: "GET", path: "/cancelled")
                        }
                    }
                    let begun = try await started.next()
                    group.cancelAll()
                    let over = try await ended.next()
                    #expect(begun == "/cancelled" && over == "/cancelled")
                }

                gate.send(())
                #expect(try await stays.body.collect(max: 9) == [42])
            }
        }
    }

    @Test("a reader that is cancelled gets a cancellation, never a body that looks whole")
    func cancelledReader() async throws {
        let ended = Signal<HTTPError.Code?>()
        try await withServer { _, responder in
            await Self.pour(responder, ended: ended)
        } _: { server in
            try await withClient(of: server) { client in
                let answer = try await client.request(method: "GET", path: "/")
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        await #expect(throws: CancellationError.self) {
                            for try await _ in answer.body {}
                        }
                    }
                    group.cancelAll()
                }
                _ = try await ended.next()
            }
        }
    }

    @Test("shutdown lets running streams finish, takes no new ones, and then closes")
    func shutdown() async throws {
        let gate = Signal<Void>()
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0) { request, responder in
            do {
                guard request.path == "/running" else { return try await responder.send(status: 200) }
                let writer = try await responder.start(status: 200)
                try await gate.next()
                try await writer.write([UInt8](repeating: 3, count: 1 << 20))
                try await writer.finish()
            } catch {
                Issue.record(error)
            }
        }
        try await withClient(of: server) { client in
            let running = try await client.request(method: "GET", path: "/running")
            async let over: Void = server.shutdown(grace: .seconds(50))
            await #expect {
                // Requests that left before the GOAWAY came are refused in the same words.
                while true { _ = try await client.request(method: "GET", path: "/") }
            } throws: { ($0 as? HTTPError)?.code == .goAway }
            gate.send(())
            #expect(try await running.body.collect(max: 1 << 20).count == 1 << 20)
            await over
        }
        await #expect {
            _ = try await HTTPClient.connect(host: "127.0.0.1", port: server.port)
        } throws: { ($0 as? HTTPError)?.code == .unreachable }
    }

    @Test("what is not finished when the grace is over is cut off, and its handler cancelled")
    func shutdownAtOnce() async throws {
        let cancelled = Signal<Void>()
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0) { _, responder in
            _ = try? await responder.start(status: 200)
            await untilCancelled()
            cancelled.send(())
        }
        try await withClient(of: server) { client in
            let running = try await client.request(method: "GET", path: "/")
            await server.shutdown(grace: .zero)
            try await cancelled.next()
            await #expect(throws: HTTPError.self) { try await running.body.collect(max: 9) }
        }
    }

    @Test("what cannot be reached, listened on or understood is said in plain words")
    func plainErrors() async throws {
        try await withServer { _, _ in
        } _: { server in
            await #expect {
                _ = try await HTTPServer.start(host: "127.0.0.1", port: server.port) { _, _ in }
            } throws: {
                "\($0)"
                    == "port \(server.port) on 127.0.0.1 is in use: "
                    + "stop the other process or choose another with --http"
            }
            await #expect {
                _ = try await HTTPServer.start(host: "192.0.2.1", port: 0) { _, _ in }
            } throws: { ($0 as? HTTPError)?.code == .cannotListen }
        }
        let old = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(OldServer())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(old.localAddress?.port)
        await #expect { _ = try await HTTPClient.connect(host: "127.0.0.1", port: port) } throws: {
            "\($0)" == "127.0.0.1:\(port) does not speak HTTP/2: check the port"
        }
        try await old.close().get()
        await #expect { _ = try await HTTPClient.connect(host: "127.0.0.1", port: port) } throws: {
            "\($0)" == "nothing answers at 127.0.0.1:\(port): check the address and that the server runs"
        }
    }
}

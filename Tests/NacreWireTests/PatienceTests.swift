import NIOCore
import NIOPosix
import NacreCore
import NacreProtocol
import NacreTransport
import NacreWire
import Testing

@Suite("Connections that do not work out")
struct PatienceTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let anyPort = PeerAddress(host: "127.0.0.1", port: 0)

    /// A listener with a peer that never reads, and the options of the listening side.
    private func withDeafPeer(
        _ options: PeerOptions, send: @escaping @Sendable (PeerConnection) -> Void
    ) async throws -> [String] {
        let server = EventRecorder { peer, event in if event == .opened { send(peer) } }
        let listener = try await PeerListener.listen(at: anyPort, on: loop, options: options, handler: server.handler)
        let deaf = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .channelOption(.autoRead, value: false)
            .connect(host: listener.address.host, port: listener.address.port).get()
        await server.waitForClosing()
        try? await deaf.close()
        await listener.close()
        return server.closings
    }

    private static let prompt = Message.tokenize(Tokenize(request: 1, text: [UInt8](repeating: 1, count: 500_000)))

    @Test("a peer that does not read is closed when the write budget is exceeded too long", .timeLimit(.minutes(1)))
    func tooSlow() async throws {
        var options = PeerOptions()
        options.writeBudgetBytes = 8 << 20
        options.overBudgetMax = .milliseconds(20)
        let closings = try await withDeafPeer(options) { peer in for _ in 0..<40 { peer.send(Self.prompt) } }
        #expect(closings == ["too slow: more than 8388608 bytes wait to be read by the peer"])
    }

    @Test("a peer that does not read is closed at once at four times the write budget", .timeLimit(.minutes(1)))
    func farTooSlow() async throws {
        var options = PeerOptions()
        options.writeBudgetBytes = 1 << 20
        options.overBudgetMax = .seconds(3_600)
        options.handshakeMax = .seconds(3_600)
        let closings = try await withDeafPeer(options) { peer in
            // One turn per message: only what a turn has handed to the socket counts.
            @Sendable func sendAgain(_ left: Int) {
                guard left > 0 else { return }
                peer.send(Self.prompt)
                peer.eventLoop.execute { sendAgain(left - 1) }
            }
            sendAgain(100)
        }
        #expect(closings == ["too slow: more than 1048576 bytes wait to be read by the peer"])
    }

    @Test("a peer that never makes itself known is closed, one that does stays", .timeLimit(.minutes(1)))
    func handshake() async throws {
        var options = PeerOptions()
        options.handshakeMax = .milliseconds(20)
        let silent = EventRecorder()
        let listener = try await PeerListener.listen(at: anyPort, on: loop, options: options, handler: silent.handler)
        let client = EventRecorder()
        let peer = PeerDialer.dial(listener.address, on: loop, handler: client.handler)
        await silent.waitForClosing()
        #expect(silent.closings == ["no handshake within 0.02 seconds"])
        await client.waitForClosing()
        #expect(
            client.messages == [.goodbye(Goodbye(code: .protocolError, detail: "no handshake within 0.02 seconds"))])
        peer.close()
        await listener.close()
    }

    @Test("once the limit is raised large frames pass, from the very next on", .timeLimit(.minutes(1)))
    func raisedLimit() async throws {
        let server = EventRecorder { peer, event in
            if case .message(.heartbeatAck) = event { peer.raiseFrameLimit() }
        }
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let peer = PeerDialer.dial(listener.address, on: loop) { _, _ in }
        let hello = Message.heartbeatAck(HeartbeatAck(number: 1))
        peer.send(hello)
        peer.send(Self.prompt)
        await server.wait { $0.count == 3 }
        #expect(server.messages == [hello, Self.prompt])
        peer.close()
        await listener.close()
    }

    @Test("a port in use is named, with what to do")
    func portInUse() async throws {
        let first = try await PeerListener.listen(at: anyPort, on: loop) { _, _ in }
        let error = await #expect(throws: TransportError.self) {
            try await PeerListener.listen(at: first.address, on: loop) { _, _ in }
        }
        #expect(error?.code == .portInUse)
        #expect(
            error?.description == "port \(first.address.port) on 127.0.0.1 is in use: "
                + "stop the other process or choose another with --listen")
        await first.close()
        let again = try await PeerListener.listen(at: first.address, on: loop) { _, _ in }
        await again.close()
    }

    @Test("an address of another machine cannot be listened on")
    func foreignAddress() async throws {
        let elsewhere = PeerAddress(host: "192.0.2.1", port: 7400)
        let error = await #expect(throws: TransportError.self) {
            try await PeerListener.listen(at: elsewhere, on: loop) { _, _ in }
        }
        #expect(error?.code == .addressUnusable)
    }

    @Test("dialling where nothing listens closes with the reason", .timeLimit(.minutes(1)))
    func nobodyThere() async throws {
        let listener = try await PeerListener.listen(at: anyPort, on: loop) { _, _ in }
        await listener.close()
        let client = EventRecorder()
        let peer = PeerDialer.dial(listener.address, on: loop, handler: client.handler)
        peer.send(.heartbeatAck(HeartbeatAck(number: 1)))
        await client.waitForClosing()
        #expect(
            client.events == [.closed(reason: "could not connect to \(listener.address): nothing listens there")])
    }

    @Test("a host of several addresses is reached at the one that listens", .timeLimit(.minutes(1)))
    func severalAddresses() async throws {
        let listener = try await PeerListener.listen(at: anyPort, on: loop) { _, _ in }
        let client = EventRecorder()
        let address = PeerAddress(host: "localhost", port: listener.address.port)
        let peer = PeerDialer.dial(address, on: loop, handler: client.handler)
        await client.waitForOpening()
        #expect(peer.remoteAddress == "localhost:\(listener.address.port)")
        peer.close()
        await client.waitForClosing()
        #expect(client.events.count == 2)
        await listener.close()
    }

    @Test("closing before the connection stands still closes once", .timeLimit(.minutes(1)))
    func closedWhileDialling() async throws {
        let listener = try await PeerListener.listen(at: anyPort, on: loop) { _, _ in }
        let client = EventRecorder()
        // In one turn of the loop: from another thread the connection might stand before it is closed.
        let (loop, address, handler) = (loop, listener.address, client.handler)
        try await loop.submit { PeerDialer.dial(address, on: loop, handler: handler).close() }.get()
        await client.waitForClosing()
        #expect(client.events == [.closed(reason: "closed by this side")])
        await listener.close()
    }

    @Test(
        "a message of ours that fits no frame ends the link instead of leaving the peer to wait",
        .timeLimit(.minutes(1)))
    func unsendable() async throws {
        let server = EventRecorder()
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let client = EventRecorder()
        let peer = PeerDialer.dial(listener.address, on: loop, handler: client.handler)
        peer.send(
            .verdict(Verdict(stream: 1, nextEpoch: 1, tokens: [], committed: Position(rawValue: -1), positionLimit: 0)))
        await client.waitForClosing()
        #expect(client.closings.first?.hasPrefix("could not send: verdict.committed is -1") == true)
        await server.waitForClosing()
        #expect(server.messages == [.goodbye(Goodbye(code: .shuttingDown, detail: "internal error"))])
        await listener.close()
    }

    @Test("addresses are read and written as people write them")
    func addresses() throws {
        #expect(try PeerAddress("127.0.0.1:7400") == PeerAddress(host: "127.0.0.1", port: 7400))
        #expect(try PeerAddress("[::1]:7400") == PeerAddress(host: "::1", port: 7400))
        #expect(try PeerAddress("[::1]:7400").description == "[::1]:7400")
        #expect(try PeerAddress("node:0").description == "node:0")
        for text in ["", "7400", ":7400", "host:", "host:65536", "host:-1", "::1:7400", "[]:1", "host:x"] {
            let error = #expect(throws: TransportError.self, "\(text)") { try PeerAddress(text) }
            #expect(error?.code == .addressUnreadable)
        }
    }
}

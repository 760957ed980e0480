import NIOCore
import NIOPosix
import NacreCore
import NacreProtocol
import NacreTransport
import NacreWire
import Testing

/// Real sockets of this machine.
@Suite("Connections")
struct TransportTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let anyPort = PeerAddress(host: "127.0.0.1", port: 0)

    private func ack(_ number: Int) -> Message { .heartbeatAck(HeartbeatAck(number: UInt64(number))) }

    /// A socket without Nacre's framing, to misbehave with.
    private func rawPeer(_ address: PeerAddress) async throws -> any Channel {
        try await ClientBootstrap(group: loop).connect(host: address.host, port: address.port).get()
    }

    @Test("ten thousand messages go both ways, whole and in order", .timeLimit(.minutes(1)))
    func inOrder() async throws {
        let count = 10_000
        let server = EventRecorder { peer, event in
            // An echo, sent from inside the handler as the roles do.
            if case .message(let message) = event { peer.send(message) }
        }
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let client = EventRecorder()
        // Messages sent before the connection stands wait for it.
        let peer = PeerDialer.dial(listener.address, on: loop, handler: client.handler)
        let sent = (0..<count).map { number in
            var generator = MessageGenerator(seed: UInt64(number))
            return number % 10 == 0 ? generator.message(.verdict) : ack(number)
        }
        for message in sent { peer.send(message) }
        await client.wait { $0.count == count + 1 }
        #expect(client.events.first == .opened)
        #expect(client.messages == sent)
        #expect(server.messages == sent)
        peer.close()
        await client.waitForClosing()
        await server.waitForClosing()
        #expect(client.closings == ["closed by this side"])
        #expect(server.closings == ["the peer closed the connection"])
        await listener.close()
    }

    @Test("messages sent from several threads all arrive, each thread's in order", .timeLimit(.minutes(1)))
    func fromThreads() async throws {
        let server = EventRecorder()
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let peer = PeerDialer.dial(listener.address, on: loop) { _, _ in }
        await withTaskGroup { group in
            for thread in 0..<4 {
                group.addTask { for number in 0..<500 { peer.send(ack(thread * 1_000 + number)) } }
            }
        }
        await server.wait { $0.count == 2_001 }
        for thread in 0..<4 {
            let own = server.messages.filter { message in
                if case .heartbeatAck(let ack) = message { ack.number / 1_000 == thread } else { false }
            }
            #expect(own == (0..<500).map { ack(thread * 1_000 + $0) })
        }
        peer.close()
        await listener.close()
    }

    @Test("a goodbye is the last message and says why", .timeLimit(.minutes(1)))
    func goodbye() async throws {
        let server = EventRecorder()
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let client = EventRecorder()
        let peer = PeerDialer.dial(listener.address, on: loop, handler: client.handler)
        let goodbye = Goodbye(code: .shuttingDown, detail: "stopped by its operator")
        peer.send(ack(1))
        peer.close(after: goodbye)
        peer.send(ack(2))
        peer.close()
        await server.waitForClosing()
        await client.waitForClosing()
        #expect(
            server.events == [
                .opened, .message(ack(1)), .message(.goodbye(goodbye)),
                .closed(reason: "the peer said goodbye (shuttingDown): stopped by its operator"),
            ])
        #expect(client.closings.count == 1)
        await listener.close()
    }

    @Test("after close in a handler no message comes, though more are there already", .timeLimit(.minutes(1)))
    func closeInHandler() async throws {
        let server = EventRecorder { peer, event in
            if case .message = event { peer.close(after: Goodbye(code: .replaced, detail: "")) }
        }
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let client = EventRecorder()
        let peer = PeerDialer.dial(listener.address, on: loop, handler: client.handler)
        for number in 0..<100 { peer.send(ack(number)) }
        await server.waitForClosing()
        await client.waitForClosing()
        #expect(server.messages == [ack(0)])
        #expect(client.messages == [.goodbye(Goodbye(code: .replaced, detail: ""))])
        await listener.close()
    }

    @Test("a peer reset in the middle of a frame closes once, with a reason", .timeLimit(.minutes(1)))
    func resetInFrame() async throws {
        let server = EventRecorder()
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let raw = try await rawPeer(listener.address)
        // Without lingering, closing sends a reset.
        let options = try #require(raw as? any SocketOptionProvider)
        try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        let frame = try MessageCodec.encode(ack(1))
        try await raw.writeAndFlush(ByteBuffer(bytes: frame + frame[..<6]))
        await server.wait { $0.count == 2 }
        try await raw.close()
        await server.waitForClosing()
        #expect(server.messages == [ack(1)])
        #expect(server.closings.count == 1)
        #expect(server.events.last == .closed(reason: server.closings[0]))
        await listener.close()
    }

    @Test("a peer that ends in the middle of a frame is said to have been cut off", .timeLimit(.minutes(1)))
    func endInFrame() async throws {
        let server = EventRecorder()
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let raw = try await rawPeer(listener.address)
        try await raw.writeAndFlush(ByteBuffer(bytes: MessageCodec.encode(ack(1))[..<7]))
        try await raw.close()
        await server.waitForClosing()
        #expect(server.closings.first?.hasPrefix("the peer closed after 7 bytes of a frame") == true)
        await listener.close()
    }

    @Test(
        "a protocol error is answered with a goodbye that names it", .timeLimit(.minutes(1)),
        arguments: [
            (Array("GET / HTTP/1.1\r\nHost: nacre\r\n\r\n".utf8), GoodbyeCode.protocolError, "it speaks HTTP"),
            (rawFrame(type: 23, version: 2), .wireVersion, "have version 2"),
            (rawFrame(type: 99), .protocolError, "frame type 99"),
            (rawFrame(type: 36, length: 5_000), .protocolError, "at most 4096"),
        ])
    func protocolError(bytes: [UInt8], code: GoodbyeCode, words: String) async throws {
        let server = EventRecorder()
        let listener = try await PeerListener.listen(at: anyPort, on: loop, handler: server.handler)
        let answer = loop.makePromise(of: [UInt8].self)
        let raw = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ByteCollector(answer))
                }
            }
            .connect(host: listener.address.host, port: listener.address.port).get()
        try await raw.writeAndFlush(ByteBuffer(bytes: bytes))
        let messages = try parse(try await answer.futureResult.get())
        guard case .goodbye(let goodbye)? = messages.first else {
            Issue.record("no goodbye in \(messages)")
            return
        }
        #expect(goodbye.code == code)
        #expect(goodbye.detail.contains(words))
        await server.waitForClosing()
        #expect(server.closings.first?.contains(words) == true)
        #expect(server.events.count == 2)
        await listener.close()
    }
}

/// Everything a channel reads until it closes.
private final class ByteCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var bytes: [UInt8] = []
    private let promise: EventLoopPromise<[UInt8]>

    init(_ promise: EventLoopPromise<[UInt8]>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { bytes += unwrapInboundIn(data).readableBytesView }

    func channelInactive(context: ChannelHandlerContext) { promise.succeed(bytes) }
}

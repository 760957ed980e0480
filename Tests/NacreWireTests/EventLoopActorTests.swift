import NIOCore
import NIOPosix
import NacreProtocol
import NacreTransport
import Testing

private actor Counter: EventLoopActor {
    nonisolated let eventLoop: any EventLoop
    private(set) var numbers: [UInt64] = []
    private var finished: CheckedContinuation<Void, Never>?

    init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    nonisolated func handle(_ peer: PeerConnection, _ event: PeerEvent) {
        assumeIsolated { counter in
            if case .message(.heartbeatAck(let ack)) = event { counter.numbers.append(ack.number) }
            if case .closed = event { counter.finished?.resume() }
        }
    }

    var isOnLoop: Bool { eventLoop.inEventLoop }

    func dial(_ address: PeerAddress, _ count: UInt64) async {
        await withCheckedContinuation { finished in
            self.finished = finished
            let peer = PeerDialer.dial(address, on: eventLoop) { [self] peer, event in handle(peer, event) }
            for number in 0..<count { peer.send(.heartbeatAck(HeartbeatAck(number: number))) }
        }
    }
}

@Suite("Actors on an event loop")
struct EventLoopActorTests {
    @Test("take events and call connections without leaving the loop", .timeLimit(.minutes(1)))
    func onLoop() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let listener = try await PeerListener.listen(at: PeerAddress(host: "127.0.0.1", port: 0), on: loop) {
            peer, event in
            guard case .message(let message) = event else { return }
            peer.send(message)
            if message == .heartbeatAck(HeartbeatAck(number: 99)) { peer.close() }
        }
        let counter = Counter(on: loop)
        #expect(await counter.isOnLoop)
        await counter.dial(listener.address, 100)
        #expect(await counter.numbers == Array(0..<100))
        await listener.close()
    }
}

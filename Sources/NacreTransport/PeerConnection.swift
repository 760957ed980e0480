package import NIOCore
package import NacreProtocol
import Synchronization

/// What happens on a connection, in this order: `opened`, any number of `message`s, `closed`.
package enum PeerEvent: Sendable, Equatable {
    /// Bytes can flow. Left out when dialling fails.
    case opened
    case message(Message)
    /// Exactly once, last. The reason is for logs and people.
    case closed(reason: String)
}

/// Takes what happens on a connection. Called on its event loop, in order, and never from inside a call of `send` or
/// `close`, so an actor that has the loop as its executor may go straight to its state.
package typealias PeerHandler = @Sendable (PeerConnection, PeerEvent) -> Void

/// How patient a connection is.
package struct PeerOptions: Sendable {
    /// Bytes waiting to be sent that are still normal.
    package var writeBudgetBytes = 4 << 20
    /// How long more may wait before the peer counts as too slow. Four times the budget is too slow at once.
    package var overBudgetMax: Duration = .seconds(5)
    /// How long a peer may take to make itself known, that is, for the owner to call `raiseFrameLimit()`.
    package var handshakeMax: Duration = .seconds(5)
    /// How long a peer may take to close its side after a goodbye.
    package var farewellMax: Duration = .seconds(1)

    package init() {}
}

/// A link to another process: messages out, events in. `PeerListener` and `PeerDialer` make them.
package final class PeerConnection: Sendable, Identifiable {
    /// Different for each connection of this process.
    package let id: UInt64
    package let eventLoop: any EventLoop
    /// "host:port" of the other side, as dialled or as it came in.
    package let remoteAddress: String
    private let link: NIOLoopBoundBox<PeerLink>

    private static let lastID = Atomic<UInt64>(0)

    init(
        to remoteAddress: String, on eventLoop: any EventLoop, _ options: PeerOptions, _ handler: @escaping PeerHandler
    ) {
        id = PeerConnection.lastID.add(1, ordering: .relaxed).newValue
        self.eventLoop = eventLoop
        self.remoteAddress = remoteAddress
        link = .makeBoxSendingValue(PeerLink(options: options, handler: handler), eventLoop: eventLoop)
    }

    /// Sends `message` after all that were sent before it. From any thread; on the event loop without a hop, and all
    /// messages of one turn of the loop leave together, at its end. Before `opened` messages wait; after `close` and on
    /// a lost link they are dropped, since `closed` tells the owner.
    package func send(_ message: Message) { onLoop { link in link.send(message) } }

    /// Sends what is waiting, then `goodbye`, then ends the link. `closed` follows when the peer has closed too, or
    /// after `PeerOptions.farewellMax`; no more messages come.
    package func close(after goodbye: Goodbye? = nil) { onLoop { link in link.close(after: goodbye) } }

    /// The peer is known: it may send frames up to `Limits.frameBytesMax`, and its handshake is done. Called while
    /// handling a message, it holds from the next frame on.
    package func raiseFrameLimit() { onLoop { link in link.raiseFrameLimit() } }

    /// Puts the connection's handlers on a channel, on its loop.
    func attach(to channel: any Channel) throws { try link.value.attach(to: channel, as: self) }

    /// Dialling did not work.
    func fail(reason: String) { link.value.fail(as: self, reason: reason) }

    private func onLoop(_ body: @escaping @Sendable (PeerLink) -> Void) {
        if eventLoop.inEventLoop {
            body(link.value)
        } else {
            eventLoop.execute { body(self.link.value) }
        }
    }
}

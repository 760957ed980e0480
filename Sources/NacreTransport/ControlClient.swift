package import NIOCore
package import NacreProtocol

/// The shell around `ControlLink`: a node's connection to its coordinator. Lives on the same event loop as the role
/// that owns it, which it tells everything synchronously.
package actor ControlClient: EventLoopActor {
    package enum Event: Sendable {
        /// The coordinator knows this node.
        case registered
        /// The link is gone; it is dialled again.
        case lost
        /// The coordinator was not reached or is none; it is dialled again. Told once per reason.
        case unreachable(String)
        /// The coordinator will never take this node.
        case refused(String)
        /// A message for the role.
        case message(Message)
    }

    package nonisolated let eventLoop: any EventLoop
    private let coordinator: PeerAddress
    private let handler: @Sendable (Event) -> Void
    private var link: ControlLink
    private var connection: PeerConnection?
    /// Whether anything came over the connection.
    private var hasHeard = false
    /// The last reason why this node is not registered, so that each is told once.
    private var obstacle: String?

    /// - Parameter handler: called on the event loop, in order.
    package init(
        to coordinator: PeerAddress, hello: Hello, vocabulary: [VocabularyChunk], on eventLoop: any EventLoop,
        handler: @escaping @Sendable (Event) -> Void
    ) {
        self.eventLoop = eventLoop
        self.coordinator = coordinator
        self.handler = handler
        link = ControlLink(hello: hello, vocabulary: vocabulary)
    }

    package func start() { step(.start) }

    /// To be called at least every 100 ms, with the load since the last heartbeat.
    package func tick(_ load: Load) { step(.tick(load)) }

    /// Sends to the coordinator; dropped while there is no link, since the role hears of its loss.
    package func send(_ message: Message) { connection?.send(message) }

    /// The coordinator broke the protocol, or this node stops.
    package func close(_ goodbye: Goodbye) {
        let closing = connection
        connection = nil
        closing?.close(after: goodbye)
        if goodbye.code != .shuttingDown { step(.lost) }
    }

    private func step(_ input: ControlLink.Input) {
        var effects: [ControlLink.Effect] = []
        link.step(input, at: .now, into: &effects)
        for effect in effects { perform(effect) }
    }

    private func perform(_ effect: ControlLink.Effect) {
        switch effect {
        case .dial: dial()
        case .send(let message): connection?.send(message)
        case .close(let goodbye):
            let closing = connection
            connection = nil
            closing?.close(after: goodbye)
            if !link.isRegistered { report(goodbye.detail) }
        case .registered:
            obstacle = nil
            handler(.registered)
        case .lost: handler(.lost)
        case .refused(let reason): handler(.refused(reason))
        case .deliver(let message): handler(.message(message))
        }
    }

    private func dial() {
        hasHeard = false
        connection = PeerDialer.dial(coordinator, on: eventLoop) { [weak self] peer, event in
            self?.assumeIsolated { client in client.receive(event, from: peer) }
        }
    }

    private func receive(_ event: PeerEvent, from peer: PeerConnection) {
        guard peer === connection else { return }  // a connection that was given up
        switch event {
        case .opened:
            // The node chose whom to dial; what it checks is the first message.
            peer.raiseFrameLimit()
            step(.dialed)
        case .message(let message):
            hasHeard = true
            step(.received(message))
        case .closed(let reason):
            connection = nil
            if !link.isRegistered { report(link.isDialing || hasHeard ? reason : stranger(reason)) }
            step(link.isDialing ? .dialFailed : .lost)
        }
    }

    /// Something took the call and did not answer as a coordinator does.
    private func stranger(_ reason: String) -> String {
        "what listens at \(coordinator) is no coordinator, or not its port for nodes (\(reason)): "
            + "give the address of the coordinator's --listen, not that of its --http"
    }

    private func report(_ reason: String) {
        guard reason != obstacle else { return }
        obstacle = reason
        handler(.unreachable(reason))
    }
}

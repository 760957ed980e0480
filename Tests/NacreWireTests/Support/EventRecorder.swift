import NIOConcurrencyHelpers
import NIOCore
import NacreProtocol
import NacreTransport

/// Keeps the events of connections and lets a test wait for them.
final class EventRecorder: Sendable {
    private struct State {
        var events: [PeerEvent] = []
        var peers: [PeerConnection] = []
        var waiting: [(condition: @Sendable ([PeerEvent]) -> Bool, promise: CheckedContinuation<Void, Never>)] = []
    }

    private let state = NIOLockedValueBox(State())
    private let onEvent: PeerHandler

    /// - Parameter onEvent: is called on the event loop, before a waiting test goes on.
    init(onEvent: @escaping PeerHandler = { _, _ in }) { self.onEvent = onEvent }

    var handler: PeerHandler {
        { peer, event in
            peer.eventLoop.preconditionInEventLoop()
            self.onEvent(peer, event)
            let ready = self.state.withLockedValue { state in
                state.events.append(event)
                if state.peers.last !== peer { state.peers.append(peer) }
                let ready = state.waiting.filter { $0.condition(state.events) }
                state.waiting.removeAll { $0.condition(state.events) }
                return ready
            }
            for (_, promise) in ready { promise.resume() }
        }
    }

    var events: [PeerEvent] { state.withLockedValue { $0.events } }

    /// The connections seen, in the order of their first events.
    var peers: [PeerConnection] { state.withLockedValue { $0.peers } }

    var messages: [Message] {
        events.compactMap { event in
            if case .message(let message) = event { message } else { nil }
        }
    }

    var closings: [String] {
        events.compactMap { event in
            if case .closed(let reason) = event { reason } else { nil }
        }
    }

    func wait(until condition: @escaping @Sendable ([PeerEvent]) -> Bool) async {
        await withCheckedContinuation { promise in
            let isReady = state.withLockedValue { state in
                if condition(state.events) { return true }
                state.waiting.append((condition, promise))
                return false
            }
            if isReady { promise.resume() }
        }
    }

    func waitForClosing() async {
        await wait { events in
            events.contains { event in
                if case .closed = event { true } else { false }
            }
        }
    }

    func waitForOpening() async { await wait { $0.contains(.opened) } }
}

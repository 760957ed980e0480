import NacreCore

/// A node's side of its link to the coordinator: dial, hello, vocabulary if it is wanted, heartbeats; again after a
/// loss, with growing pauses. Everything else on the link is the role's.
///
/// A node is refused for good by another wire version, and by a vocabulary that no target has if its first
/// registration ends so.
package struct ControlLink: Machine, Sendable {
    package enum Input: Sendable {
        case start
        case dialed
        case dialFailed
        case received(Message)
        case lost
        /// Time has gone on; at least every 100 ms. `load` is the node's since the last heartbeat.
        case tick(Load)
    }

    package enum Effect: Sendable {
        case dial
        case send(Message)
        case close(Goodbye)
        /// The coordinator knows this node; jobs may come.
        case registered(Generation)
        /// The link is gone: jobs of this coordinator are void.
        case lost
        /// The coordinator will never take this node: give up with this text.
        case refused(String)
        /// For the role.
        case deliver(Message)
    }

    private enum State: Sendable, Equatable {
        case idle
        case waiting(until: Instant)
        case dialing
        case greeting(since: Instant)
        case registered
    }

    private let hello: Hello
    private let vocabulary: [VocabularyChunk]
    private var state: State = .idle
    private var backoff = Backoff(initial: Instant.milliseconds(50), limit: Instant.seconds(5))
    private var heartbeat = Instant.milliseconds(500)
    private var lease = Instant.seconds(3)
    private var nextHeartbeat: Instant = 0
    private var beats: UInt64 = 0
    private var roundTrip = RoundTrip()
    private var lastHeard: Instant = 0
    private var registrations = 0

    /// How long the coordinator may take to answer Hello, in microseconds.
    private static let greetingMax = Instant.seconds(5)

    /// The pause of a node whose name another one took, or whose target is not here now, in microseconds.
    private static let longPause = Instant.seconds(5)

    package init(hello: Hello, vocabulary: [VocabularyChunk]) {
        self.hello = hello
        self.vocabulary = vocabulary
    }

    package var isRegistered: Bool { state == .registered }
    package var isDialing: Bool { state == .dialing }

    package mutating func step(_ input: Input, at now: Instant, into effects: inout [Effect]) {
        switch input {
        case .start:
            state = .dialing
            effects.append(.dial)
        case .dialed:
            state = .greeting(since: now)
            effects.append(.send(.hello(hello)))
        case .dialFailed:
            state = .waiting(until: now + backoff.next())
        case .lost:
            giveUp(at: now, into: &effects)
        case .received(let message):
            lastHeard = now
            receive(message, at: now, into: &effects)
        case .tick(let load):
            tick(load, at: now, into: &effects)
        }
    }

    private mutating func receive(_ message: Message, at now: Instant, into effects: inout [Effect]) {
        switch (message, state) {
        case (.welcome(let welcome), .greeting):
            guard welcome.wire == Limits.wireVersion else {
                effects.append(
                    .refused(
                        "the coordinator speaks wire version \(welcome.wire), this node \(Limits.wireVersion): "
                            + "install the same release on both"))
                return
            }
            state = .registered
            roundTrip = RoundTrip()
            registrations += 1
            backoff.reset()
            heartbeat = Instant.milliseconds(Int(welcome.heartbeatMilliseconds))
            lease = Instant.milliseconds(Int(welcome.leaseMilliseconds))
            nextHeartbeat = now + heartbeat
            if welcome.wantsVocabulary {
                for chunk in vocabulary { effects.append(.send(.vocabularyChunk(chunk))) }
            }
            effects.append(.registered(welcome.generation))
        case (.goodbye(let goodbye), _) where goodbye.code == .wireVersion:
            effects.append(.refused(goodbye.detail))
        case (.goodbye(let goodbye), _) where goodbye.code == .vocabularyMismatch && registrations <= 1:
            effects.append(.refused(goodbye.detail))
        case (.goodbye(let goodbye), _) where goodbye.code == .replaced || goodbye.code == .vocabularyMismatch:
            // Two nodes of one name would push each other out as fast as they can dial; and after a coordinator's
            // restart a drafter may be back before its verifier.
            giveUp(at: now, into: &effects)
            state = .waiting(until: now + ControlLink.longPause)
        case (.goodbye, _): giveUp(at: now, into: &effects)
        case (.heartbeatAck(let ack), .registered): roundTrip.answer(to: ack.number, at: now)
        case (_, .registered): effects.append(.deliver(message))
        default:
            effects.append(
                .close(Goodbye(code: .protocolError, detail: "the coordinator's first message must be Welcome")))
            giveUp(at: now, into: &effects)
        }
    }

    private mutating func tick(_ load: Load, at now: Instant, into effects: inout [Effect]) {
        switch state {
        case .waiting(let until) where until <= now:
            state = .dialing
            effects.append(.dial)
        case .greeting(let since) where now - since > ControlLink.greetingMax:
            effects.append(.close(Goodbye(code: .tooSlow, detail: "no Welcome within 5 s")))
            giveUp(at: now, into: &effects)
        case .registered where now - lastHeard > lease:
            effects.append(.close(Goodbye(code: .tooSlow, detail: "no heartbeat answered within the lease")))
            giveUp(at: now, into: &effects)
        case .registered where nextHeartbeat <= now:
            nextHeartbeat = now + heartbeat
            beats += 1
            var load = load
            load.roundTripMicroseconds = roundTrip.microseconds
            roundTrip.ask(beats, at: now)
            effects.append(.send(.heartbeat(Heartbeat(number: beats, load: load))))
        default: break
        }
    }

    private mutating func giveUp(at now: Instant, into effects: inout [Effect]) {
        if case .waiting = state { return }
        if state == .registered { effects.append(.lost) }
        state = .waiting(until: now + backoff.next())
    }
}

import NacreProtocol

/// A node's connection to the coordinator: `ControlLink` with something to dial.
final class ControlPort {
    /// What the role hears of it.
    enum News {
        case registered
        case lost
        case message(Message)
    }

    private unowned let world: World
    private let host: HostID
    private var link: ControlLink
    private var connection: ConnectionID?
    private var dial: DialID?
    private var queue = EffectQueue<ControlLink.Effect>()
    private let onNews: (News) -> Void

    init(_ world: World, _ host: HostID, hello: Hello, chunk: Int, onNews: @escaping (News) -> Void) {
        self.world = world
        self.host = host
        self.onNews = onNews
        link = ControlLink(hello: hello, vocabulary: Language.chunks(entriesMax: chunk))
    }

    var isRegistered: Bool { link.isRegistered }

    func step(_ input: ControlLink.Input) {
        var effects: [ControlLink.Effect] = []
        link.step(input, at: world.now, into: &effects)
        queue.append(effects)
        guard queue.beginDraining() else { return }
        while let effect = queue.next() { perform(effect) }
    }

    func send(_ message: Message) {
        if let connection { world.send(message, on: connection, from: host) }
    }

    /// Breaks with the coordinator, as the role demands.
    func close(_ goodbye: Goodbye) {
        hangUp(goodbye)
        step(.lost)
    }

    // MARK: - The world's side; each says whether it was meant for this port

    func opened(_ id: ConnectionID, _ dial: DialID?) -> Bool {
        guard let dial, dial == self.dial else { return false }
        self.dial = nil
        connection = id
        step(.dialed)
        return true
    }

    func dialFailed(_ dial: DialID) -> Bool {
        guard dial == self.dial else { return false }
        self.dial = nil
        step(.dialFailed)
        return true
    }

    func received(_ message: Message, on id: ConnectionID) -> Bool {
        guard id == connection else { return false }
        step(.received(message))
        return true
    }

    func lost(_ id: ConnectionID) -> Bool {
        guard id == connection else { return false }
        connection = nil
        step(.lost)
        return true
    }

    private func hangUp(_ goodbye: Goodbye?) {
        if let connection { world.close(connection, goodbye, from: host) }
        connection = nil
    }

    private func perform(_ effect: ControlLink.Effect) {
        switch effect {
        case .dial:
            // What is left of an older connection must not be taken for news of this one.
            hangUp(nil)
            dial = world.dial("coordinator", from: host)
        case .send(let message): send(message)
        case .close(let goodbye):
            if goodbye.code == .protocolError {
                world.report(.accusation, "\(world.name(host)) accuses the coordinator: \(goodbye.detail)")
            }
            hangUp(goodbye)
        case .registered: onNews(.registered)
        case .lost: onNews(.lost)
        case .refused(let reason): world.report(.accusation, "\(world.name(host)) was refused: \(reason)")
        case .deliver(let message): onNews(.message(message))
        }
    }
}

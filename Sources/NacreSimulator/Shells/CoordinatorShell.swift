import NacreCore
import NacreProtocol

/// The coordinator's process.
final class CoordinatorShell: Shell {
    private unowned let world: World
    private let host: HostID
    private(set) var machine: CoordinatorMachine
    private var queue = EffectQueue<CoordinatorMachine.Effect>()

    init(_ world: World, _ host: HostID) {
        self.world = world
        self.host = host
        machine = CoordinatorMachine(CoordinatorMachine.Configuration(generation: 1))
    }

    func step(_ input: CoordinatorMachine.Input) {
        var effects: [CoordinatorMachine.Effect] = []
        machine.step(input, at: world.now, into: &effects)
        queue.append(effects)
        guard queue.beginDraining() else { return }
        while let effect = queue.next() { perform(effect) }
    }

    func start() {}
    func tick() { step(.tick) }
    func opened(_ id: ConnectionID, _ dial: DialID?) { step(.opened(id.link)) }
    func dialFailed(_ dial: DialID) {}
    func received(_ message: Message, on id: ConnectionID) { step(.received(id.link, message)) }
    func lost(_ id: ConnectionID) { step(.closed(id.link)) }
    func passed(_ outcome: PassOutcome, shard: ShardIndex) {}

    private func perform(_ effect: CoordinatorMachine.Effect) {
        switch effect {
        case .send(let link, let message): world.send(message, on: ConnectionID(link), from: host)
        case .close(let link, let goodbye):
            let id = ConnectionID(link)
            if goodbye.code == .protocolError || goodbye.code == .wireVersion || goodbye.code == .vocabularyMismatch {
                world.report(.accusation, "the coordinator accuses \(id): \(goodbye.detail)")
            }
            world.close(id, goodbye, from: host)
        case .changed(let job):
            if let record = machine.jobs[job] { world.judgeJob(record) }
        case .nodeJoined, .nodeLost, .learnt: break
        }
    }
}

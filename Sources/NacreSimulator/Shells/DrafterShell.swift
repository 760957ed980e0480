import NacreCore
import NacreEngine
import NacreProtocol

/// A drafter's process, honest or not.
final class DrafterShell: Shell {
    private struct StreamKey: Hashable {
        var id: ConnectionID
        var stream: StreamID
    }

    private unowned let world: World
    private let host: HostID
    let plan: Scenario.Drafter
    private(set) var machine: DrafterMachine
    private var engine: SimulatedEngine
    private var queue = EffectQueue<DrafterMachine.Effect>()
    private var verdicts: [DrafterMachine.Input] = []
    private var control: ControlPort?
    /// What each stream was allowed and where it is, from the messages alone.
    private var limits: [StreamKey: Position] = [:]
    private var epochs: [StreamKey: Epoch] = [:]
    /// The last draft of each stream of a breaker.
    private var said: [StreamKey: Draft] = [:]
    /// Of each draft of the epoch, by its number, how many drafts lead to it, itself included.
    private var depths: [StreamKey: [Int]] = [:]

    init(_ world: World, _ host: HostID, _ plan: Scenario.Drafter) {
        self.world = world
        self.host = host
        self.plan = plan
        let incarnation = world.incarnation(of: host)
        var configuration = DrafterMachine.Configuration(
            node: world.name(host), incarnation: incarnation, vocabularyDigest: Language.digest,
            vocabularySize: Language.size, sequences: plan.node.sequences, contextMax: plan.node.contextMax,
            nodesMax: plan.node.nodesMax, endTokens: [Language.end], branches: plan.node.branches)
        configuration.lookups = plan.lookups
        configuration.hasModel = plan.hasModel
        machine = DrafterMachine(configuration)
        engine = SimulatedEngine(
            world.target.drafter(agreement: plan.agreement, seed: plan.modelSeed), plan.node,
            isGuessing: plan.character == .guesser, bridge: plan.bridge)
        let hello = Hello(
            node: world.name(host), incarnation: incarnation, role: .drafter, wireMin: 1, wireMax: 1, modelDigest: 2,
            vocabularyDigest: Language.digest, dataAddress: world.hosts[host.index].address,
            capacity: Capacity(
                sequences: plan.node.sequences, context: plan.node.contextMax, nodesMax: plan.node.nodesMax),
            modelName: "draft", engineVersion: "simulated", cores: "1",
            place: plan.hasModel ? plan.sharesCoresOf.map(World.place) ?? .unknown : .unknown,
            bridge: plan.bridge?.kind ?? .none)
        control = ControlPort(world, host, hello: hello, chunk: plan.node.vocabularyChunk) { [unowned self] news in
            if case .message(let message) = news {
                self.world.report(.accusation, "the coordinator tells a drafter \(line(message))")
            }
        }
    }

    /// As `DrafterNode`: verdicts that come together wait for each other.
    func step(_ input: DrafterMachine.Input) {
        verdicts.append(input)
        if case .received(_, .verdict) = input { return }
        readComplete()
    }

    func readComplete() {
        guard !verdicts.isEmpty else { return }
        let inputs = verdicts
        verdicts = []
        var effects: [DrafterMachine.Effect] = []
        machine.step(inputs, at: world.now, into: &effects)
        queue.append(effects)
        guard queue.beginDraining() else { return }
        while let effect = queue.next() { perform(effect) }
    }

    func start() { control?.step(.start) }
    func tick() { control?.step(.tick(Load(jobs: machine.streamCount, busy: 0, stepMicroseconds: 0))) }
    func opened(_ id: ConnectionID, _ dial: DialID?) {
        if control?.opened(id, dial) == true { return }
        if dial == nil { step(.opened(id.link)) } else { world.close(id, nil, from: host) }
    }
    func dialFailed(_ dial: DialID) { _ = control?.dialFailed(dial) }
    func received(_ message: Message, on id: ConnectionID) {
        if control?.received(message, on: id) == true { return }
        switch message {
        case .draftOpen(let open): limits[StreamKey(id: id, stream: open.stream)] = open.positionLimit
        case .verdict(let verdict):
            let key = StreamKey(id: id, stream: verdict.stream)
            limits[key] = max(limits[key] ?? 0, verdict.positionLimit)
        default: break
        }
        step(.received(id.link, message))
    }
    func lost(_ id: ConnectionID) {
        if control?.lost(id) == true { return }
        step(.closed(id.link))
    }
    func passed(_ outcome: PassOutcome, shard: ShardIndex) { step(.passed(outcome)) }

    private func perform(_ effect: DrafterMachine.Effect) {
        switch effect {
        case .send(let link, let message): send(message, on: ConnectionID(link))
        case .close(let link, let goodbye):
            // Verifiers keep the protocol, all of them; what they answer to a breaker is another matter.
            if plan.character != .breaker {
                world.report(.accusation, "\(world.name(host)) accuses a verifier: \(goodbye.detail)")
            }
            world.close(ConnectionID(link), goodbye, from: host)
        case .evaluate(let pass):
            world.judgeAlternation()
            if !plan.hasModel { world.report(.engine, "\(world.name(host)) asks for a pass of the model it lacks") }
            if engine.run(pass, in: world, of: host) { engine.audit(machine.cachedTexts, in: world, of: host) }
        }
    }

    private func send(_ message: Message, on id: ConnectionID) {
        if case .draft(let draft) = message {
            let key = StreamKey(id: id, stream: draft.stream)
            if epochs[key] != draft.epoch { depths[key] = [] }
            for index in draft.tokens.indices {
                let parent = draft.parents.isEmpty ? draft.firstNode + index : draft.parents[index]
                let above = parent == 0 ? 0 : depths[key]?[parent - 1] ?? 0
                depths[key]?.append(above + 1)
            }
            let reached = draft.root + (depths[key]?.suffix(draft.tokens.count).max() ?? 0)
            if reached > limits[key] ?? 0 {
                world.report(.window, "\(world.name(host)) drafts up to \(reached), allowed is \(limits[key] ?? 0)")
            }
            if let before = epochs[key], before != draft.epoch { world.tally.epochs += 1 }
            epochs[key] = draft.epoch
            world.tally.drafted += draft.tokens.count
            world.tally.drawn += draft.proposals.count
            if !plan.hasModel { world.tally.lookedUp += draft.tokens.count }
            if plan.bridge != nil { world.tally.bridged += draft.tokens.count }
            world.tally.redrawn += draft.proposals.count { Set($0.draws).count < $0.draws.count }
        }
        switch plan.character {
        case .honest, .guesser: world.send(message, on: id, from: host)
        case .mute:
            if case .draft = message { world.count(.lie) } else { world.send(message, on: id, from: host) }
        case .breaker:
            guard case .draft(let draft) = message else {
                return Breaker.send(message, after: nil, on: id, from: host, in: world)
            }
            let before = said.updateValue(draft, forKey: StreamKey(id: id, stream: draft.stream))
            Breaker.send(message, after: before, on: id, from: host, in: world)
        }
    }
}

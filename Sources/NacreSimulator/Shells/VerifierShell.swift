import NacreCore
import NacreEngine
import NacreProtocol

/// A verifier's process.
final class VerifierShell: Shell {
    /// A drafter as one shard knows it.
    private struct DrafterAddress: Hashable {
        var shard: ShardIndex
        var address: String
    }

    private unowned let world: World
    private let host: HostID
    private let isZombie: Bool
    private let isDivided: Bool
    let plan: Scenario.Node
    private(set) var machine: ShardedVerifier
    private var engines: [SimulatedEngine] = []
    private var computing: Set<ShardIndex> = []
    private var queue = EffectQueue<ShardedVerifier.Effect>()
    private var control: ControlPort?
    private var dials: [DialID: DrafterAddress] = [:]
    private var connections: [DrafterAddress: ConnectionID] = [:]
    private var addresses: [ConnectionID: DrafterAddress] = [:]
    private var laws: VerifierLaws
    private var watch = AlternationWatch()
    /// Tokens of the last commit.
    private var lastCommitted = 0

    init(_ world: World, _ host: HostID, _ plan: Scenario.Verifier) {
        self.world = world
        self.host = host
        self.plan = plan.node
        isZombie = plan.isZombie
        isDivided = plan.shards > 1
        laws = VerifierLaws(name: world.name(host), target: world.target)
        let incarnation = world.incarnation(of: host)
        machine = ShardedVerifier(
            plan.parts.map { part in
                VerifierMachine.Configuration(
                    node: world.name(host), incarnation: incarnation, vocabularyDigest: Language.digest,
                    modelDigest: 1, vocabularySize: Language.size, sequences: part.sequences,
                    contextMax: part.contextMax,
                    nodesMax: part.nodesMax, endTokens: [Language.end], canRewind: true, branches: part.branches,
                    cost: StepCostModel(
                        nodesMax: part.nodesMax, priorFixed: Double(part.passFixed), perNode: Double(part.passPerNode)))
            })
        engines = plan.parts.enumerated().map { SimulatedEngine(world.target, $1, shard: ShardIndex(rawValue: $0)) }
        let hello = Hello(
            node: world.name(host), incarnation: incarnation, role: .verifier, wireMin: 1, wireMax: 1, modelDigest: 1,
            vocabularyDigest: Language.digest, dataAddress: world.hosts[host.index].address,
            capacity: Capacity(
                sequences: plan.node.sequences, context: plan.node.contextMax, nodesMax: plan.node.nodesMax,
                shards: plan.shards),
            modelName: "target", engineVersion: "simulated", cores: "1", place: World.place(ofVerifier: host.index - 1))
        control = ControlPort(world, host, hello: hello, chunk: plan.node.vocabularyChunk) { [unowned self] in
            self.hear($0)
        }
    }

    func step(_ input: ShardedVerifier.Input) {
        var effects: [ShardedVerifier.Effect] = []
        machine.step(input, at: world.now, into: &effects)
        queue.append(effects)
        guard queue.beginDraining() else { return }
        while let next = queue.next() { perform(next.effect, of: next.shard) }
    }

    // MARK: - The world

    func start() { control?.step(.start) }

    func tick() {
        let load = Load(
            jobs: machine.jobCount, busy: 0, stepMicroseconds: 0, clock: machine.clock,
            pairs: machine.reports(at: world.now))
        control?.step(.tick(load))
        step(.tick)
    }

    func wake(_ shard: ShardIndex) { step(.shard(shard, .tick)) }

    func opened(_ id: ConnectionID, _ dial: DialID?) {
        if control?.opened(id, dial) == true { return }
        guard let dial else { return step(.hostOpened(id.link)) }
        guard let address = dials.removeValue(forKey: dial) else {
            world.close(id, nil, from: host)  // dialled in vain: given up meanwhile
            return
        }
        connections[address] = id
        addresses[id] = address
        step(.shard(address.shard, .dialed(address: address.address)))
    }

    func dialFailed(_ dial: DialID) {
        if control?.dialFailed(dial) == true { return }
        guard let address = dials.removeValue(forKey: dial) else { return }
        step(.shard(address.shard, .dialFailed(address: address.address)))
    }

    func received(_ message: Message, on id: ConnectionID) {
        if control?.received(message, on: id) == true { return }
        if case .scoreOpen(let open) = message { laws.held(open) }
        if let address = addresses[id] {
            if case .draftReady(let ready) = message { watch.ready(ready.stream, on: id, at: world.now) }
            if case .draft(let draft) = message {
                laws.lossy.heard(
                    draft, on: LossyLaws.Stream(shard: address.shard, address: address.address, number: draft.stream))
            }
            step(.shard(address.shard, .data(address: address.address, message)))
        } else {
            step(.host(id.link, message))
        }
    }

    func lost(_ id: ConnectionID) {
        if control?.lost(id) == true { return }
        guard let address = addresses.removeValue(forKey: id) else { return step(.hostLost(id.link)) }
        connections[address] = nil
        step(.shard(address.shard, .drafterLost(address: address.address)))
    }

    func passed(_ outcome: PassOutcome, shard: ShardIndex) {
        computing.remove(shard)
        step(.shard(shard, .passed(outcome)))
    }

    /// Whether its passes must wait for a stream that a drafter has on this connection.
    func mustWait(for stream: StreamID, on id: ConnectionID) -> Bool {
        guard let address = addresses[id], machine[address.shard].holds(stream, at: address.address) else {
            return false
        }
        return !watch.isExcused(stream, on: id, at: world.now)
    }

    // MARK: - The machine

    private func hear(_ news: ControlPort.News) {
        switch news {
        case .registered: break
        case .lost: if !isZombie { step(.coordinatorLost) }
        case .message(.tokenize(let tokenize)):
            let tokens = Language.tokenize(tokenize.text)
            control?.send(.tokenized(Tokenized(request: tokenize.request, tokens: tokens, error: "")))
        case .message(let message):
            if case .assignJob(let assignment) = message {
                laws.assigned(assignment)
                if assignment.contextOffset == 0 { watch.assigned(assignment.job, assignment.offers) }
            }
            if case .offers(let offers) = message { watch.offered(offers.job, offers.offers) }
            step(.control(message))
        }
    }

    private func perform(_ effect: VerifierMachine.Effect, of shard: ShardIndex) {
        switch effect {
        case .toCoordinator(let message):
            if case .commit(let commit) = message {
                lastCommitted = commit.tokens.count
                let blocks = laws.lossy.blocks
                judge(laws.judge(commit))
                world.tally.jointBlocks += laws.lossy.blocks - blocks
                world.judgeCommit(commit.job, start: commit.start.rawValue, tokens: commit.tokens)
            }
            if case .jobEnded(let ended) = message {
                world.tally.shards += Int(ended.statistics.shardsSent)
                world.tally.shardsUsed += Int(ended.statistics.shardsUsed)
                world.tally.prepared += Int(ended.statistics.outcomesPrepared)
                if watch.alternates(ended.job) {
                    world.tally.inTurns += Int(ended.statistics.verified)
                    world.tally.inTurnsOfShards += isDivided ? Int(ended.statistics.verified) : 0
                }
            }
            if control?.isRegistered == true { control?.send(message) }
        case .closeCoordinator(let goodbye):
            world.report(.accusation, "\(world.name(host)) accuses the coordinator: \(goodbye.detail)")
            control?.close(goodbye)
        case .dial(let address):
            dials[world.dial(address, from: host)] = DrafterAddress(shard: shard, address: address)
        case .toDrafter(let address, let message):
            judge(laws.judge(message))
            if case .draftOpen(let open) = message {
                laws.lossy.opened(open, on: LossyLaws.Stream(shard: shard, address: address, number: open.stream))
            }
            if case .draftOpen(let open) = message, laws.opened(open, at: address) { world.tally.united += 1 }
            if case .draftOpen(let open) = message, open.contextOffset == 0, open.merge > 0 {
                world.tally.merging += 1
            }
            if case .rowRequest = message { world.tally.rowsFetched += 1 }
            // A round's commit goes out right before its verdict.
            if case .verdict(let verdict) = message, verdict.tokens.count > lastCommitted { world.tally.coalesced += 1 }
            if let id = connections[DrafterAddress(shard: shard, address: address)] {
                if case .draftOpen(let open) = message { watch.opened(open.stream, on: id, at: world.now) }
                world.send(message, on: id, from: host)
            }
        case .closeDrafter(let address, let goodbye):
            let drafter = world.hosts.firstIndex { $0.address == address }.map(HostID.init)
            if goodbye.code == .protocolError, let drafter, world.isHonest(drafter) {
                world.report(.accusation, "\(world.name(host)) accuses \(address): \(goodbye.detail)")
            }
            let peer = DrafterAddress(shard: shard, address: address)
            dials = dials.filter { $0.value != peer }
            guard let id = connections.removeValue(forKey: peer) else { return }
            addresses[id] = nil
            world.close(id, goodbye, from: host)
        case .toHost(let link, let message): world.send(message, on: ConnectionID(link), from: host)
        case .closeHost(let link, let goodbye):
            world.report(.accusation, "\(world.name(host)) accuses a verifier: \(goodbye.detail)")
            world.close(ConnectionID(link), goodbye, from: host)
        case .wake(let instant):
            let life = world.hosts[host.index].life
            world.queue.schedule(.wake(host, life: life, shard), at: max(instant, world.now))
        case .evaluate(let pass):
            world.tally.sideBySide += computing.isEmpty ? 0 : 1
            computing.insert(shard)
            world.judgeAlternation()
            guard engines[shard.rawValue].run(pass, in: world, of: host) else { return }
            engines[shard.rawValue].audit(machine[shard].cachedTexts, in: world, of: host)
            judge(laws.judge(pass, engines[shard.rawValue]))
        }
    }

    private func judge(_ breach: JobLaws.Breach?) {
        if let breach { world.report(breach.law, breach.detail) }
    }
}

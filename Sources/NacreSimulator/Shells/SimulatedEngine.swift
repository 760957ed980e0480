import NacreCore
import NacreEngine
import NacreProtocol

/// An engine whose cache can be looked into.
private protocol OpenEngine: Engine {
    func cached(_ sequence: SequenceID) -> [TokenID]
    /// What a sequence holds in the model's own tokens, and should hold, where they are other ones.
    func twin(_ sequence: SequenceID) -> (held: [TokenID], expected: [TokenID])?
}

extension ReferenceEngine: OpenEngine {
    func twin(_ sequence: SequenceID) -> (held: [TokenID], expected: [TokenID])? { nil }
}

extension BridgedEngine: OpenEngine where Inner == ReferenceEngine {
    func cached(_ sequence: SequenceID) -> [TokenID] { held(sequence).target }
    func twin(_ sequence: SequenceID) -> (held: [TokenID], expected: [TokenID])? {
        (inner.cached(sequence), held(sequence).draft)
    }
}

/// An exact engine that takes time, and fails when the dice say so.
struct SimulatedEngine {
    private var engine: any OpenEngine
    private let node: Scenario.Node
    private let shard: ShardIndex
    /// Its choices are drawn at random.
    private let isGuessing: Bool

    /// - Parameter bridge: if the model thinks in the other vocabulary.
    init(
        _ model: TabularModel, _ node: Scenario.Node, shard: ShardIndex = 0, isGuessing: Bool = false,
        bridge: VocabularyBridge? = nil
    ) {
        self.node = node
        self.shard = shard
        self.isGuessing = isGuessing
        let inner = ReferenceEngine(
            model: bridge == nil ? model : Dialect.model(model), contextCells: node.contextCells,
            sequences: node.sequences + node.branches, nodesMax: node.nodesMax)
        if let bridge {
            engine = BridgedEngine(inner, bridge: bridge, contextMax: node.contextMax)
        } else {
            engine = inner
        }
    }

    func cached(_ sequence: SequenceID) -> [TokenID] { engine.cached(sequence) }

    /// Runs the pass; the machine hears of it when its time is over.
    /// - Returns: whether the cache is now as the machine believes.
    mutating func run(_ pass: EnginePass, in world: World, of host: HostID) -> Bool {
        world.journal.note(.started(host, pass), at: world.now)
        world.tally.passes += 1
        world.tally.branched += pass.nodes.contains { !$0.branches.isEmpty } ? 1 : 0
        world.tally.adopted += pass.adoptions.count
        let forks = pass.edits.count { if case .fork = $0 { true } else { false } }
        world.tally.forked += forks
        if world.isVerifier(host) { world.tally.sharedPrefixes += forks }
        let duration = max(1, node.passFixed + node.passPerNode * pass.nodes.count)
        let outcome = outcome(of: pass, duration: duration, in: world, of: host)
        world.schedule(.passed(host, life: world.hosts[host.index].life, shard, outcome), in: duration)
        if case .done = outcome { return true }
        return false
    }

    private mutating func outcome(
        of pass: EnginePass, duration: Int, in world: World, of host: HostID
    ) -> PassOutcome {
        let faults = world.scenario.faults
        do throws(EngineError) {
            if world.areFaultsOn, world.chance.happens(faults.engineFails) {
                world.count(.engineFailure)
                // Half of it is in the cache already, as after a real failure.
                let half = Array(pass.nodes.prefix(pass.nodes.count / 2))
                _ = try engine.run(EnginePass(edits: pass.edits, nodes: half, adoptions: pass.adoptions))
                return .failed("a fault of the simulation")
            }
            if world.areFaultsOn, world.chance.happens(faults.cacheFull) {
                world.count(.cacheFull)
                _ = try engine.run(EnginePass(edits: pass.edits, adoptions: pass.adoptions))
                return .cacheFull
            }
            var scores = try engine.run(pass)
            if isGuessing { for index in scores.indices { scores[index] = guess(scores[index], in: world) } }
            return .done(scores, started: world.now, ended: world.now + duration)
        } catch {
            if error.code == .cacheFull {
                world.count(.cacheFull)
                return .cacheFull
            }
            world.report(.engine, "\(world.name(host)): \(error.message)")
            return .failed(error.message)
        }
    }

    /// A score of the same kind that knows nothing.
    private func guess(_ score: Score, in world: World) -> Score {
        func others(_ candidates: [Candidate]) -> [Candidate] {
            let first = world.chance.int(0...Language.size - 1)
            return candidates.indices.map { place in
                let token = UInt32((first + place) % Language.size)
                return Candidate(token: TokenID(rawValue: token), probability: world.chance.fraction())
            }
        }
        switch score {
        case .candidates(let candidates): return .candidates(others(candidates))
        case .measured(var measured):
            measured.candidates = others(measured.candidates)
            return .measured(measured)
        case .choice, .weights, .law, .likelihood: return score
        }
    }

    /// Compares the cache with what the machine believes is in it.
    func audit(_ beliefs: [CachedText], in world: World, of host: HostID) {
        for belief in beliefs {
            let cached = engine.cached(belief.sequence)
            if let (held, expected) = engine.twin(belief.sequence), held != expected {
                world.report(
                    .cache,
                    "\(world.name(host)) holds \(held) of sequence \(belief.sequence), in its own tokens; it should be "
                        + "\(expected)")
            }
            guard cached.count != belief.filled || !cached.starts(with: belief.tokens) else { continue }
            world.report(
                .cache,
                "\(world.name(host)) believes that sequence \(belief.sequence) holds \(belief.tokens), filled to "
                    + "\(belief.filled); it holds \(cached)")
        }
    }
}

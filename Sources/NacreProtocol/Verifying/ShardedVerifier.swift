import NacreCore

/// One shard of a verifier.
package struct ShardIndex: Ordinal {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
}

/// A verifier whose cores are divided among shards. Each shard is a whole `VerifierMachine`: an engine with a cache of
/// its own, and the jobs that live there. Jobs stay where they are, since their cache is there.
///
/// | input | steps |
/// |---|---|
/// | `AssignJob`, `CancelJob`, `Offers`, `JobPolicy` of a job that a shard has, in whatever attempt | that shard |
/// | `AssignJob` of another job | the shard with the smallest share of its slots taken |
/// | any other message of the coordinator | the first shard, which ignores or refuses it |
/// | news of a shard's links and passes | that shard |
/// | another verifier dials | the shard with the fewest such links; what comes on the link goes there |
/// | anything, while a drafter computes on the verifier's cores | the others too: turns are those of all shards |
/// | `tick`, `coordinatorLost` | all shards; so does a fault of the coordinator that one of them found |
///
/// Each shard has a link of its own to every drafter that it hired: to the drafter they are as good as two verifiers,
/// so that stream numbers, faults and silence of one shard are nothing to the others.
package struct ShardedVerifier: Machine, Sendable {
    package enum Input: Sendable {
        /// From the coordinator, on the control link.
        case control(Message)
        case coordinatorLost
        /// Time has gone on; at least every 100 ms while there are jobs.
        case tick
        /// Another verifier has dialled, says something, is gone.
        case hostOpened(LinkID)
        case host(LinkID, Message)
        case hostLost(LinkID)
        /// What concerns one shard: links that it dialled, its passes, a moment that it asked to be woken at.
        case shard(ShardIndex, VerifierMachine.Input)
    }

    /// What one shard wants done.
    package struct Effect: Sendable {
        package let shard: ShardIndex
        package let effect: VerifierMachine.Effect
    }

    private var shards: [VerifierMachine]
    /// Whose each link of another verifier is, as long as the machine has not closed it.
    private var hosts: [LinkID: ShardIndex] = [:]

    /// - Parameter configurations: one for each shard, at least one; they differ in sequences and costs at most.
    package init(_ configurations: [VerifierMachine.Configuration]) {
        precondition(!configurations.isEmpty, "a verifier without shards")
        shards = configurations.map { VerifierMachine($0) }
    }

    package var indices: [ShardIndex] { shards.indices.map { ShardIndex(rawValue: $0) } }
    package var jobCount: Int { shards.reduce(0) { $0 + $1.jobCount } }

    package subscript(shard: ShardIndex) -> VerifierMachine { shards[shard.rawValue] }

    package mutating func step(_ input: Input, at now: Instant, into effects: inout [Effect]) {
        switch input {
        case .control(let message): step(owner(of: message), .control(message), at: now, into: &effects)
        case .shard(let shard, let input): step(shard, input, at: now, into: &effects)
        case .hostOpened(let link):
            let shard = fewestHosts
            hosts[link] = shard
            step(shard, .hostOpened(link), at: now, into: &effects)
        case .host(let link, let message):
            if let shard = hosts[link] { step(shard, .host(link, message), at: now, into: &effects) }
        case .hostLost(let link):
            if let shard = hosts.removeValue(forKey: link) { step(shard, .hostLost(link), at: now, into: &effects) }
        case .coordinatorLost: for shard in indices { step(shard, .coordinatorLost, at: now, into: &effects) }
        case .tick: for shard in indices { step(shard, .tick, at: now, into: &effects) }
        }
    }

    private mutating func step(
        _ shard: ShardIndex, _ input: VerifierMachine.Input, at now: Instant, into effects: inout [Effect]
    ) {
        stepAlone(shard, input, at: now, into: &effects)
        guard shards.count > 1, shards.contains(where: \.hasCoreSharing) else { return }
        for other in indices where other != shard { stepAlone(other, .tick, at: now, into: &effects) }
    }

    private mutating func stepAlone(
        _ shard: ShardIndex, _ input: VerifierMachine.Input, at now: Instant, into effects: inout [Effect]
    ) {
        var neighbours = NeighbouringWork()
        for other in shards.indices where other != shard.rawValue {
            neighbours.passes = neighbours.passes || shards[other].isComputing
            neighbours.drafts = neighbours.drafts || shards[other].lendsCores(at: now)
        }
        shards[shard.rawValue].neighbours = neighbours
        var own: [VerifierMachine.Effect] = []
        shards[shard.rawValue].step(input, at: now, into: &own)
        effects += own.map { Effect(shard: shard, effect: $0) }
        var isClosing = false
        for effect in own {
            switch effect {
            case .closeHost(let link, _): hosts[link] = nil
            case .closeCoordinator: isClosing = true
            case .toCoordinator, .dial, .toDrafter, .closeDrafter, .toHost, .evaluate, .wake: continue
            }
        }
        guard isClosing else { return }
        for other in indices where other != shard { stepAlone(other, .coordinatorLost, at: now, into: &effects) }
    }

    // MARK: - Which shard

    private func owner(of message: Message) -> ShardIndex {
        switch message {
        case .assignJob(let assignment): home(of: assignment.job) ?? leastTaken(for: assignment)
        case .cancelJob(let cancel): home(of: cancel.job) ?? 0
        case .offers(let offers): home(of: offers.job) ?? 0
        case .jobPolicy(let change): home(of: change.job) ?? 0
        default: 0
        }
    }

    /// The first of the shards that the fewest other verifiers use.
    private var fewestHosts: ShardIndex {
        let counts = indices.map { shard in hosts.values.count { $0 == shard } }
        return indices.first { counts[$0.rawValue] == counts.min() } ?? 0
    }

    /// The shard that has the job. An older attempt of it counts: the shard knows that it is void.
    private func home(of job: JobID) -> ShardIndex? { indices.first { self[$0].has(job) } }

    /// The shard with the smallest share of its slots taken; of several, the one that can lend the longest beginning of
    /// the text.
    private func leastTaken(for assignment: AssignJob) -> ShardIndex {
        var best: ShardIndex = 0
        for shard in indices.dropFirst() {
            let (own, other) = (self[shard], self[best])
            let (share, least) = (own.jobCount * other.slots, other.jobCount * own.slots)
            guard share <= least else { continue }
            if share < least || own.lendable(to: assignment.context) > other.lendable(to: assignment.context) {
                best = shard
            }
        }
        return best
    }
}

// What the verifier asks a shard before it gives it a job.
extension VerifierMachine {
    /// Whether a drafter of its jobs computes on its cores.
    fileprivate var hasCoreSharing: Bool { jobs.contains(where: \.sharesCores) }

    /// Jobs that it can have at once.
    fileprivate var slots: Int { configuration.sequences }

    fileprivate func has(_ job: JobID) -> Bool { jobs.contains { $0.job == job } }

    /// Tokens with which the text begins like that of a job here.
    fileprivate func lendable(to text: [TokenID]) -> Int {
        jobs.map { zip($0.tokens, text).prefix { $0 == $1 }.count }.max() ?? 0
    }
}

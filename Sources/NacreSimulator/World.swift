import NacreCore
import NacreEngine
import NacreProtocol

/// All processes, their network and their clock, run from one seed: the real machines and the real codec, everything
/// else made up.
///
/// A run has three acts: faults are on until `Scenario.healed`; then every job must end within `World.patience`;
/// then the house must be found tidy.
final class World {
    enum Event {
        case boot(HostID)
        case tick(HostID, life: Int)
        /// A tick between the regular ones, as the machine asked for.
        case wake(HostID, life: Int, ShardIndex)
        case connect(DialID, from: HostID, life: Int, to: HostID)
        case dialFailed(HostID, life: Int, DialID)
        case opened(ConnectionID, Side, DialID?)
        case flush(ConnectionID, Side, end: Int)
        case lost(ConnectionID, Side)
        case passed(HostID, life: Int, ShardIndex, PassOutcome)
        case submit(Int)
        case cancel(Int)
        case setPolicy(PolicySpecification?)
        case mischief
    }

    struct Host {
        let name: String
        /// Where others dial it; empty for those who only dial.
        let address: String
        /// `nil` while the process is down.
        var shell: (any Shell)?
        /// Starts so far.
        var life = 0
        /// Stopped until then: what happens to it meanwhile happens afterwards.
        var frozenUntil: Instant = 0
    }

    /// The process's own period.
    static let tick = Instant.milliseconds(100)
    /// How long after the healing a job may take to end: the slowest honest way is plain decoding between two
    /// tries of a drafter that never answers.
    static let patience = Instant.seconds(60)
    /// How long what was broken may take to be noticed, once the last thing broke.
    static let noticed = Instant.seconds(15)

    let scenario: Scenario
    let target: TabularModel
    var now: Instant = 0
    var queue = EventQueue<Instant, Event>()
    var chance: Chance
    var hosts: [Host] = []
    var connections: [ConnectionID: Connection] = [:]
    var nextConnection = 0
    var nextDial = 0
    var journal = Journal()
    var tally = Tally()
    private(set) var violation: Violation?
    private(set) var laws: JobLaws

    init(_ scenario: Scenario, isVerbose: Bool = false) {
        self.scenario = scenario
        target = .hashed(vocabulary: Language.size, seed: scenario.targetSeed, endEvery: 24)
        chance = Chance(seed: scenario.seed ^ 0x5EED)
        laws = JobLaws(scenario, target: target)
        journal.isVerbose = isVerbose
        hosts.append(Host(name: "coordinator", address: "coordinator"))
        for index in scenario.verifiers.indices {
            hosts.append(Host(name: "verifier\(index)", address: "verifier\(index)"))
        }
        for index in scenario.drafters.indices {
            hosts.append(Host(name: "drafter\(index)", address: "drafter\(index)"))
        }
    }

    var areFaultsOn: Bool { now < scenario.healed }
    func name(_ host: HostID) -> String { hosts[host.index].name }
    func isAlive(_ host: HostID, life: Int) -> Bool {
        hosts[host.index].shell != nil && hosts[host.index].life == life
    }
    var coordinator: CoordinatorShell? { hosts[0].shell as? CoordinatorShell }

    func isVerifier(_ host: HostID) -> Bool { (1...scenario.verifiers.count).contains(host.index) }

    /// Whether this process keeps to the protocol, whatever it drafts.
    func isHonest(_ host: HostID) -> Bool {
        let drafter = host.index - 1 - scenario.verifiers.count
        return drafter < 0 || scenario.drafters[drafter].character != .breaker
    }

    func count(_ fault: FaultKind) { tally.faults[fault, default: 0] += 1 }

    func schedule(_ event: Event, in microseconds: Int) { queue.schedule(event, at: now + microseconds) }

    /// A law is broken: the run ends here. Only the first counts.
    func report(_ law: Violation.Law, _ detail: String) {
        guard violation == nil else { return }
        violation = Violation(seed: scenario.seed, time: now, law: law, detail: detail, events: journal.lines(self))
    }

    func judgeJob(_ record: JobRecord) {
        if let (law, detail) = laws.judge(record, at: now) { report(law, detail) }
    }

    func judgeCommit(_ job: JobID, start: Int, tokens: [TokenID]) {
        if let (law, detail) = laws.judgeCommit(job, start: start, tokens: tokens) { report(law, detail) }
    }

    // MARK: - The run

    func run() {
        for index in hosts.indices { queue.schedule(.boot(HostID(index: index)), at: Instant(rawValue: index * 37)) }
        for (index, job) in scenario.jobs.enumerated() {
            queue.schedule(.submit(index), at: job.submitted)
            if let cancelled = job.cancelled { queue.schedule(.cancel(index), at: cancelled) }
        }
        for change in scenario.policies { queue.schedule(.setPolicy(change.policy), at: change.at) }
        if areFaultsOn { schedule(.mischief, in: World.tick) }
        let deadline = scenario.healed + World.patience
        advance { self.laws.areAllOver || self.now > deadline }
        if !laws.areAllOver, violation == nil {
            report(.liveness, "open \(World.patience / 1_000_000) s after the healing: \(laws.openJobs())")
        }
        let settled = max(now, scenario.healed + World.noticed) + Instant.seconds(3)
        advance { self.now > settled }
        if violation == nil { checkTidiness() }
        tally.events = journal.count
        tally.staleMessages += coordinator?.machine.staleMessages ?? 0
        laws.add(to: &tally)
    }

    private func advance(until isDone: () -> Bool) {
        while violation == nil, !isDone(), let (time, event) = queue.popFirst() {
            now = time
            perform(event)
        }
    }

    private func perform(_ event: Event) {
        if let host = host(of: event), hosts[host.index].frozenUntil > now {
            queue.schedule(event, at: hosts[host.index].frozenUntil)
            return
        }
        switch event {
        case .boot(let host): boot(host)
        case .tick(let host, let life):
            guard isAlive(host, life: life) else { return }
            hosts[host.index].shell?.tick()
            schedule(event, in: World.tick)
        case .wake(let host, let life, let shard):
            if isAlive(host, life: life) { (hosts[host.index].shell as? VerifierShell)?.wake(shard) }
        case .connect(let dial, let host, let life, let target): connect(dial, from: host, life: life, to: target)
        case .dialFailed(let host, let life, let dial):
            if isAlive(host, life: life) { hosts[host.index].shell?.dialFailed(dial) }
        case .opened(let id, let side, let dial):
            guard let end = connections[id]?.ends[side.rawValue], end.isOpen, isAlive(end.host, life: end.life) else {
                return
            }
            journal.note(.opened(end.host, id), at: now)
            hosts[end.host.index].shell?.opened(id, dial)
        case .flush(let id, let side, let end): flush(id, side, end: end)
        case .lost(let id, let side): lost(id, side)
        case .passed(let host, let life, let shard, let outcome):
            guard isAlive(host, life: life) else { return }
            journal.note(.passed(host, outcome), at: now)
            hosts[host.index].shell?.passed(outcome, shard: shard)
        case .submit(let index):
            let job = scenario.jobs[index]
            coordinator?.step(.submit(job.id, job.specification))
        case .cancel(let index):
            let job = scenario.jobs[index]
            laws.willCancel(coordinator?.machine.jobs[job.id])
            coordinator?.step(.cancel(job.id))
        case .setPolicy(let policy):
            coordinator?.step(.setPolicy(.all, policy.map { PolicyBook.Entry($0, setBy: "somebody") }))
        case .mischief: mischief()
        }
    }

    /// The process to which the event happens, if it can be stopped from taking notice.
    private func host(of event: Event) -> HostID? {
        switch event {
        case .tick(let host, _), .wake(let host, _, _), .passed(let host, _, _, _), .dialFailed(let host, _, _): host
        case .opened(let id, let side, _), .flush(let id, let side, _), .lost(let id, let side):
            connections[id]?.ends[side.rawValue].host
        case .boot, .connect, .submit, .cancel, .setPolicy, .mischief: nil
        }
    }
}

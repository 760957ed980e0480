/// The event simulator: answers a `ClusterScenario` by playing it.
///
///     let result = ClusterSimulation(scenario).run()
///
/// Drafters and verifiers work in passes over all jobs that have a turn. Drafts and verdicts travel one by one. As in
/// the real machines an epoch is over when the drafter hears that its chain is wrong; late drafts are compared with
/// what was committed without them. Left out: prefill, trees, a pass that waits for drafts (`DraftPatience`).
///
/// Pure: the same scenario, the same result.
package struct ClusterSimulation {
    private enum Event {
        case draftDone(drafter: Int, run: Int)
        case draftArrives(job: Int, SimulatedJob.DraftMessage)
        case verdictArrives(job: Int, SimulatedJob.VerdictMessage)
        case passDone(verifier: Int)
    }

    /// Microseconds, and the order within one instant: drafts that arrive at the very end of a pass are there for the
    /// next.
    private struct Moment: Comparable {
        enum Rank: Int { case draft, verdict, pass }

        var time: Double
        var rank: Rank

        static func < (left: Moment, right: Moment) -> Bool {
            (left.time, left.rank.rawValue) < (right.time, right.rank.rawValue)
        }
    }

    struct Drafter {
        var jobs: [Int] = []
        /// Jobs of the pass in flight, each with the place of its draft.
        var pass: [(job: Int, epoch: Int, position: Int)] = []
        /// Tells an aborted pass from the next.
        var run = 0
        var started = 0.0
    }

    struct Verifier {
        var jobs: [Int] = []
        /// Of them those that are not finished.
        var active = 0
        var pass: [Int] = []
    }

    let scenario: ClusterScenario
    var jobs: [SimulatedJob]
    var drafters: [Drafter]
    var verifiers: [Verifier]
    private var queue = EventQueue<Moment, Event>()
    /// By drafter, verifier and direction: until when the link sends, and when its last message arrives.
    private var links: [Int: (free: Double, last: Double)] = [:]
    private let jitter: PositionalRandom
    private var sent = 0
    var result = ClusterResult()
    private(set) var now = 0.0

    /// - Precondition: the scenario has no complaint.
    package init(_ scenario: ClusterScenario) {
        if let complaint = scenario.complaint { preconditionFailure(complaint) }
        self.scenario = scenario
        jitter = PositionalRandom(key: StreamKey(rawValue: scenario.delaySeed))
        jobs = (0..<scenario.jobs).map { number in
            let key = Agreement.key(job: number, seed: scenario.seed)
            return SimulatedJob(
                text: scenario.agreement.positions(scenario.tokens, job: number, seed: scenario.seed),
                salt: UInt32(number) &* 40_503,
                policy: DraftLengthPolicy(scenario.policy, key: key), after: scenario.pair)
        }
        result.pair = scenario.pair
        drafters = Array(repeating: Drafter(), count: scenario.drafters)
        verifiers = Array(repeating: Verifier(), count: scenario.verifiers)
        for job in jobs.indices {
            verifiers[job % scenario.verifiers].jobs.append(job)
            verifiers[job % scenario.verifiers].active += 1
            if scenario.drafters > 0 { drafters[job % scenario.drafters].jobs.append(job) }
        }
    }

    /// Plays the scenario to its end.
    package consuming func run() -> ClusterResult {
        for job in jobs.indices {
            let verdict = nextRound(job, tokens: [])
            jobs[job].open(limit: verdict.limit)
        }
        if !drafters.isEmpty {
            for job in jobs.indices where !jobs[job].mayDraft() { sayLast(job) }
        }
        for drafter in drafters.indices { startDrafting(drafter) }
        for verifier in verifiers.indices { startPass(verifier) }
        while let (moment, event) = queue.popFirst() {
            now = moment.time
            handle(event)
        }
        precondition(jobs.allSatisfy(\.isFinished), "jobs wait for each other: \(scenario)")
        result.tokens = jobs.map(\.committed)
        result.pair.governor = jobs.last?.governor
        return result
    }

    private mutating func schedule(_ event: Event, at time: Double, _ rank: Moment.Rank) {
        queue.schedule(event, at: Moment(time: time, rank: rank))
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .draftDone(let drafter, let run):
            if run == drafters[drafter].run { finishDrafting(drafter) }
        case .draftArrives(let job, let message):
            jobs[job].receive(message)
            let verifier = job % scenario.verifiers
            judgeIfHeld(job)
            startPass(verifier)
        case .verdictArrives(let job, let verdict): hear(job, verdict)
        case .passDone(let verifier): finishPass(verifier)
        }
    }

    // MARK: - Drafters

    private mutating func startDrafting(_ drafter: Int) {
        guard drafters[drafter].pass.isEmpty else { return }
        var pass: [(job: Int, epoch: Int, position: Int)] = []
        for job in drafters[drafter].jobs where jobs[job].mayDraft() {
            pass.append((job, jobs[job].epoch, jobs[job].next))
        }
        guard !pass.isEmpty else { return }
        drafters[drafter].pass = pass
        drafters[drafter].started = now
        let time = scenario.draftCost.microseconds(nodes: pass.count)
        schedule(.draftDone(drafter: drafter, run: drafters[drafter].run), at: now + time, .draft)
    }

    private mutating func finishDrafting(_ drafter: Int) {
        let pass = drafters[drafter].pass
        endPass(of: drafter)
        // A draft for a position that was decided meanwhile is of no use, and none for the next.
        for (job, epoch, position) in pass where jobs[job].epoch == epoch && jobs[job].next == position {
            result.drafted += 1
            let message = jobs[job].draft()
            send(message, of: job)
            if !message.isLast, !jobs[job].mayDraft() { sayLast(job) }
        }
        startDrafting(drafter)
    }

    private mutating func endPass(of drafter: Int) {
        result.drafting += now - drafters[drafter].started
        drafters[drafter].pass = []
        drafters[drafter].run += 1
    }

    private mutating func hear(_ job: Int, _ verdict: SimulatedJob.VerdictMessage) {
        let isAnew = jobs[job].receive(verdict)
        let drafter = job % scenario.drafters
        if isAnew, scenario.abortsDrafts, drafters[drafter].pass.map(\.job) == [job] { endPass(of: drafter) }
        if !jobs[job].mayDraft() { sayLast(job) }
        startDrafting(drafter)
    }

    private mutating func sayLast(_ job: Int) { send(jobs[job].lastWord, of: job) }

    private mutating func send(_ message: SimulatedJob.DraftMessage, of job: Int) {
        schedule(.draftArrives(job: job, message), at: arrival(job, toVerifier: true), .draft)
    }

    /// When a message sent now arrives.
    private mutating func arrival(_ job: Int, toVerifier: Bool) -> Double {
        let link = scenario.link
        let number =
            (job % scenario.drafters * scenario.verifiers + job % scenario.verifiers) * 2 + (toVerifier ? 1 : 0)
        let before = links[number] ?? (0, 0)
        let sending = link.bytesPerSecond > 0 ? 1e6 * link.messageBytes / link.bytesPerSecond : 0
        let free = max(now, before.free) + sending
        sent += 1
        let noise = link.jitter > 0 ? link.jitter * jitter.uniform(at: sent, lane: .policy) : 0
        let arrival = max(before.last, free + link.delay + noise)
        links[number] = (free, arrival)
        return arrival
    }

    // MARK: - Verifiers

    /// Drafts of a job in a pass that starts now; `nil` if it waits.
    private func turn(_ job: SimulatedJob) -> Int? {
        guard !job.isFinished, job.inPass == nil else { return nil }
        guard scenario.drafters > 0 else { return 0 }
        let most = min(job.gamma, job.remaining - 1)
        switch scenario.method {
        case .autoregressive: return 0
        case .speculative: return job.inbox.count >= most || job.isExhausted ? min(most, job.inbox.count) : nil
        case .pearl: return job.isPostVerify ? min(job.gamma - 1, job.remaining - 1, job.inbox.count) : 0
        case .stream: return min(most, job.inbox.count)
        }
    }

    private mutating func startPass(_ verifier: Int) {
        guard verifiers[verifier].pass.isEmpty else { return }
        var nodes = 0
        for job in verifiers[verifier].jobs {
            guard let drafts = turn(jobs[job]) else { continue }
            jobs[job].inPass = max(0, drafts)
            verifiers[verifier].pass.append(job)
            nodes += 1 + max(0, drafts)
        }
        guard nodes > 0 else { return }
        let time = scenario.cost.microseconds(nodes: nodes)
        result.passes += 1
        result.nodes += nodes
        result.verifying += time
        schedule(.passDone(verifier: verifier), at: now + time, .pass)
    }

    private mutating func finishPass(_ verifier: Int) {
        let pass = verifiers[verifier].pass
        verifiers[verifier].pass = []
        for job in pass {
            jobs[job].isHeld = true
            judgeIfHeld(job)
        }
        startPass(verifier)
    }

    /// Judges a pass that is done, for PEARL once the drafter's window is here.
    private mutating func judgeIfHeld(_ number: Int) {
        let job = jobs[number]
        guard job.isHeld, let drafts = job.inPass else { return }
        if scenario.method == .pearl, scenario.drafters > 0, job.gamma > 0, !job.isExhausted {
            let ahead = job.isPostVerify ? 2 * job.gamma - 1 : job.gamma
            guard job.inbox.count >= min(ahead, job.remaining) else { return }
        }
        jobs[number].isHeld = false
        jobs[number].inPass = nil
        let (tokens, judged, accepted) = jobs[number].judge(drafts)
        result.judged += judged
        result.accepted += accepted
        result.microseconds = max(result.microseconds, now)
        jobs[number].policy.observe(
            RoundOutcome(drafted: judged, accepted: accepted, hitLimit: judged >= jobs[number].gamma))
        learn(number, accepted: accepted, rejected: accepted < judged)
        govern(number, tokens: tokens.count)
        guard !jobs[number].isFinished else {
            verifiers[number % scenario.verifiers].active -= 1
            return
        }
        let verdict = nextRound(number, tokens: tokens)
        guard scenario.drafters > 0, scenario.method != .autoregressive else { return }
        schedule(.verdictArrives(job: number, verdict), at: arrival(number, toVerifier: false), .verdict)
    }
}

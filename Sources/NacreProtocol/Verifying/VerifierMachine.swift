package import NacreCore

/// The step loop of one verifier: packs the turns of all its jobs into one forward pass, judges, commits, starts the
/// next. A job waits for drafts only as its method says, or for a moment that pays; no other job waits with it.
package struct VerifierMachine: Machine, Sendable {
    package struct Configuration: Sendable {
        package var node: String
        package var incarnation: Incarnation
        package var vocabularyDigest: UInt64
        package var modelDigest: UInt64
        package var vocabularySize: Int
        /// Jobs at once.
        package var sequences: Int
        /// Further sequences of the cache, for side branches of draft trees; none: chains only.
        package var branches: Int
        /// Longest text of one job, in tokens.
        package var contextMax: Int
        package var nodesMax: Int
        package var endTokens: Set<TokenID>
        /// False for models whose cache cannot be rewound: they decode without drafts.
        package var canRewind: Bool
        /// The measured cost of a pass by its nodes.
        package var cost: StepCostModel
        /// Context tokens evaluated in a pass that also decodes, so that long prompts do not stall other jobs.
        package var prefillShare = 64
        /// A drafter that owes something and is silent for so long is lost, in microseconds.
        package var silenceMax = Instant.seconds(1)
        /// The same while it reads a job's context.
        package var primingMax = Instant.seconds(60)
        /// One round trip to a drafter and back, in microseconds; an estimate until links measure it.
        package var roundTrip = 300

        package init(
            node: String, incarnation: Incarnation, vocabularyDigest: UInt64, modelDigest: UInt64 = 0,
            vocabularySize: Int, sequences: Int, contextMax: Int, nodesMax: Int, endTokens: Set<TokenID>,
            canRewind: Bool,
            branches: Int = 0, cost: StepCostModel
        ) {
            self.node = node
            self.incarnation = incarnation
            self.vocabularyDigest = vocabularyDigest
            self.modelDigest = modelDigest
            self.vocabularySize = vocabularySize
            self.sequences = sequences
            self.contextMax = contextMax
            self.nodesMax = nodesMax
            self.endTokens = endTokens
            self.canRewind = canRewind
            self.branches = branches
            self.cost = cost
        }
    }

    package enum Input: Sendable {
        /// From the coordinator, on the control link. Hello, Welcome and heartbeats are `ControlLink`'s.
        case control(Message)
        case coordinatorLost
        case dialed(address: String)
        case dialFailed(address: String)
        case data(address: String, Message)
        case drafterLost(address: String)
        case passed(PassOutcome)
        /// Another verifier has dialled, says something, is gone.
        case hostOpened(LinkID)
        case host(LinkID, Message)
        case hostLost(LinkID)
        /// Time has gone on; at least every 100 ms while there are jobs.
        case tick
    }

    package enum Effect: Sendable {
        case toCoordinator(Message)
        case dial(address: String)
        case toDrafter(address: String, Message)
        /// Sends the goodbye, then closes; `drafterLost` does not follow.
        case closeDrafter(address: String, Goodbye)
        case closeCoordinator(Goodbye)
        /// To another verifier that has dialled; `closeHost` sends the goodbye and closes, `hostLost` does not follow.
        case toHost(LinkID, Message)
        case closeHost(LinkID, Goodbye)
        case evaluate(EnginePass)
        /// Send `tick` at this time, besides the regular ones.
        case wake(at: Instant)
    }

    var configuration: Configuration
    /// In the order they came, so that equal runs make equal passes.
    var jobs: [JobVerification] = []
    var links: [String: PeerLinkState] = [:]
    /// Verifiers that have dialled, and whether they have greeted; texts held for them.
    var hosts: [LinkID: Bool] = [:]
    var guests: [GuestStream] = []
    var freeSequences: [SequenceID]
    /// What the next pass does to the cache before anything else: what verdicts left, then what is void.
    /// Tokens committed, of all jobs there were.
    var tokensCommitted: UInt64 = 0
    var adoptions: [BranchAdoption] = []
    var releases: [CacheEdit] = []
    var pass: [PassShare]?
    /// Nodes of the pass in flight.
    var passNodes = 0
    var nextStream: StreamID = 0
    /// What is known of the drafts of its jobs.
    var pairs = PairTable()
    /// Of the step that is going on; `nil` until something asks, and after it.
    var facts: StepFacts?
    var activity = VerifierActivity()
    /// Whose prompt is read first in the next pass, so that long prompts take turns.
    var prefillTurn = 0
    /// Passes that were to be filled up.
    var paddings = 0
    /// Drafters that were silent on these cores: until when they are not hired, and how long the next time.
    var shunned: [String: (until: Instant, backoff: Backoff)] = [:]
    /// What other shards have on these cores.
    var neighbours = NeighbouringWork()

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        freeSequences = (0..<Int32(configuration.sequences)).reversed().map { SequenceID(rawValue: $0) }
    }

    package var jobCount: Int { jobs.count }

    /// Ids of side branches: free at every pass, since each pass begins with what the verdicts on the last one left,
    /// but for those that beams are in.
    var branchSequences: [SequenceID] {
        let held = Set(jobs.flatMap { $0.beams?.cache.branches ?? [] })
        return (0..<Int32(configuration.branches))
            .map { SequenceID(rawValue: Int32(configuration.sequences) + $0) }.filter { !held.contains($0) }
    }

    package mutating func step(_ input: Input, at now: Instant, into effects: inout [Effect]) {
        stopWaiting(at: now)
        switch input {
        case .control(let message):
            do throws(ProtocolFault) {
                try receive(message, at: now, into: &effects)
            } catch {
                dropAllJobs(into: &effects)
                effects.append(.closeCoordinator(Goodbye(code: .protocolError, detail: error.description)))
            }
        case .coordinatorLost:
            dropAllJobs(into: &effects)
        case .dialed(let address):
            linkOpened(address, into: &effects)
        case .dialFailed(let address), .drafterLost(let address):
            drafterLost(address, at: now, into: &effects)
        case .data(let address, let message):
            do throws(ProtocolFault) {
                try receive(message, from: address, at: now, into: &effects)
            } catch {
                effects.append(
                    .closeDrafter(address: address, Goodbye(code: .protocolError, detail: error.description)))
                drafterLost(address, at: now, into: &effects)
            }
        case .passed(let outcome):
            conclude(outcome, at: now, into: &effects)
        case .hostOpened(let link): hosts[link] = false
        case .hostLost(let link): hostLost(link)
        case .host(let link, let message):
            do throws(ProtocolFault) {
                try receiveAsHelper(message, on: link, into: &effects)
            } catch {
                hostLost(link)
                effects.append(.closeHost(link, Goodbye(code: .protocolError, detail: error.description)))
            }
        case .tick:
            dismissSilent(at: now, into: &effects)
        }
        judgeHeld(at: now, into: &effects)
        judgeBeams(at: now, into: &effects)
        tellForests(at: now, into: &effects)
        hire(at: now, into: &effects)
        lendCores(at: now, into: &effects)
        plan(at: now, into: &effects)
        noteActivity(at: now)
        facts = nil
    }

    // MARK: - Jobs

    private mutating func receive(
        _ message: Message, at now: Instant, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        switch message {
        case .assignJob(let assignment): try assign(assignment, at: now, into: &effects)
        case .cancelJob(let cancel):
            guard let index = index(of: cancel.job, cancel.attempt) else { return }
            end(at: index, .cancelled, into: &effects)
        case .jobPolicy(let change):
            guard let index = index(of: change.job, change.attempt) else { return }
            adopt(change.policy, by: index, into: &effects)
        case .offers(let offers):
            guard let index = index(of: offers.job, offers.attempt) else { return }
            makeRoom(index, for: offers.offers.filter { !isShunned($0, at: now) }, into: &effects)
            bind(index, to: offers.offers, at: now, into: &effects)
        default: throw ProtocolFault("this message is not for a verifier")
        }
    }

    private mutating func assign(
        _ assignment: AssignJob, at now: Instant, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        guard assignment.context.allSatisfy({ Int($0.rawValue) < configuration.vocabularySize }) else {
            throw ProtocolFault("AssignJob holds a token outside the vocabulary of \(configuration.vocabularySize)")
        }
        if let index = index(of: assignment.job, assignment.attempt) {
            try jobs[index].receive(assignment)
            openStreams(index, at: now, into: &effects)
            openHelpers(index, at: now, into: &effects)
            return
        }
        guard assignment.contextOffset == 0 else { return }  // a later part of a job that was refused or has ended
        guard assignment.contextTotal > 0, assignment.context.count <= assignment.contextTotal,
            assignment.lengthMax.rawValue > assignment.contextTotal
        else { throw ProtocolFault("AssignJob of \(assignment.contextTotal) tokens has nothing to decode") }
        // An older attempt of the same job is void: the coordinator is the one writer of attempts.
        if let older = jobs.firstIndex(where: { $0.job == assignment.job && $0.attempt < assignment.attempt }) {
            remove(at: older, into: &effects)
        }
        guard assignment.lengthMax.rawValue <= configuration.contextMax else {
            refuse(assignment, .contextTooLong, into: &effects)
            return
        }
        let fault = beamsFault(assignment.speculation)
        if fault == nil, assignment.speculation.method.usesBeams,
            unreservedBranches < assignment.speculation.beamsMax
        {
            refuse(assignment, .noRoom, into: &effects)
            return
        }
        // Jobs of one's own come before texts held for others.
        if freeSequences.isEmpty, !guests.isEmpty { endGuest(guests.count - 1, .noRoom, into: &effects) }
        guard let sequence = freeSequences.popLast() else {
            refuse(assignment, .noRoom, into: &effects)
            return
        }
        jobs.append(JobVerification(assignment, sequence: sequence))
        if let fault { return end(at: jobs.count - 1, .unsuited, detail: fault, into: &effects) }
        jobs[jobs.count - 1].beginBeams(ends: configuration.endTokens)
        if !configuration.canRewind { jobs[jobs.count - 1].schedule = .autoregressive }
        bind(jobs.count - 1, to: assignment.offers, at: now, into: &effects)
        if assignment.speculation.helpers > 0, jobs[jobs.count - 1].beams == nil {
            jobs[jobs.count - 1].leadMax = leadMax
        }
        bindHelpers(jobs.count - 1, to: assignment.helpers, at: now, into: &effects)
    }

    /// Offers come for a drafter that was lost; those that were offered before and are not ready make room.
    private mutating func makeRoom(_ index: Int, for offers: [Offer], into effects: inout [Effect]) {
        for offer in offers where jobs[index].drafters.count >= jobs[index].speculation.drafters {
            guard !jobs[index].drafters.contains(where: { $0.address == offer.address }),
                let hired = jobs[index].drafters.firstIndex(where: { !$0.isReady })
            else { continue }
            release(jobs[index].drafters.remove(at: hired), .dismissed, into: &effects)
        }
    }

    private func refuse(_ assignment: AssignJob, _ reason: RefuseReason, into effects: inout [Effect]) {
        effects.append(
            .toCoordinator(
                .jobRefused(JobRefused(job: assignment.job, attempt: assignment.attempt, reason: reason))))
    }

    func index(of job: JobID, _ attempt: Attempt) -> Int? {
        jobs.firstIndex { $0.job == job && $0.attempt == attempt }
    }

    /// Ends a job and tells the coordinator why.
    mutating func end(
        at index: Int, _ reason: EndReason, detail: String = "", answers: [BeamAnswer] = [],
        into effects: inout [Effect]
    ) {
        let job = jobs[index]
        let trace = JobTrace(job: job.job, attempt: job.attempt, events: job.trace.events)
        effects.append(.toCoordinator(.jobTrace(trace)))
        if let recording = recording(of: job) { effects.append(.toCoordinator(.jobRecording(recording))) }
        var ended = JobEnded(
            job: job.job, attempt: job.attempt, length: job.length + (answers.first?.tokens.count ?? 0),
            reason: reason, detail: detail, statistics: job.finalStatistics)
        ended.answers = answers
        effects.append(.toCoordinator(.jobEnded(ended)))
        remove(at: index, into: &effects)
    }

    private mutating func remove(at index: Int, into effects: inout [Effect]) {
        facts = nil
        for drafter in jobs[index].drafters { release(drafter, .jobEnded, into: &effects) }
        dismissHelpers(of: jobs[index], into: &effects)
        let job = jobs.remove(at: index)
        releases += job.beams?.cache.branches.map { .release($0) } ?? []
        let sequence = job.cursor.sequence
        releases.append(.release(sequence))
        freeSequences.append(sequence)
    }

    private mutating func dropAllJobs(into effects: inout [Effect]) {
        while !jobs.isEmpty { remove(at: jobs.count - 1, into: &effects) }
    }
}

import NacreCore

/// Who is there, which job runs where, and what of its text stands. The one writer of attempts: a commit counts only
/// if it carries the attempt that this machine last gave out.
///
/// | job state | leaves on | to |
/// |---|---|---|
/// | queued | a verifier is there, the prompt is not tokenised | tokenizing |
/// | queued | a verifier has room | running, attempt + 1 |
/// | tokenizing | Tokenized | queued, or over (prompt refused) |
/// | tokenizing, running | the verifier is lost | queued (running: at most `Limits.attemptsMax` times) |
/// | running | JobRefused; JobEnded for a full cache beside other jobs | queued, not before 0.2 s |
/// | running | JobEnded as unsuited | queued, for other verifiers alone; over when no other is there |
/// | running | stop string, cancel | ending: CancelJob is sent |
/// | running | a commit that ends the text: end of generation, length | ending: JobEnded is on its way |
/// | running, ending | JobEnded | over |
/// | ending | the verifier is lost, or 2 s | over |
package struct CoordinatorMachine: Machine, Sendable {
    package struct Configuration: Sendable {
        package var generation: Generation
        package var heartbeatMilliseconds: UInt32 = 500
        package var leaseMilliseconds: UInt32 = 3_000
        /// Finished jobs that can still be asked about.
        package var finishedJobsMax = 1_024
        /// Jobs whose events are kept: some 100 KB each at most.
        package var tracesMax = 64
        /// Jobs whose recordings are kept, the youngest; one takes at most 1 MB.
        package var recordingsMax = 16
        package var policy = PolicyBook.builtIn
        /// Whether a drafter and a verifier on the same cores take turns; else they compute as if they had their own.
        package var alternates = true
        /// Policies of pairs of models, which can be changed while jobs run; at most `PolicyBook.pairsMax`.
        package var pairPolicies: [(scope: PolicyBook.Scope, entry: PolicyBook.Entry)] = []
        /// What tuning found before this start.
        package var tunings: [KeptTuning.Key: KeptTuning] = [:]

        package init(generation: Generation) { self.generation = generation }
    }

    package enum Input: Sendable {
        case opened(LinkID)
        case received(LinkID, Message)
        case closed(LinkID)
        case submit(JobID, JobSpecification)
        case cancel(JobID)
        /// Takes effect on running jobs too; `nil` takes back what was set.
        case setPolicy(PolicyBook.Scope, PolicyBook.Entry?)
        /// Time has gone on; at least every 100 ms.
        case tick
    }

    package enum Effect: Sendable {
        case send(LinkID, Message)
        /// Sends the goodbye, then closes; `closed` does not follow.
        case close(LinkID, Goodbye)
        /// The job's record has changed.
        case changed(JobID)
        case nodeJoined(NodeRecord)
        case nodeLost(NodeRecord, reason: String)
        /// A trial of a policy is over: what is known now takes the place of what was known under the same key.
        case learnt(KeptTuning)
    }

    let configuration: Configuration
    /// Links whose Hello has not come: since when.
    var strangers: [LinkID: Instant] = [:]
    package internal(set) var nodes: [LinkID: NodeRecord] = [:]
    package internal(set) var vocabularies: [UInt64: Vocabulary] = [:]
    /// Vocabularies of which a part is here, each from one node: parts of two nodes would not fit together.
    var reports: [LinkID: Vocabulary] = [:]
    package internal(set) var jobs: [JobID: JobRecord] = [:]
    /// Jobs whose events are here, oldest first.
    var traced: [JobID] = []
    var recorded: [JobID] = []
    /// What all jobs that are over came to, by target and method.
    package internal(set) var totals: [JobKind: JobTotals] = [:]
    /// Jobs in the order they came.
    package internal(set) var order: [JobID] = []
    /// Running jobs that have fewer drafters than they want.
    var wishes: Set<JobID> = []
    package internal(set) var pairings = PairingTable()
    /// The drafters offered to a job and not known to be lost, in the order of offering; never an empty list.
    var hired: [JobID: [LinkID]] = [:]
    /// Jobs a verifier had no room for: not to be placed before.
    var notBefore: [JobID: Instant] = [:]
    var nextRequest: UInt64 = 1
    /// Draft-length policies of jobs that name none.
    package internal(set) var policies: PolicyBook
    /// What was found of policies that are tuned while jobs run.
    var tunings: [PolicyTuning.Pair: PolicyTuning] = [:]
    /// Verifiers where a job came or went, or got or lost a drafter, since the last step.
    var disturbed: Set<LinkID> = []
    /// Commits and ends that named an attempt which was no longer theirs.
    package internal(set) var staleMessages = 0

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        policies = PolicyBook(initial: configuration.policy)
        for (scope, entry) in configuration.pairPolicies {
            let hasRoom = policies.set(entry, for: scope)
            precondition(hasRoom, "\(configuration.pairPolicies.count) pairs with policies")
        }
    }

    package mutating func step(_ input: Input, at now: Instant, into effects: inout [Effect]) {
        switch input {
        case .opened(let link):
            strangers[link] = now
        case .closed(let link):
            lose(link, reason: "its connection closed", at: now, into: &effects)
        case .received(let link, let message):
            do throws(ProtocolFault) {
                try receive(message, on: link, at: now, into: &effects)
            } catch {
                effects.append(.close(link, Goodbye(code: .protocolError, detail: error.description)))
                lose(link, reason: error.description, at: now, into: &effects)
            }
        case .submit(let id, let specification):
            guard jobs[id] == nil else { break }
            jobs[id] = JobRecord(id: id, specification: specification, submitted: now)
            order.append(id)
            forgetOldJobs()
        case .cancel(let id):
            cancel(id, at: now, into: &effects)
        case .setPolicy(let scope, let entry):
            guard policies.set(entry, for: scope) else { break }
            for pair in tunings.keys { tunings[pair]?.leave() }
            for id in order { refreshPolicy(of: id, into: &effects) }
        case .tick:
            expire(at: now, into: &effects)
            checkTrials(at: now, into: &effects)
        }
        turnAway(at: now, into: &effects)
        place(at: now, into: &effects)
        grantWishes(into: &effects)
        leaveDisturbed(into: &effects)
    }

    /// Jobs that are not over.
    package var openJobs: Int { jobs.values.count { !$0.isOver } }

    // MARK: - Messages

    private mutating func receive(
        _ message: Message, on link: LinkID, at now: Instant, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        guard nodes[link] != nil else {
            guard strangers[link] != nil else { return }  // closed by us; this crossed on the way
            guard case .hello(let hello) = message else {
                throw ProtocolFault("a node's first message must be Hello")
            }
            welcome(hello, on: link, at: now, into: &effects)
            return
        }
        nodes[link]?.lastHeard = now
        switch message {
        case .heartbeat(let heartbeat):
            nodes[link]?.load = heartbeat.load
            effects.append(.send(link, .heartbeatAck(HeartbeatAck(number: heartbeat.number))))
        case .vocabularyChunk(let chunk):
            try receive(chunk, from: link)
        case .tokenized(let tokenized):
            receive(tokenized, from: link, at: now, into: &effects)
        case .commit(let commit):
            try receive(commit, from: link, at: now, into: &effects)
        case .jobTrace(let trace):
            guard isCurrent(trace.job, trace.attempt, on: link) else { return }
            jobs[trace.job]?.trace = trace.events
            traced.append(trace.job)
            if traced.count > configuration.tracesMax { jobs[traced.removeFirst()]?.trace = [] }
        case .jobRecording(let recording):
            guard isCurrent(recording.job, recording.attempt, on: link) else { return }
            // Nobody may fill the coordinator's memory by calling recorded what is not.
            guard jobs[recording.job]?.specification.speculation.isRecorded == true else {
                throw ProtocolFault("JobRecording of a job that is not recorded")
            }
            recorded.removeAll { $0 == recording.job }
            jobs[recording.job]?.recording = recording
            recorded.append(recording.job)
            if recorded.count > configuration.recordingsMax { jobs[recorded.removeFirst()]?.recording = nil }
        case .jobEnded(let ended):
            try receive(ended, from: link, at: now, into: &effects)
        case .jobRefused(let refused):
            guard isCurrent(refused.job, refused.attempt, on: link) else { return }
            hired[refused.job] = nil
            wishes.remove(refused.job)
            if case .ending(_, _, let outcome, since: _) = jobs[refused.job]?.state {
                finish(refused.job, outcome, at: now, into: &effects)
            } else {
                leaveTuning(refused.job)
                jobs[refused.job]?.state = .queued
                jobs[refused.job]?.coreSharers = []
                let others = jobs(on: link)
                if refused.reason == .noRoom { jobs[refused.job]?.noteNoRoom(on: link, jobs: others, at: now) }
                notBefore[refused.job] = now + Instant.milliseconds(200)
            }
        case .hire(let hire):
            guard isCurrent(hire.job, hire.attempt, on: link) else { return }
            note(hire)
        case .goodbye(let goodbye):
            effects.append(.close(link, Goodbye(code: .shuttingDown, detail: "")))
            lose(link, reason: goodbye.detail.isEmpty ? "it said goodbye" : goodbye.detail, at: now, into: &effects)
        default: throw ProtocolFault("this message is not for a coordinator")
        }
    }

    private mutating func welcome(
        _ hello: Hello, on link: LinkID, at now: Instant, into effects: inout [Effect]
    ) {
        strangers[link] = nil
        guard hello.wireMin <= Limits.wireVersion, hello.wireMax >= Limits.wireVersion else {
            let detail =
                "this coordinator speaks wire version \(Limits.wireVersion), the node \(hello.wireMin) to "
                + "\(hello.wireMax): install the same release on both"
            effects.append(.close(link, Goodbye(code: .wireVersion, detail: detail)))
            return
        }
        // A node that starts again under its name takes the place of its former self.
        for former in nodes.values.sorted(by: { $0.link < $1.link }) where former.hello.node == hello.node {
            // The same start of it may dial twice, and the older call come last; then there is no one to refuse.
            let isItself = former.hello.incarnation == hello.incarnation
            let code: GoodbyeCode = isItself ? .shuttingDown : .replaced
            effects.append(.close(former.link, Goodbye(code: code, detail: "\(hello.node) registered again")))
            lose(former.link, reason: "it registered again", at: now, into: &effects)
        }
        let node = NodeRecord(link: link, hello: hello, joined: now, lastHeard: now)
        nodes[link] = node
        effects.append(
            .send(
                link,
                .welcome(
                    Welcome(
                        generation: configuration.generation, wire: Limits.wireVersion,
                        heartbeatMilliseconds: configuration.heartbeatMilliseconds,
                        leaseMilliseconds: configuration.leaseMilliseconds,
                        wantsVocabulary: vocabularies[hello.vocabularyDigest] == nil))))
        effects.append(.nodeJoined(node))
    }

    private mutating func receive(_ chunk: VocabularyChunk, from link: LinkID) throws(ProtocolFault) {
        guard chunk.digest == nodes[link]?.hello.vocabularyDigest else {
            throw ProtocolFault("VocabularyChunk of another vocabulary than Hello's")
        }
        // Two nodes of one vocabulary may both send it; the first to finish is enough.
        guard vocabularies[chunk.digest] == nil else {
            reports[link] = nil
            return
        }
        var report = reports[link] ?? Vocabulary(digest: chunk.digest, total: chunk.total)
        try report.receive(chunk)
        reports[link] = report.isComplete ? nil : report
        if report.isComplete { vocabularies[chunk.digest] = report }
    }

    // MARK: - Losing nodes

    mutating func lose(_ link: LinkID, reason: String, at now: Instant, into effects: inout [Effect]) {
        strangers[link] = nil
        guard let node = nodes.removeValue(forKey: link) else { return }
        reports[link] = nil
        loseDrafter(link)
        effects.append(.nodeLost(node, reason: reason))
        for id in order {
            switch jobs[id]?.state {
            case .tokenizing(link, request: _), .running(link, _):
                retry(id, reason: "its verifier was lost (\(reason))", at: now, into: &effects)
            case .ending(link, _, let outcome, since: _): finish(id, outcome, at: now, into: &effects)
            default: break
            }
        }
    }

    private mutating func expire(at now: Instant, into effects: inout [Effect]) {
        let lease = Instant.milliseconds(Int(configuration.leaseMilliseconds))
        for node in nodes.values.sorted(by: { $0.link < $1.link }) where now - node.lastHeard > lease {
            effects.append(.close(node.link, Goodbye(code: .tooSlow, detail: "no heartbeat within the lease")))
            lose(node.link, reason: "no heartbeat within the lease", at: now, into: &effects)
        }
        for (link, since) in strangers.sorted(by: { $0.key < $1.key }) where now - since > Instant.seconds(5) {
            strangers[link] = nil
            effects.append(.close(link, Goodbye(code: .tooSlow, detail: "no Hello within 5 s")))
        }
        for id in order {
            if case .ending(_, _, let outcome, let since) = jobs[id]?.state, now - since > Instant.seconds(2) {
                finish(id, outcome, at: now, into: &effects)
            }
        }
    }

    private mutating func forgetOldJobs() {
        var surplus = order.count { jobs[$0]?.isOver == true } - configuration.finishedJobsMax
        guard surplus > 0 else { return }
        order.removeAll { id in
            guard surplus > 0, jobs[id]?.isOver == true else { return false }
            surplus -= 1
            jobs[id] = nil
            return true
        }
    }
}

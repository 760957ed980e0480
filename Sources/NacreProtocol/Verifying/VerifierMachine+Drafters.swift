import NacreCore

/// A data link to one drafter, or to another verifier.
struct PeerLinkState: Sendable {
    enum State: Sendable, Equatable { case dialing, greeting, ready }
    var state: State = .dialing
    /// A verifier that scores for this one's jobs.
    var isHelper = false
    /// Digest of a drafter's model; 0 if it does not say.
    var model: UInt64 = 0
    /// What a drafter takes to read one token of a text while nobody else computes, in microseconds; 0 unknown.
    var reading = 0.0

    /// It has read a text on the verifier's cores, of `tokens` with those of other streams.
    mutating func hasRead(tokens: Int, microseconds: Int) {
        let sample = Double(max(0, microseconds)) / Double(max(1, tokens))
        reading = reading == 0 ? sample : reading + 0.25 * (min(sample, 4 * reading) - reading)
    }
}

// Hiring, hearing and losing drafters.
extension VerifierMachine {
    /// Binds the job to offers until it has as many drafters as it wants; without one the coordinator keeps the wish,
    /// and offers a drafter as soon as it has one.
    mutating func bind(_ index: Int, to offers: [Offer], at now: Instant, into effects: inout [Effect]) {
        guard jobs[index].schedule.wantsDrafter else { return }
        jobs[index].hireAt = nil
        for offer in offers where jobs[index].drafters.count < jobs[index].speculation.drafters {
            guard !jobs[index].drafters.contains(where: { $0.address == offer.address }) else { continue }
            guard !isShunned(offer, at: now) else {
                jobs[index].noteLost(offer.incarnation)
                jobs[index].hireAt = now + jobs[index].hireBackoff.next()
                continue
            }
            jobs[index].settleMethod(sharesCores: jobs[index].sharesCores || offer.sharesCores)
            let inbox = DraftInbox(
                epoch: jobs[index].nextEpoch, root: jobs[index].length,
                positionLimit: allowance(of: jobs[index], isReady: false).limit)
            jobs[index].drafters.append(
                HiredDrafter(offer, stream: nextStream, inbox: inbox, now: now))
            nextStream = nextStream.next
            if jobs[index].drafters.count == jobs[index].speculation.drafters { jobs[index].hireAt = nil }
            if links[offer.address] == nil {
                links[offer.address] = PeerLinkState()
                effects.append(.dial(address: offer.address))
            } else {
                openStreams(index, at: now, into: &effects)
            }
        }
    }

    mutating func linkOpened(_ address: String, into effects: inout [Effect]) {
        guard links[address]?.state == .dialing else { return }
        links[address]?.state = .greeting
        effects.append(.toDrafter(address: address, .greeting(greeting(as: .verifier))))
    }

    func greeting(as role: Role) -> Greeting {
        Greeting(
            wireMin: Limits.wireVersion, wireMax: Limits.wireVersion, node: configuration.node, role: role,
            incarnation: configuration.incarnation, vocabularyDigest: configuration.vocabularyDigest,
            modelDigest: configuration.modelDigest)
    }

    /// Sends the job's text so far to every drafter that lacks it, once it is whole and the link is there; what is
    /// committed later follows in verdicts.
    mutating func openStreams(_ index: Int, at now: Instant, into effects: inout [Effect]) {
        guard jobs[index].hasContext else { return }
        weighOpening(index)
        for hired in jobs[index].drafters.indices {
            let drafter = jobs[index].drafters[hired]
            guard !drafter.isOpen, links[drafter.address]?.state == .ready, mayOpen(drafter, of: jobs[index]),
                isWorthOpening(drafter, of: jobs[index])
            else { continue }
            disturb(by: drafter)
            payForReading(drafter, of: jobs[index])
            // The text may have grown while the link was dialled: the stream stands on what is committed now.
            beginPacing(index)
            let job = jobs[index]
            let allowance = allowance(of: job, isReady: false)
            // Beams that have left the prompt are told of in a verdict.
            let isLate = job.beamLength > job.length
            let wanted = opensAtRest(job) ? allowance.limit : max(drafter.inbox.positionLimit, allowance.limit)
            let limit = isLate ? job.length : wanted
            jobs[index].drafters[hired].inbox = DraftInbox(
                epoch: job.nextEpoch, root: job.length, positionLimit: limit,
                isRecorded: job.recorder != nil)
            beginForest(index, of: hired)
            jobs[index].drafters[hired].isOpen = true
            if drafter.sharesCores { jobs[index].drafters[hired].attentionSince = now }
            jobs[index].drafters[hired].unread = unread(at: drafter.address)
            for start in stride(from: 0, to: job.tokens.count, by: Limits.contextChunkTokens) {
                let part = job.tokens[start..<min(start + Limits.contextChunkTokens, job.tokens.count)]
                let open = DraftOpen(
                    stream: drafter.stream, job: job.job, attempt: job.attempt, epoch: job.nextEpoch, key: job.key,
                    sampling: job.sampling, promptLength: job.promptLength, positionLimit: limit,
                    rule: job.speculation.rule, shape: job.speculation.shape, branches: job.speculation.branches,
                    payload: job.speculation.payload, siblings: job.speculation.siblings, merge: job.speculation.merge,
                    policy: job.speculation.policy, isMeasured: job.recorder != nil,
                    ignoresEnds: job.ignoresEnds, nodesMax: allowance.nodes, contextTotal: job.tokens.count,
                    contextOffset: start,
                    context: Array(part))
                effects.append(.toDrafter(address: drafter.address, .draftOpen(open)))
            }
        }
    }

    mutating func receive(
        _ message: Message, from address: String, at now: Instant, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        switch (message, links[address]?.state) {
        case (_, nil), (_, .dialing): return  // the link was given up; this crossed on the way
        case (.greeting(let greeting), .greeting) where links[address]?.isHelper == true:
            guard greeting.role == .verifier, greeting.modelDigest == configuration.modelDigest else {
                throw ProtocolFault("\(address) is not a verifier of the same weights")
            }
            links[address]?.state = .ready
            for index in jobs.indices { openHelpers(index, at: now, into: &effects) }
        case (.scores, .ready), (.scoreClose, .ready):
            try receiveAsHome(message, from: address, at: now)
        case (.greeting(let greeting), .greeting):
            guard greeting.role == .drafter, greeting.vocabularyDigest == configuration.vocabularyDigest else {
                throw ProtocolFault("\(address) is not a drafter of this vocabulary")
            }
            links[address]?.state = .ready
            links[address]?.model = greeting.modelDigest
            for index in jobs.indices {
                for hired in jobs[index].drafters.indices where jobs[index].drafters[hired].address == address {
                    jobs[index].drafters[hired].attentionSince = now
                }
                openStreams(index, at: now, into: &effects)
            }
        case (.goodbye, _):
            drafterLost(address, at: now, into: &effects)
        case (.draftReady(let ready), .ready):
            guard let (index, hired) = place(of: ready.stream, at: address) else { return }
            guard !jobs[index].drafters[hired].isReady else { throw ProtocolFault("DraftReady came twice") }
            disturb(by: jobs[index].drafters[hired])
            let drafter = jobs[index].drafters[hired]
            if drafter.sharesCores, !drafter.isBeside {
                let tokens = max(drafter.unread, unread(at: address))
                links[address]?.hasRead(tokens: tokens, microseconds: now - drafter.attentionSince)
            }
            jobs[index].drafters[hired].isReady = true
            jobs[index].drafters[hired].microsecondsPerToken = Int(ready.microsecondsPerToken)
            jobs[index].drafters[hired].attentionSince = now
            jobs[index].schedule.restart()
            if jobs[index].readyDrafters.count == 1 { join(index) }
        case (.draft(let draft), .ready):
            try receive(draft, from: address, at: now)
        case (.draftRow(let row), .ready):
            try receive(row, from: address, at: now, into: &effects)
        case (.draftClose(let close), .ready):
            guard let (index, hired) = place(of: close.stream, at: address) else { return }
            let pause: Int? =
                switch close.reason {
                case .contextTooLong: nil
                // Another drafter may have what this one lacks; where there is none, asking gets rare.
                case .unsuited: jobs[index].hireBackoff.next()
                default: Instant.seconds(1)
                }
            unbind(hired, of: index, retryAfter: pause, at: now, into: &effects)
        default: throw ProtocolFault("this message is not for a verifier, or not now")
        }
    }

    private mutating func receive(_ draft: Draft, from address: String, at now: Instant) throws(ProtocolFault) {
        guard let (index, hired) = place(of: draft.stream, at: address) else { return }
        let isLossy = jobs[index].speculation.method.isLossy
        if jobs[index].speculation.rule == .block { try checkChain(draft.proposals) }
        if isLossy, !draft.tokens.isEmpty, draft.references.isEmpty {
            throw ProtocolFault("Draft of a beam search without its joint log-probabilities")
        }
        let before = jobs[index].drafters[hired].inbox.drafts.count
        let judgement = try jobs[index].drafters[hired].inbox.receive(
            draft, committed: jobs[index].tokens, vocabularySize: configuration.vocabularySize)
        // No lossy rule has judged those that come late.
        if hired == 0, !isLossy { jobs[index].record(judgement) }
        recordDecisions(index, of: hired)
        if draft.count > 0 {
            jobs[index].trace.note(
                .draft, lane: hired, from: now + -Int(draft.microseconds), to: now, count: draft.count)
        }
        let standing = jobs[index].drafters[hired].inbox.drafts.count
        // Only what can be judged is a sign of work, or that nothing is owed: words must not hold a job up.
        if standing > before || !draft.layers.isEmpty || judgement != DraftInbox.Judgement()
            || !jobs[index].drafters[hired].inbox.owes
        {
            jobs[index].drafters[hired].attentionSince = now
        }
        count(draft, of: index, at: now)
        let drafter = jobs[index].drafters[hired]
        jobs[index].drafters[hired].pace.arrived(
            standing: standing, end: draft.end, computed: Int(draft.microseconds), tokens: draft.count,
            isCatchingUp: drafter.isCatchingUp, at: now)
        guard drafter.isCatchingUp, draft.heard == drafter.inbox.lastEpoch else { return }
        if drafter.delaysOthers { disturb(by: drafter) }
        if !draft.tokens.isEmpty { jobs[index].drafters[hired].isCatchingUp = false }
    }

    /// `BlockRule` has an answer for chains whose rows are all here, and for nothing else.
    private func checkChain(_ proposals: [Draft.Proposal]) throws(ProtocolFault) {
        for proposal in proposals {
            guard case .row = proposal.payload, proposal.draws.count == 1 else {
                throw ProtocolFault("Draft of a block with \(proposal.draws.count) draws below node \(proposal.node)")
            }
        }
    }

    private func place(of stream: StreamID, at address: String) -> (job: Int, drafter: Int)? {
        for index in jobs.indices {
            if let hired = jobs[index].drafters.firstIndex(where: { $0.stream == stream && $0.address == address }) {
                return (index, hired)
            }
        }
        return nil
    }

    /// The job goes on without this drafter. `retryAfter` is the pause before another is asked for, in microseconds;
    /// `nil` asks for none.
    private mutating func unbind(
        _ hired: Int, of index: Int, retryAfter: Int?, at now: Instant, into effects: inout [Effect]
    ) {
        let drafter = jobs[index].drafters.remove(at: hired)
        facts = nil
        if drafter.isReading { disturb(by: drafter) }
        drafter.add(to: &jobs[index].statistics)
        jobs[index].noteLost(drafter.incarnation)
        jobs[index].nextEpoch = max(jobs[index].nextEpoch, drafter.inbox.lastEpoch.next)
        jobs[index].settleMethod(sharesCores: jobs[index].sharesCores)
        jobs[index].schedule.restart()
        if jobs[index].readyDrafters.isEmpty { jobs[index].pace.interrupt() }
        if let retryAfter { jobs[index].hireAt = now + retryAfter }
        if jobs[index].awaitedRow?.stream == drafter.stream { goOnWithoutRow(index, at: now, into: &effects) }
    }

    mutating func drafterLost(_ address: String, at now: Instant, into effects: inout [Effect]) {
        guard links.removeValue(forKey: address) != nil else { return }
        helperLost(address)
        for index in jobs.indices.reversed() {
            guard let hired = jobs[index].drafters.firstIndex(where: { $0.address == address }) else { continue }
            jobs[index].statistics.draftersLost += 1
            unbind(hired, of: index, retryAfter: jobs[index].hireBackoff.next(), at: now, into: &effects)
        }
    }

    func release(_ drafter: HiredDrafter, _ reason: CloseReason, into effects: inout [Effect]) {
        guard drafter.isOpen, links[drafter.address]?.state == .ready else { return }
        effects.append(
            .toDrafter(address: drafter.address, .draftClose(DraftClose(stream: drafter.stream, reason: reason))))
    }

    /// Nothing waits long for a drafter that owes nodes and says nothing: its link is given up, its jobs go on.
    mutating func dismissSilentDrafters(at now: Instant, into effects: inout [Effect]) {
        var silent: [String: String] = [:]
        for (job, drafter) in jobs.flatMap({ job in job.drafters.map { (job, $0) } }) {
            let isReading = !drafter.isReady && drafter.isOpen
            let patience = isReading ? configuration.primingMax : configuration.silenceMax * job.passesInSilence
            // One whose stream waits for the end of a pass owes nothing yet.
            if drafter.sharesCores, !drafter.isOpen, links[drafter.address]?.state == .ready { continue }
            let owes = !drafter.isReady || drafter.inbox.owes || job.awaitedRow?.stream == drafter.stream
            if owes && now - drafter.attentionSince > patience {
                silent[drafter.address] = "silent for more than \(patience / 1_000) ms"
            } else if drafter.inbox.isOverdue {
                silent[drafter.address] = "more than \(DraftInbox.offersMax) verdicts unanswered"
            }
        }
        for (address, detail) in silent.sorted(by: { $0.key < $1.key }) {
            let drafters = jobs.flatMap(\.drafters).filter { $0.address == address }
            if drafters.contains(where: { $0.sharesCores && $0.isOpen }) { shun(address, at: now) }
            effects.append(.closeDrafter(address: address, Goodbye(code: .tooSlow, detail: detail)))
            drafterLost(address, at: now, into: &effects)
        }
    }

    /// Asks the coordinator for drafters where one is wanted and the pause is over.
    mutating func hire(at now: Instant, into effects: inout [Effect]) {
        for index in jobs.indices {
            guard let due = jobs[index].hireAt, due <= now else { continue }
            jobs[index].hireAt = nil
            let lost = jobs[index].takeLost()
            effects.append(
                .toCoordinator(.hire(Hire(job: jobs[index].job, attempt: jobs[index].attempt, lost: lost))))
        }
    }
}

extension JobVerification {
    /// The latest come last, as many as a message holds.
    mutating func noteLost(_ drafter: Incarnation) {
        lostDrafters.removeAll { $0 == drafter }
        lostDrafters = lostDrafters.suffix(Limits.draftersMax - 1) + [drafter]
    }

    mutating func takeLost() -> [Incarnation] {
        defer { lostDrafters = [] }
        return lostDrafters
    }
}

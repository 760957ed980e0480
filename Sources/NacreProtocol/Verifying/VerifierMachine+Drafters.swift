import NacreCore

/// A data link to one drafter.
struct DrafterLink: Sendable {
    enum State: Sendable, Equatable {
        case dialing, greeting, ready
    }
    var state: State = .dialing
}

// Hiring, hearing and losing drafters.
extension VerifierMachine {
    /// Binds the job to the first offer; without one the coordinator is asked again later.
    mutating func bind(_ index: Int, to offers: [Offer], at now: Instant, into effects: inout [Effect]) {
        guard jobs[index].schedule.wantsDrafter else { return }
        guard let offer = offers.first else {
            // The coordinator keeps the wish and offers a drafter as soon as it has one.
            jobs[index].hireAt = nil
            return
        }
        let limit = positionLimit(of: jobs[index])
        jobs[index].drafter = HiredDrafter(
            address: offer.address, stream: nextStream,
            inbox: DraftInbox(epoch: 0, root: jobs[index].length, positionLimit: limit), now: now)
        jobs[index].hireAt = nil
        nextStream = nextStream.next
        switch links[offer.address]?.state {
        case .ready, .dialing, .greeting: openIfReady(index, into: &effects)
        case nil:
            links[offer.address] = DrafterLink()
            effects.append(.dial(address: offer.address))
        }
    }

    mutating func linkOpened(_ address: String, into effects: inout [Effect]) {
        guard links[address]?.state == .dialing else { return }
        links[address]?.state = .greeting
        let greeting = Greeting(
            wireMin: Limits.wireVersion, wireMax: Limits.wireVersion, node: configuration.node, role: .verifier,
            incarnation: configuration.incarnation, vocabularyDigest: configuration.vocabularyDigest)
        effects.append(.toDrafter(address: address, .greeting(greeting)))
    }

    /// Sends the job's text so far, once it is whole and the link is there; what is committed later follows in
    /// verdicts.
    mutating func openIfReady(_ index: Int, into effects: inout [Effect]) {
        let job = jobs[index]
        guard let hired = job.drafter, job.hasContext, links[hired.address]?.state == .ready else { return }
        // The text may have grown while the link was dialled: the stream stands on what is committed now.
        let limit = max(hired.inbox.positionLimit, positionLimit(of: job))
        jobs[index].drafter?.inbox = DraftInbox(epoch: 0, root: job.length, positionLimit: limit)
        jobs[index].drafter?.isOpen = true
        for start in stride(from: 0, to: job.tokens.count, by: Limits.contextChunkTokens) {
            let part = job.tokens[start..<min(start + Limits.contextChunkTokens, job.tokens.count)]
            effects.append(
                .toDrafter(
                    address: hired.address,
                    .draftOpen(
                        DraftOpen(
                            stream: hired.stream, job: job.job, attempt: job.attempt, epoch: 0, key: job.key,
                            sampling: job.sampling, promptLength: job.promptLength, positionLimit: limit,
                            contextTotal: job.tokens.count, contextOffset: start, context: Array(part)))))
        }
    }

    mutating func receive(
        _ message: Message, from address: String, at now: Instant, into effects: inout [Effect]
    ) throws(ProtocolFault) {
        switch (message, links[address]?.state) {
        case (_, nil), (_, .dialing): return  // the link was given up; this crossed on the way
        case (.greeting(let greeting), .greeting):
            guard greeting.role == .drafter, greeting.vocabularyDigest == configuration.vocabularyDigest else {
                throw ProtocolFault("\(address) is not a drafter of this vocabulary")
            }
            links[address]?.state = .ready
            for index in jobs.indices where jobs[index].drafter?.address == address {
                jobs[index].drafter?.attentionSince = now
                openIfReady(index, into: &effects)
            }
        case (.goodbye, _):
            drafterLost(address, at: now, into: &effects)
        case (.draftReady(let ready), .ready):
            guard let index = index(of: ready.stream, at: address) else { return }
            guard jobs[index].drafter?.isReady == false else { throw ProtocolFault("DraftReady came twice") }
            jobs[index].drafter?.isReady = true
            jobs[index].drafter?.microsecondsPerToken = Int(ready.microsecondsPerToken)
            jobs[index].drafter?.attentionSince = now
            jobs[index].schedule.restart()
        case (.draft(let draft), .ready):
            guard let index = index(of: draft.stream, at: address) else { return }
            let (text, before) = (jobs[index].tokens, jobs[index].view.unjudged)
            guard
                let judgement = try jobs[index].drafter?.inbox.receive(
                    draft, committed: text, vocabularySize: configuration.vocabularySize)
            else { return }
            jobs[index].record(judgement)
            let standing = jobs[index].view.unjudged
            // Only what can be judged is a sign of work: a drafter must not hold a job up with words.
            if standing > before || judgement != DraftInbox.Judgement() { jobs[index].drafter?.attentionSince = now }
            jobs[index].drafter?.pace.arrived(standing: standing, end: draft.end, at: now)
        case (.draftClose(let close), .ready):
            guard let index = index(of: close.stream, at: address) else { return }
            unbind(index, retryAfter: close.reason == .contextTooLong ? nil : Instant.seconds(1), at: now)
        default: throw ProtocolFault("this message is not for a verifier, or not now")
        }
    }

    private func index(of stream: StreamID, at address: String) -> Int? {
        jobs.firstIndex { $0.drafter?.stream == stream && $0.drafter?.address == address }
    }

    /// The job goes on without its drafter. `retryAfter` is the pause before another is asked for, in microseconds;
    /// `nil` asks for none.
    private mutating func unbind(_ index: Int, retryAfter: Int?, at now: Instant) {
        guard let drafter = jobs[index].drafter else { return }
        jobs[index].statistics.drafted += UInt64(drafter.inbox.received)
        jobs[index].drafter = nil
        jobs[index].schedule.restart()
        jobs[index].hireAt = retryAfter.map { now + $0 }
    }

    mutating func drafterLost(_ address: String, at now: Instant, into effects: inout [Effect]) {
        guard links.removeValue(forKey: address) != nil else { return }
        for index in jobs.indices where jobs[index].drafter?.address == address {
            jobs[index].statistics.draftersLost += 1
            unbind(index, retryAfter: jobs[index].hireBackoff.next(), at: now)
        }
    }

    func release(_ drafter: HiredDrafter?, _ reason: CloseReason, into effects: inout [Effect]) {
        guard let drafter, drafter.isOpen, links[drafter.address]?.state == .ready else { return }
        effects.append(
            .toDrafter(address: drafter.address, .draftClose(DraftClose(stream: drafter.stream, reason: reason))))
    }

    /// Nothing waits long for a drafter that owes nodes and says nothing: its link is given up, its jobs go on.
    mutating func dismissSilentDrafters(at now: Instant, into effects: inout [Effect]) {
        var silent: Set<String> = []
        for job in jobs {
            guard let drafter = job.drafter else { continue }
            let patience = drafter.isReady || !drafter.isOpen ? configuration.silenceMax : configuration.primingMax
            let owes = !drafter.isReady || drafter.inbox.owes
            if owes && now - drafter.attentionSince > patience || drafter.inbox.isOverdue {
                silent.insert(drafter.address)
            }
        }
        for address in silent.sorted() {
            effects.append(
                .closeDrafter(
                    address: address,
                    Goodbye(code: .tooSlow, detail: "silent for more than \(configuration.silenceMax / 1_000) ms")))
            drafterLost(address, at: now, into: &effects)
        }
    }

    /// Asks the coordinator for drafters where one is wanted and the pause is over.
    mutating func hire(at now: Instant, into effects: inout [Effect]) {
        for index in jobs.indices {
            guard let due = jobs[index].hireAt, due <= now else { continue }
            jobs[index].hireAt = nil
            effects.append(.toCoordinator(.hire(Hire(job: jobs[index].job, attempt: jobs[index].attempt))))
        }
    }
}

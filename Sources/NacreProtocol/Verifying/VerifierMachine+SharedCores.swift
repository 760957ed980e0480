import NacreCore

/// What else computes on the cores of a shard: the other shards of its verifier, and drafters for those.
struct NeighbouringWork: Sendable, Equatable {
    var passes = false
    var drafts = false
    /// Drafters that are to be told something once no pass runs.
    var claims = false
}

// Strict alternation with drafters that compute on this verifier's cores: threads of two engines that want the same
// cores wait for each other by spinning, which makes both several times slower than taking turns (ENGINE 4).
//
// | the cores are | from | until |
// |---|---|---|
// | the verifier's | a pass starts | it is over |
// | claimed for such a drafter | its verdict is due, or its stream may open, and a pass runs | it is told |
// | lent to such a drafter | its stream opens or a verdict goes out, never during a pass | it owes nothing (`owes`) |
//
// No pass starts while they are claimed or lent, for whichever job of whichever shard; so jobs with such a drafter fall
// into step, and shards that start their passes one after the other leave it a turn. Its streams open
// once their job has its first token, which therefore does not wait for it to read the text. Such jobs take turns:
// methods `pearl` and `stream` go as `speculative`, with the lengths of the policy.
//
// What is left: a drafter that is given up, or whose stream is closed, may be in the middle of one last pass; one that
// reads a text for longer than the target would, and a second more, is no longer waited for until its next verdict.
extension VerifierMachine {
    /// Whether a pass must wait for a drafter on these cores.
    func areCoresLent(at now: Instant) -> Bool {
        neighbours.drafts || neighbours.claims || lendsCores(at: now) || claimsCores
    }

    /// Whether such a drafter is at work for a job of this shard.
    func lendsCores(at now: Instant) -> Bool {
        jobs.contains { job in job.drafters.contains { lends(to: $0, of: job, at: now) } }
    }

    /// Whether such a drafter of this shard is to be told something once no pass runs.
    var claimsCores: Bool {
        jobs.contains { job in
            job.drafters.contains { drafter in
                guard drafter.sharesCores, links[drafter.address]?.state == .ready else { return false }
                guard !drafter.isOpen else { return drafter.isVerdictDue }
                return job.hasContext && isPastFirstToken(job) && isWorthOpening(drafter, of: job)
            }
        }
    }

    /// Whether the drafter's next work must wait for the passes on its cores.
    func isKeptWaiting(_ drafter: HiredDrafter) -> Bool {
        drafter.sharesCores && (pass != nil || neighbours.passes)
    }

    /// Whether its stream may open.
    func mayOpen(_ drafter: HiredDrafter, of job: JobVerification) -> Bool {
        guard drafter.sharesCores else { return true }
        return !isKeptWaiting(drafter) && isPastFirstToken(job)
    }

    private func isPastFirstToken(_ job: JobVerification) -> Bool {
        !job.isPrefilling && job.beamLength.rawValue > job.contextTotal
    }

    func lends(to drafter: HiredDrafter, of job: JobVerification, at now: Instant) -> Bool {
        guard drafter.sharesCores, drafter.isOpen, !drafter.isBeside, links[drafter.address]?.state == .ready else {
            return false
        }
        // One that drafts and falls silent is lost: `dismissSilentDrafters`.
        return drafter.isReady ? drafter.inbox.owes : now - drafter.attentionSince <= readingMax(of: job)
    }

    /// So long may such a drafter read a job's text while nobody computes: as long as the target does, and somewhat.
    private func readingMax(of job: JobVerification) -> Int {
        let passes = (job.tokens.count + configuration.nodesMax - 1) / configuration.nodesMax
        let pass = configuration.cost.microseconds(nodes: min(configuration.nodesMax, job.tokens.count))
        return configuration.silenceMax + min(configuration.primingMax, passes * Int(pass))
    }

    /// Notes who is no longer waited for.
    mutating func stopWaiting(at now: Instant) {
        for index in jobs.indices {
            for hired in jobs[index].drafters.indices {
                let drafter = jobs[index].drafters[hired]
                guard drafter.sharesCores, drafter.isOpen, !drafter.isReady,
                    now - drafter.attentionSince > readingMax(of: jobs[index])
                else { continue }
                jobs[index].drafters[hired].isBeside = true
            }
        }
    }

    /// Whether the offer is of a drafter that was silent on these cores, too short a while ago.
    func isShunned(_ offer: Offer, at now: Instant) -> Bool {
        guard offer.sharesCores, let pause = shunned[offer.address] else { return false }
        return now < pause.until
    }

    /// All jobs waited for its silence: it is not hired again for longer and longer, whatever the job.
    mutating func shun(_ address: String, at now: Instant) {
        shunned = shunned.filter { now - $0.value.until < Self.shunMemory }
        var backoff = shunned[address]?.backoff ?? Backoff(initial: Instant.seconds(10), limit: Instant.seconds(320))
        let until = now + backoff.next()
        shunned[address] = (until, backoff)
    }

    /// One that is silent no more for so long begins anew, in microseconds.
    private static let shunMemory = Instant.seconds(900)

    /// Gives drafters what had to wait for the end of a pass.
    mutating func lendCores(at now: Instant, into effects: inout [Effect]) {
        guard pass == nil, !neighbours.passes else { return }
        for index in jobs.indices where jobs[index].sharesCores {
            openStreams(index, at: now, into: &effects)
            if jobs[index].drafters.contains(where: \.isVerdictDue) { tellDrafters(index, at: now, into: &effects) }
        }
    }
}

extension JobVerification {
    /// Whether a drafter of it computes on the verifier's cores.
    var sharesCores: Bool { drafters.contains(where: \.sharesCores) }

    /// Takes turns while a drafter shares the verifier's cores; else goes as it was asked to.
    mutating func settleMethod(sharesCores: Bool) {
        // Methods of another output take turns anyway, and have rules of their own.
        let isBound = askedMethod == .autoregressive || !askedMethod.keepsText
        let method = sharesCores && !isBound ? .speculative : askedMethod
        guard method != speculation.method else { return }
        speculation.method = method
        schedule = Schedule(speculation)
    }
}

// For those who check that no drafter computes during a pass.
extension VerifierMachine {
    package var isComputing: Bool { pass != nil }

    /// Whether a drafter on its cores has this stream on the link, open and not given up.
    package func holds(_ stream: StreamID, at address: String) -> Bool {
        jobs.contains { job in
            job.drafters.contains { $0.stream == stream && $0.address == address && $0.sharesCores && $0.isOpen }
        }
    }
}

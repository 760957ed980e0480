import NacreCore

/// What else computes on the cores of a shard: the other shards of its verifier, and drafters for those.
struct NeighbouringWork: Sendable, Equatable {
    var passes = false
    var drafts = false
}

// Strict alternation with drafters that compute on this verifier's cores: threads of two engines that want the same
// cores wait for each other by spinning, which makes both several times slower than taking turns (ENGINE 4).
//
// | the cores are | from | until |
// |---|---|---|
// | the verifier's | a pass starts | it is over |
// | lent to such a drafter | its stream opens or a verdict goes out, never during a pass | it owes nothing (`owes`) |
//
// No pass starts while they are lent, for whichever job; so jobs with such a drafter fall into step. Its streams open
// once their job has its first token, which therefore does not wait for it to read the text. Such jobs take turns:
// methods `pearl` and `stream` go as `speculative`, with the lengths of the policy.
//
// What is left: a drafter that is given up, or whose stream is closed, may be in the middle of one last pass; one that
// reads a text for longer than the target would, and a second more, is no longer waited for until its next verdict.
extension VerifierMachine {
    /// Whether a pass must wait for a drafter on these cores.
    func areCoresLent(at now: Instant) -> Bool { neighbours.drafts || lendsCores(at: now) }

    /// Whether such a drafter is at work for a job of this shard.
    func lendsCores(at now: Instant) -> Bool {
        jobs.contains { job in job.drafters.contains { lends(to: $0, of: job, at: now) } }
    }

    /// Whether the drafter's next work must wait for the passes on its cores.
    func isKeptWaiting(_ drafter: HiredDrafter) -> Bool {
        drafter.sharesCores && (pass != nil || neighbours.passes)
    }

    /// Whether its stream may open.
    func mayOpen(_ drafter: HiredDrafter, of job: JobVerification) -> Bool {
        guard drafter.sharesCores else { return true }
        return !isKeptWaiting(drafter) && !job.isPrefilling && job.length.rawValue > job.contextTotal
    }

    func lends(to drafter: HiredDrafter, of job: JobVerification, at now: Instant) -> Bool {
        guard drafter.sharesCores, drafter.isOpen, !drafter.isBeside, links[drafter.address]?.state == .ready else {
            return false
        }
        // One that drafts and falls silent is lost after `silenceMax`.
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
        // The lossy method takes turns anyway, and has a rule of its own.
        let isBound = askedMethod == .autoregressive || askedMethod.isLossy
        let method = sharesCores && !isBound ? .speculative : askedMethod
        guard method != speculation.method else { return }
        speculation.method = method
        schedule = Schedule(speculation)
    }
}

// For those who check that no drafter computes during a pass.
extension VerifierMachine {
    package var isComputing: Bool { pass != nil }

    /// Whether its passes wait for the drafter's stream on this link now.
    package func waits(for stream: StreamID, at address: String, now: Instant) -> Bool {
        jobs.contains { job in
            job.drafters.contains {
                $0.stream == stream && $0.address == address && lends(to: $0, of: job, at: now)
            }
        }
    }
}

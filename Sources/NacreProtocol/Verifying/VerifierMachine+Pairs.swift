import NacreCore

/// What each round that ends in a step asks of all jobs; found once for all of them.
struct StepFacts: Sendable {
    /// Jobs that decode.
    var decoding: Int
    /// By pair, the jobs that draft if it does.
    var members: [PairKey: [DraftingPair.Leader]] = [:]
}

// Which jobs have drafts alike, and what keeps their rounds from telling anything.
extension VerifierMachine {
    /// The pair that the job's drafts belong to.
    func pairKey(of job: JobVerification) -> PairKey {
        var (model, sharesCores): (UInt64?, Bool) = (nil, false)
        for drafter in job.drafters where drafter.isReady {
            if model == nil { model = links[drafter.address]?.model ?? 0 }
            sharesCores = sharesCores || drafter.sharesCores
        }
        return PairKey(draftModel: model, sharesCores: sharesCores, job.speculation, job.sampling)
    }

    /// The pair; those with jobs are never forgotten for a new one.
    mutating func withPair<Result>(
        _ key: PairKey, at now: Instant, _ body: (inout DraftingPair) -> Result
    ) -> Result {
        if pairs.lacksRoom(for: key) { pairs.makeRoom(keeping: Set(jobs.map { pairKey(of: $0) })) }
        return pairs.withPair(key, at: now, body)
    }

    /// Jobs that decode.
    var decoding: Int { facts?.decoding ?? jobs.count { $0.hasContext && !$0.isPrefilling } }

    /// Other jobs of the pair that draft if the pair does.
    mutating func peers(of index: Int, _ key: PairKey) -> [DraftingPair.Leader] {
        let own = DraftingPair.Leader(job: jobs[index].job, attempt: jobs[index].attempt)
        return findFacts().members[key, default: []].filter { $0 != own }
    }

    private mutating func findFacts() -> StepFacts {
        if let facts { return facts }
        var found = StepFacts(decoding: decoding)
        // Whether drafts pay is asked with the number of those that decode.
        facts = found
        for job in jobs where job.hasContext && !job.isPrefilling && !job.pace.restsAlone {
            guard job.drafters.contains(where: \.isReady), !restsByModel(job) else { continue }
            found.members[pairKey(of: job), default: []].append(
                DraftingPair.Leader(job: job.job, attempt: job.attempt))
        }
        facts = found
        return found
    }

    /// Whether a job that rests has drafts compared with what is committed without them, so that their acceptance
    /// stays known: one of each pair, and those that rest by themselves.
    func peeks(_ job: JobVerification) -> Bool {
        guard !job.pace.isOff else { return false }
        guard job.pace.rests, !job.pace.restsAlone else { return true }
        let key = pairKey(of: job)
        return jobs.first { $0.pace.rests && !$0.pace.restsAlone && pairKey(of: $0) == key }?.job == job.job
    }


    /// Jobs that decode or soon will.
    var expected: Int { jobs.count(where: \.hasContext) }

    // MARK: - What disturbs measurements

    /// The drafter begins to read a text, or is done: a round with that in it tells nothing of its pair, nor of any
    /// other if that took the verifier's cores.
    mutating func disturb(by drafter: HiredDrafter) {
        pairs.disturb(drafter.sharesCores ? nil : links[drafter.address]?.model)
    }

    /// Whether a drafter of the pair, or one on the verifier's cores, reads now.
    func isReadingBesides(_ key: PairKey) -> Bool {
        jobs.contains { job in
            job.drafters.contains { drafter in
                drafter.isReading && (drafter.sharesCores || links[drafter.address]?.model == key.draftModel)
            }
        }
    }
}

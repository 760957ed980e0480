import NacreCore

// What drafters are told, and when.
extension VerifierMachine {
    /// Compares the job's drafts with the tokens just committed.
    ///
    /// - Parameter kept: what became of the drafts of the pass, where the method's rule is another than that: a draft
    ///   may be equal to what was committed in its place and not have been kept.
    mutating func judgeDrafts(_ index: Int, _ tokens: [TokenID], kept: DraftInbox.Judgement? = nil) {
        for hired in jobs[index].drafters.indices where jobs[index].drafters[hired].isOpen {
            let judgement = jobs[index].drafters[hired].inbox.commit(tokens)
            recordDecisions(index, of: hired)
            jobs[index].drafters[hired].untold += tokens.count
            jobs[index].drafters[hired].roundsUntold += 1
            guard jobs[index].drafters[hired].isReady else { continue }
            if hired == 0 { jobs[index].record(kept ?? judgement) }
            jobs[index].statistics.outcomes += 1
            if jobs[index].drafters[hired].inbox.isAbreast { jobs[index].statistics.outcomesPrepared += 1 }
        }
    }

    /// Tells the job's drafters what was committed since the last verdict, unless drafts rest.
    mutating func tellDrafters(_ index: Int, at now: Instant, into effects: inout [Effect]) {
        guard jobs[index].beams == nil else { return tellForest(index, at: now, into: &effects) }
        let rests = rests(jobs[index])
        for hired in jobs[index].drafters.indices {
            let drafter = jobs[index].drafters[hired]
            guard drafter.isOpen, drafter.untold > 0 else { continue }
            if rests, drafter.isReady, isQuiet(drafter, of: jobs[index]) {
                jobs[index].drafters[hired].isVerdictDue = false
                continue
            }
            if isKeptWaiting(drafter) {
                jobs[index].drafters[hired].isVerdictDue = true
                continue
            }
            jobs[index].drafters[hired].isVerdictDue = false
            jobs[index].drafters[hired].isBeside = false
            if let policy = drafter.policyDue {
                jobs[index].drafters[hired].policyDue = nil
                let change = StreamPolicy(stream: drafter.stream, policy: policy)
                effects.append(.toDrafter(address: drafter.address, .streamPolicy(change)))
            }
            jobs[index].pace.told(resting: rests)
            if drafter.isReady, !jobs[index].pace.restsAlone {
                pairs.told(pairKey(of: jobs[index]), jobs[index].pace.toldResting)
            }
            let wasOwed = drafter.inbox.owes
            let (allowance, length) = (allowance(of: jobs[index], isReady: drafter.isReady), jobs[index].length)
            let nextEpoch = jobs[index].drafters[hired].inbox.offer(committed: length, positionLimit: allowance.limit)
            if drafter.isReady, drafter.roundsUntold > 1 {
                jobs[index].drafters[hired].isCatchingUp = true
                jobs[index].drafters[hired].delaysOthers = drafter.sharesCores || !rests
                if drafter.sharesCores || !rests { disturb(by: drafter) }
            }
            jobs[index].drafters[hired].untold = 0
            jobs[index].drafters[hired].roundsUntold = 0
            // Silence counts from when there was something to say.
            if !wasOwed { jobs[index].drafters[hired].attentionSince = now }
            jobs[index].drafters[hired].pace.told(standing: drafter.inbox.drafts.count, at: now)
            let verdict = Verdict(
                stream: drafter.stream, nextEpoch: nextEpoch, tokens: Array(jobs[index].tokens.suffix(drafter.untold)),
                committed: length, positionLimit: allowance.limit, nodesMax: allowance.nodes)
            effects.append(.toDrafter(address: drafter.address, .verdict(verdict)))
        }
    }

    /// Whether a drafter at rest is not told yet. On the verifier's cores it is told more rarely, and only if it is to
    /// draft: every pass waits while it reads.
    private func isQuiet(_ drafter: HiredDrafter, of job: JobVerification) -> Bool {
        guard drafter.untold < Limits.windowPositionsMax / 2 else { return false }
        guard drafter.sharesCores else { return drafter.roundsUntold < job.pace.quietRounds }
        return !peeks(job) || drafter.roundsUntold < job.pace.quietRounds * 4
    }

    /// Whether the job is better off without drafts for now. They go on being probed: every verdict
    /// and every draft costs the verifier's cores time that a pass then lacks, so few are exchanged.
    private func rests(_ job: JobVerification) -> Bool { job.pace.rests || restsByModel(job) }

    /// Whether no draft of a free-running job is likely enough to be worth its place in a pass. Whoever has a policy of
    /// his own is governed by what is measured alone: two that rest would disturb each other's measurements.
    func restsByModel(_ job: JobVerification) -> Bool {
        guard case .stream = job.schedule, !job.speculation.isPaced, !job.readyDrafters.isEmpty else { return false }
        return !window(of: job).pays
    }

    private func window(of job: JobVerification) -> DraftWindow {
        DraftWindow(alpha: job.acceptance.alpha, cost: configuration.cost, others: max(0, decoding - 1))
    }

    /// What a job's drafters may draft.
    struct Allowance {
        /// Positions below this.
        var limit: Position
        /// Drafts behind the committed text, those prepared for other outcomes not counted.
        var nodes: Int
    }

    /// What the job's schedule and shape ask for, within the job's budget.
    ///
    /// - Parameter isReady: of the drafter; one that is not may always draft: it has to draw once to become so.
    func allowance(of job: JobVerification, isReady: Bool) -> Allowance {
        let window = window(of: job)
        let rests = job.pace.isOff || job.pace.rests && isReady
        let ahead =
            if !isReady, job.pace.isOff || opensAtRest(job) {
                1
            } else if rests {
                peeks(job) ? job.sharesCores ? 1 : DraftWindow.probe : 0
            } else {
                job.schedule.positionsAhead(window: size(of: window, for: job))
            }
        let nodes =
            switch job.speculation.shape {
            case _ where rests: ahead
            case .chain, .beams, .forest: ahead
            case .fixed(let shape): shape.nodes
            case .best(let nodes, _): nodes > 0 ? nodes : treeSize(for: job, window)
            }
        // Prepared outcomes go on behind the end of the chain.
        let reach = job.speculation.branches > 0 && ahead > 0 ? ahead + Self.branchDepth : ahead
        return Allowance(limit: min(job.length + reach, job.lengthMax), nodes: max(1, nodes))
    }

    /// Drafts prepared behind the last position of a chain.
    private static let branchDepth = 4

    private func size(of window: DraftWindow, for job: JobVerification) -> Int {
        // Until the drafter has said how fast it is, a guess that keeps it from running far ahead for nothing.
        let guess = configuration.cost.microseconds(nodes: 1) / 8
        let measured = job.drafters.first?.draftMicroseconds ?? 0
        return window.size(
            roundTripMicroseconds: Double(configuration.roundTrip), draftMicroseconds: measured > 0 ? measured : guess)
    }

    /// Drafts of a tree that grows by itself: what the best tree of a pass has, and as many again that are drafted
    /// while it is judged; few where drafts do not pay.
    private func treeSize(for job: JobVerification, _ window: DraftWindow) -> Int {
        guard window.pays else { return DraftWindow.probe }
        let budget = TreeBudget(
            acceptance: job.siblings.estimates, cost: configuration.cost, nodesMax: configuration.nodesMax)
        return min(2 * max(budget.drafts, DraftWindow.probe), Self.treeSizeMax)
    }

    private static let treeSizeMax = 64
}

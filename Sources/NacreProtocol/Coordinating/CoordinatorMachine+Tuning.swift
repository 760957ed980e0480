import NacreCore

/// The policies of a pair of models, tuned while its jobs run (`OnlineTuner`).
struct PolicyTuning: Sendable {
    /// Methods have best policies of their own.
    struct Pair: Sendable, Hashable {
        let target: String
        /// All of them.
        let draft: String
        let method: String

        init(_ job: JobRecord) {
            target = job.modelName
            draft = job.hiredModels.sorted().joined(separator: "+")
            method = job.specification.speculation.method.name
        }
    }

    /// From the default on: few, for each costs trials, and of different kinds.
    static let policies = [PolicySpecification.Name.goodput, .heuristic, .ema, .svip, .adaedl, .thompson]
        .map { PolicySpecification($0) }

    var tuner: OnlineTuner
    /// The job in which policies are tried.
    private(set) var watched: JobID?
    /// Its last commit, and tokens of all jobs of its verifier that were not counted then.
    private var last = Instant(rawValue: 0)
    private var pending = 0

    init(_ kept: KeptTuning? = nil) { tuner = kept?.tuner ?? OnlineTuner(arms: Self.policies.count) }

    /// The policy of a job of the pair.
    func policy(of job: JobID) -> PolicySpecification {
        Self.policies[job == watched ? tuner.current : tuner.incumbent]
    }

    /// Takes in a commit of another job of the verifier: what it loses to a trial is a loss too.
    mutating func add(_ tokens: Int) { pending += tokens }

    /// Takes in a commit of a job of the pair.
    mutating func record(_ tokens: Int, of job: JobID, at now: Instant) {
        guard let watched else {
            (watched, last, pending) = (job, now, 0)
            return
        }
        guard watched == job else { return }
        pending += tokens
        let seconds = Self.seconds(from: last, to: now)
        guard seconds > 0 else { return }
        tuner.record(tokens: Double(pending), seconds: seconds)
        (last, pending) = (now, 0)
    }

    /// Breaks off a trial that has used up what it may lose.
    mutating func check(at now: Instant) {
        let seconds = Self.seconds(from: last, to: now)
        guard watched != nil, tuner.mustStop(after: seconds, tokens: Double(pending)) else { return }
        tuner.stop(after: seconds, tokens: Double(pending))
        (last, pending) = (now, 0)
    }

    /// Another job is to be watched from now on.
    mutating func leave() {
        tuner.leave()
        watched = nil
    }

    private static func seconds(from start: Instant, to end: Instant) -> Double { Double(end - start) / 1_000_000 }
}

// Policies that are tuned while jobs run.
extension CoordinatorMachine {
    /// `entry` with the policy that is in force for the job.
    func tuned(_ entry: PolicyBook.Entry, for job: JobRecord) -> PolicyBook.Entry {
        guard entry.isAuto else { return entry }
        let pair = PolicyTuning.Pair(job)
        let tuning = tunings[pair] ?? PolicyTuning(configuration.tunings[keptKey(of: pair, for: job)])
        var entry = entry
        entry.policy = tuning.policy(of: job.id)
        return entry
    }

    /// Takes in a commit of a running job.
    mutating func tune(_ id: JobID, tokens: Int, at now: Instant, into effects: inout [Effect]) {
        guard let job = jobs[id], case .running(let link, _) = job.state else { return }
        for (pair, tuning) in tunings {
            guard let watched = tuning.watched, watched != id, jobs[watched]?.verifier == link else { continue }
            tunings[pair]?.add(tokens)
        }
        guard job.policy.isAuto, job.canBeTuned else { return }
        let pair = PolicyTuning.Pair(job)
        if tunings[pair] == nil {
            guard tunings.count < PolicyBook.pairsMax else { return }
            tunings[pair] = PolicyTuning(configuration.tunings[keptKey(of: pair, for: job)])
        }
        change(pair, into: &effects) { $0.record(tokens, of: id, at: now) }
    }

    mutating func checkTrials(at now: Instant, into effects: inout [Effect]) {
        let trials = tunings.filter { $0.value.tuner.trial != nil }.keys
        // The order of a dictionary must not decide who is told first.
        for pair in trials.sorted(by: { ($0.target, $0.draft, $0.method) < ($1.target, $1.draft, $1.method) }) {
            change(pair, into: &effects) { $0.check(at: now) }
        }
    }

    /// What happens on these verifiers is no longer to be held against what did: neither a trial's fault nor its
    /// merit, and the models of a job's drafters may be others now. Only what a trial has cost is kept.
    mutating func leaveDisturbed(into effects: inout [Effect]) {
        guard !disturbed.isEmpty else { return }
        let affected = tunings.values.compactMap(\.watched).filter {
            jobs[$0]?.verifier.map(disturbed.contains) ?? true
        }
        disturbed = []
        for id in order where affected.contains(id) {
            for (pair, tuning) in tunings where tuning.watched == id { tunings[pair]?.leave() }
            refreshPolicy(of: id, into: &effects)
        }
    }

    /// The job is no longer where it was.
    mutating func leaveTuning(_ id: JobID) {
        if let verifier = jobs[id]?.verifier { disturbed.insert(verifier) }
        for (pair, tuning) in tunings where tuning.watched == id { tunings[pair]?.leave() }
    }

    private mutating func change(
        _ pair: PolicyTuning.Pair, into effects: inout [Effect], _ body: (inout PolicyTuning) -> Void
    ) {
        guard let before = tunings[pair]?.tuner, var after = tunings[pair] else { return }
        body(&after)
        tunings[pair] = after
        // Nothing else changes what is known of policies than the end of a trial.
        if after.tuner.arms != before.arms, let watched = after.watched.flatMap({ jobs[$0] }) {
            effects.append(.learnt(KeptTuning(keptKey(of: pair, for: watched), after.tuner)))
        }
        if after.tuner.incumbent != before.incumbent {
            for id in order { refreshPolicy(of: id, into: &effects) }
        } else if let watched = after.watched, after.tuner.current != before.current {
            refreshPolicy(of: watched, into: &effects)
        }
    }
}

extension JobRecord {
    /// Whether every policy that is tried decides something about it, and may.
    var canBeTuned: Bool {
        let speculation = specification.speculation
        return speculation.method != .autoregressive && speculation.gamma == 0 && speculation.shape == .chain
            && speculation.branches == 0 && !speculation.draws(under: specification.sampling)
    }
}

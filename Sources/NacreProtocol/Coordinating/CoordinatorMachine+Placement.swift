import NacreCore

// Which node gets what.
extension CoordinatorMachine {
    /// Gives queued jobs, oldest first, what they need next: tokens, then a verifier.
    mutating func place(at now: Instant, into effects: inout [Effect]) {
        for id in order where jobs[id]?.state == .queued {
            guard let job = jobs[id], notBefore[id] ?? now <= now else { continue }
            notBefore[id] = nil
            if job.promptTokens.isEmpty {
                tokenize(job, into: &effects)
            } else if let verifier = verifier(for: job, at: now) {
                assign(job, to: verifier, into: &effects)
            } else if isUnsuited(job) {
                finish(id, .failed(job.misfit), at: now, into: &effects)
            } else if let context = verifiers(of: job.modelDigest).map(\.hello.capacity.context).max(),
                context <= job.length.rawValue
            {
                let reason =
                    "its text has \(job.length) tokens and no verifier's context holds more than \(context): "
                    + "start one with a larger --context"
                finish(id, .failed(reason), at: now, into: &effects)
            }
        }
    }

    private mutating func tokenize(_ job: JobRecord, into effects: inout [Effect]) {
        guard let verifier = usableVerifiers.first else { return }
        let request = nextRequest
        nextRequest += 1
        jobs[job.id]?.state = .tokenizing(verifier.link, request: request)
        effects.append(
            .send(verifier.link, .tokenize(Tokenize(request: request, text: job.specification.prompt))))
    }

    /// Verifiers whose vocabulary is here, in the order they joined.
    var usableVerifiers: [NodeRecord] {
        nodes.values.filter { $0.isVerifier && vocabularies[$0.hello.vocabularyDigest] != nil }
            .sorted { $0.link < $1.link }
    }

    /// Verifiers of one target.
    func verifiers(of modelDigest: UInt64?) -> [NodeRecord] {
        nodes.values.filter { $0.isVerifier && $0.hello.modelDigest == modelDigest }
    }

    /// Jobs that hold one of the verifier's slots.
    func jobs(on link: LinkID) -> Int {
        jobs.values.count {
            switch $0.state {
            case .running(link, _), .ending(link, _, _, since: _): true
            default: false
            }
        }
    }

    /// Whether all verifiers of the job's target that are here have said that they cannot run it.
    private func isUnsuited(_ job: JobRecord) -> Bool {
        let verifiers = verifiers(of: job.modelDigest)
        return !verifiers.isEmpty && verifiers.allSatisfy { job.unsuited.contains($0.link) }
    }

    /// The verifier of this job's target with the smallest share of its slots taken, if any has room. One that had no
    /// room for the job is asked again when it has fewer jobs, or where those that are here are not what fills it.
    private func verifier(for job: JobRecord, at now: Instant) -> NodeRecord? {
        let loads = usableVerifiers.filter {
            $0.hello.modelDigest == job.modelDigest && $0.hello.capacity.context > job.length.rawValue
                && !job.unsuited.contains($0.link)
        }.map { (node: $0, jobs: jobs(on: $0.link)) }
        let free = loads.filter { $0.jobs < $0.node.hello.capacity.sequences }
        let roomy = free.filter { !job.isCrowded($0.node.link, jobs: $0.jobs, at: now) }
        return (roomy.isEmpty ? free.filter { $0.jobs == 0 } : roomy)
            .min { $0.jobs * $1.node.hello.capacity.sequences < $1.jobs * $0.node.hello.capacity.sequences }?.node
    }

    private mutating func assign(_ job: JobRecord, to verifier: NodeRecord, into effects: inout [Effect]) {
        let attempt = job.attempts.next
        let context = job.promptTokens + job.output.map(\.token)
        let asked = job.promptTokens.count + job.specification.tokensMax
        let lengthMax = min(asked, verifier.hello.capacity.context)
        jobs[job.id]?.attempts = attempt
        jobs[job.id]?.setback = nil
        jobs[job.id]?.contextLimited = lengthMax < asked
        jobs[job.id]?.lengthMax = Position(rawValue: lengthMax)
        jobs[job.id]?.verifiers.append(verifier.hello.node)
        if !verifier.hello.isExact { jobs[job.id]?.isExact = false }
        jobs[job.id]?.state = .running(verifier.link, attempt)
        disturbed.insert(verifier.link)
        let offers = offer(for: job.id, verifier: verifier)
        let helpers = helpers(for: job, of: verifier)
        var speculation = job.specification.speculation
        if let placed = jobs[job.id] {
            let entry = policy(for: placed)
            jobs[job.id]?.policy = entry
            speculation.policy = entry.policy
        }
        for start in stride(from: 0, to: context.count, by: Limits.contextChunkTokens) {
            let part = context[start..<min(start + Limits.contextChunkTokens, context.count)]
            effects.append(
                .send(
                    verifier.link,
                    .assignJob(
                        AssignJob(
                            job: job.id, attempt: attempt, speculation: speculation,
                            key: job.specification.key, sampling: job.specification.sampling,
                            lengthMax: Position(rawValue: lengthMax),
                            promptLength: Position(rawValue: job.promptTokens.count), contextTotal: context.count,
                            contextOffset: start, context: Array(part), offers: offers, helpers: helpers,
                            ignoresEnds: job.specification.ignoresEnds))))
        }
        effects.append(.changed(job.id))
    }
}

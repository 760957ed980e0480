import NacreCore

// Which drafters and helpers a job gets.
extension CoordinatorMachine {
    /// Drafters of this vocabulary that the job does not have yet, as many as it lacks: those that promise it the most
    /// (`Pairing`; of one that is not known what plain decoding brings), of these the ones with cores of their own, of
    /// these the ones that serve the fewest jobs. Those on cores where they would meddle, another verifier's or,
    /// without turns, its own, come behind all others, and last of all those that the job has lost, the latest at the
    /// end: so one that suits it gets its turn however many do not. Of those on the verifier's own cores all its jobs
    /// have the same one, for two would compute at once. They are remembered as the job's; while some are lacking the
    /// wish is kept.
    mutating func offer(for id: JobID, verifier: NodeRecord) -> [Offer] {
        guard let job = jobs[id] else { return [] }
        let own = hired[id] ?? []
        let lacking = job.draftersWanted - own.count
        guard lacking > 0 else {
            wishes.remove(id)
            return []
        }
        var served: [LinkID: Serving] = [:]
        for (other, drafters) in hired {
            let one = jobs[other]?.verifier == verifier.link ? Serving(here: 1) : Serving(elsewhere: 1)
            for drafter in drafters { served[drafter, default: Serving()].add(one) }
        }
        func sharesCores(_ drafter: NodeRecord) -> Bool { drafter.hello.place.sharesCores(with: verifier.hello.place) }
        func meddles(_ drafter: NodeRecord) -> Bool {
            nodes.values.contains {
                $0.isVerifier && $0.link != verifier.link && $0.hello.place.sharesCores(with: drafter.hello.place)
            }
        }
        let free = nodes.values
            .filter { !$0.isVerifier && $0.hello.vocabularyDigest == verifier.hello.vocabularyDigest }
            .filter { !own.contains($0.link) && served[$0.link, default: Serving()].all < $0.hello.capacity.sequences }
        var promises: [LinkID: Pairing] = [:]
        for node in free {
            promises[node.link] = pairing(
                node, with: verifier, for: job, beside: served[node.link, default: Serving()])
        }
        func gain(_ node: NodeRecord) -> Double { promises[node.link]?.gain ?? Pairing.unknownGain }
        let best = free.map(gain).max() ?? 0
        typealias Rank = (Int, Int, Int, Int, Int, LinkID)
        func rank(_ node: NodeRecord) -> Rank {
            let oversubscribes = sharesCores(node) && !configuration.alternates
            return (
                (job.lostDrafters.firstIndex(of: node.link) ?? -1) + 1, meddles(node) || oversubscribes ? 1 : 0,
                Pairing.grade(of: gain(node), below: best), sharesCores(node) ? 1 : 0,
                served[node.link, default: Serving()].all, node.link
            )
        }
        let candidates = free.map { (node: $0, rank: rank($0)) }.sorted { $0.rank < $1.rank }
        var sharing = configuration.alternates ? drafters(onCoresOf: verifier) : []
        var chosen: [NodeRecord] = []
        for (node, _) in candidates where chosen.count < lacking {
            if configuration.alternates, sharesCores(node) {
                guard sharing.isEmpty || sharing == [node.link] else { continue }
                sharing = [node.link]
            }
            chosen.append(node)
            let known = promises.count == free.count ? "" : " (\(promises.count) known)"
            // Of several drafters the first one that is known is told.
            if chosen.count == 1 || jobs[id]?.pairing == nil {
                jobs[id]?.pairing = promises[node.link].map { "\(node.hello.node) of \(free.count)\(known): \($0)" }
            }
        }
        if chosen.count < lacking { wishes.insert(id) } else { wishes.remove(id) }
        // No empty entry: without one, and without a wish, nothing is left of the job here.
        if !chosen.isEmpty {
            hired[id] = own + chosen.map(\.link)
            disturbed.insert(verifier.link)
        }
        jobs[id]?.draftModels.formUnion(chosen.map(\.hello.modelName))
        if !chosen.isEmpty {
            let hired = own.compactMap { nodes[$0] } + chosen
            jobs[id]?.hiredModels = Set(hired.map(\.hello.modelName))
        }
        let offers = chosen.map { Offer($0, sharesCores: configuration.alternates && sharesCores($0)) }
        jobs[id]?.coreSharers.formUnion(zip(chosen, offers).filter(\.1.sharesCores).map(\.0.link))
        return offers
    }

    /// Drafters of the verifier's jobs that compute on its cores.
    private func drafters(onCoresOf verifier: NodeRecord) -> Set<LinkID> {
        jobs.values.reduce(into: []) { all, job in
            if job.verifier == verifier.link { all.formUnion(job.coreSharers) }
        }
    }

    /// Offers drafters to jobs that lack some, as soon as there are any.
    mutating func grantWishes(into effects: inout [Effect]) {
        guard !wishes.isEmpty else { return }
        for id in order where wishes.contains(id) {
            guard case .running(let link, let attempt) = jobs[id]?.state, let verifier = nodes[link] else {
                wishes.remove(id)
                continue
            }
            let offers = offer(for: id, verifier: verifier)
            guard !offers.isEmpty else { continue }
            effects.append(.send(link, .offers(Offers(job: id, attempt: attempt, offers: offers))))
            refreshPolicy(of: id, into: &effects)
        }
    }

    /// A job's verifier lacks a drafter that was offered to it.
    mutating func note(_ hire: Hire) {
        guard let job = jobs[hire.job] else { return }
        let own = hired[hire.job] ?? []
        var kept = own
        // In the order in which they were lost.
        let lost = hire.lost.compactMap { lost in own.first { nodes[$0]?.hello.incarnation == lost } }
        if !lost.isEmpty {
            kept.removeAll { lost.contains($0) }
            for drafter in lost { jobs[hire.job]?.noteLost(drafter) }
        } else if own.count >= job.draftersWanted {
            // One that is gone from here has been replaced, and the verifier had no use for the other before it
            // missed the first; or it does not say which. It takes those it lacks.
            kept = []
            if job.draftersWanted == 1, let lost = own.first { jobs[hire.job]?.noteLost(lost) }
        }
        hired[hire.job] = kept.isEmpty ? nil : kept
        jobs[hire.job]?.coreSharers.formIntersection(kept)
        if let verifier = job.verifier { disturbed.insert(verifier) }
        wishes.insert(hire.job)
    }

    /// A drafter is gone. The verifiers of its jobs may not know yet, and take another one if it has not begun.
    mutating func loseDrafter(_ link: LinkID) {
        for (job, drafters) in hired where drafters.contains(link) {
            let rest = drafters.filter { $0 != link }
            hired[job] = rest.isEmpty ? nil : rest
            jobs[job]?.coreSharers.remove(link)
            if let verifier = jobs[job]?.verifier { disturbed.insert(verifier) }
            wishes.insert(job)
        }
    }

    /// Verifiers that may score for a job of `home`: they hold the same weights, compute them with the same engine
    /// (others may differ in the last bits), as exactly, say where they are reached, and have room for its text. The
    /// least loaded ones come first.
    func helpers(for job: JobRecord, of home: NodeRecord) -> [Offer] {
        let others = verifiers(of: home.hello.modelDigest).filter {
            $0.link != home.link && !$0.hello.dataAddress.isEmpty
                && $0.hello.engineVersion == home.hello.engineVersion && $0.hello.isExact == home.hello.isExact
                && $0.hello.capacity.context > job.length.rawValue
        }
        return others.map { (node: $0, jobs: jobs(on: $0.link)) }
            .sorted { ($0.jobs, $0.node.link) < ($1.jobs, $1.node.link) }
            .prefix(job.specification.speculation.helpers)
            .map { Offer($0.node) }
    }
}

extension JobRecord {
    /// Drafters that this job may have at a time.
    fileprivate var draftersWanted: Int {
        let speculation = specification.speculation
        return speculation.method.takesDrafts ? speculation.drafters : 0
    }
}

extension Offer {
    fileprivate init(_ node: NodeRecord, sharesCores: Bool = false) {
        self.init(
            address: node.hello.dataAddress, incarnation: node.hello.incarnation, sharesCores: sharesCores)
    }
}

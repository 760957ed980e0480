/// Where a drafter computes beside its verifier.
package enum Placement: Sendable, Hashable {
    /// On cores of its own, of this host or, if `isRemote`, of another one: drafts are made during passes.
    case apart(verifierCores: Int, drafterCores: Int, isRemote: Bool)
    /// Both on the same cores, each with all of them, in strict alternation.
    case together(cores: Int)
    /// No drafter.
    case plain(cores: Int)
}

/// What is measured of a pair of models on a host, and which placement it makes the fastest: closed forms of one job's
/// tokens per second over measured tables, nothing assumed about how models scale with threads.
package struct PlacementQuestion: Sendable {
    /// Another host, for a drafter.
    package struct DrafterHost: Sendable, Hashable {
        package var cores: Int
        /// 2d, to it and back, in microseconds.
        package var roundTripMicroseconds: Double

        package init(cores: Int, roundTripMicroseconds: Double) {
            self.cores = cores
            self.roundTripMicroseconds = roundTripMicroseconds
        }
    }

    /// A placement, and the tokens per second to expect of one job.
    package struct Prediction: Sendable, Hashable {
        package var placement: Placement
        package var tokensPerSecond: Double
        /// Drafts of a round; 0 without a drafter.
        package var drafts: Int
    }

    /// The verifier's host.
    package var cores: Int
    /// t_p(n), by the threads that compute.
    package var target: [Int: StepCostModel]
    /// t_q, in microseconds, by the threads that compute; a drafter host computes as this one does.
    package var draft: [Int: Double]
    /// Share of drafts that the target agrees with.
    package var alpha: Double
    package var drafterHost: DrafterHost?
    /// Most threads of the verifier, and of a drafter in turns with it; `nil` for all cores.
    package var verifierCoresMax: Int?

    package init(
        cores: Int, target: [Int: StepCostModel], draft: [Int: Double], alpha: Double,
        drafterHost: DrafterHost? = nil
    ) {
        self.cores = cores
        self.target = target
        self.draft = draft
        // At 1 no draft is long enough.
        self.alpha = min(max(alpha, 0), AcceptanceEstimator.range.upperBound)
        self.drafterHost = drafterHost
    }

    /// Threads worth measuring on so many cores: one, half, all, all but one, and eight, from where small models gain
    /// nothing from more.
    package static func threadCounts(cores: Int) -> [Int] {
        Set([1, 8, cores / 2, cores - 1, cores]).filter { (1...cores).contains($0) }.sorted()
    }

    /// What two processes of a host, pinned apart, slow each other down by: they share the memory system. Measured on
    /// two cores as 2 to 7 % (ENGINE 4).
    package static let disturbance = 1.05
    /// Between two processes of a host and back, in microseconds, with what the two spend on messages.
    package static let localRoundTrip = 150.0
    /// A drafter must promise so much more than none: it takes memory, and its text is read twice.
    package static let gainMin = 1.03

    /// The best of each kind of placement that the tables know, the fastest first.
    package var options: [Prediction] {
        let own = target.keys.filter { $0 <= min(cores, verifierCoresMax ?? cores) }.sorted()
        var options: [Prediction] = []
        func keepBest(_ predictions: [Prediction]) {
            // The first of equals: fewer threads.
            if let best = predictions.max(by: { $0.tokensPerSecond < $1.tokensPerSecond }) { options.append(best) }
        }
        keepBest(own.compactMap(plain))
        keepBest(own.compactMap(together))
        keepBest(own.flatMap { verifier in draft.keys.sorted().compactMap { apart(verifier, $0) } })
        keepBest(own.flatMap { verifier in draft.keys.sorted().compactMap { remote(verifier, $0) } })
        return options.sorted { $0.tokensPerSecond > $1.tokensPerSecond }
    }

    /// What to do: the fastest, unless plain decoding is about as fast. `nil` if nothing was measured.
    package var choice: Prediction? {
        let options = options
        guard let best = options.first else { return nil }
        guard let plain = options.first(where: \.isPlain) else { return best }
        return best.tokensPerSecond >= Self.gainMin * plain.tokensPerSecond ? best : plain
    }

    private func plain(_ threads: Int) -> Prediction? {
        target[threads].map {
            Prediction(
                placement: .plain(cores: threads), tokensPerSecond: 1e6 / $0.microseconds(nodes: 1), drafts: 0)
        }
    }

    private func together(_ threads: Int) -> Prediction? {
        guard let model = model(threads, threads, roundTrip: Self.localRoundTrip) else { return nil }
        let (drafts, rate) = model.inTurns
        return Prediction(placement: .together(cores: threads), tokensPerSecond: rate, drafts: drafts)
    }

    private func apart(_ verifier: Int, _ drafter: Int) -> Prediction? {
        guard verifier + drafter <= cores else { return nil }
        return overlapped(verifier, drafter, roundTrip: Self.localRoundTrip, disturbance: Self.disturbance)
    }

    private func remote(_ verifier: Int, _ drafter: Int) -> Prediction? {
        guard let host = drafterHost, drafter <= host.cores else { return nil }
        return overlapped(verifier, drafter, roundTrip: host.roundTripMicroseconds, disturbance: 1, isRemote: true)
    }

    private func overlapped(
        _ verifier: Int, _ drafter: Int, roundTrip: Double, disturbance: Double, isRemote: Bool = false
    ) -> Prediction? {
        guard let model = model(verifier, drafter, roundTrip: roundTrip) else { return nil }
        let (drafts, rate) = model.overlapped
        return Prediction(
            placement: .apart(verifierCores: verifier, drafterCores: drafter, isRemote: isRemote),
            tokensPerSecond: rate / disturbance, drafts: drafts)
    }

    private func model(_ verifier: Int, _ drafter: Int, roundTrip: Double) -> ThroughputModel? {
        guard let cost = target[verifier], let draft = draft[drafter] else { return nil }
        return ThroughputModel(
            alpha: alpha, cost: cost, draftMicroseconds: draft, delayMicroseconds: roundTrip / 2)
    }
}

extension PlacementQuestion.Prediction {
    package var isPlain: Bool { if case .plain = placement { true } else { false } }
}

extension Placement: CustomStringConvertible {
    /// For people, for instance "drafter and verifier in turns on 2 cores".
    package var description: String {
        func cores(_ count: Int) -> String { count == 1 ? "1 core" : "\(count) cores" }
        switch self {
        case .apart(let verifier, let drafter, let isRemote):
            let place = isRemote ? "\(cores(drafter)) of another host" : cores(drafter)
            return "verifier on \(cores(verifier)), drafter on \(place), overlapped"
        case .together(let count): return "drafter and verifier in turns on the same \(cores(count))"
        case .plain(let count): return "no drafter, verifier on \(cores(count))"
        }
    }
}

extension PlacementQuestion {
    /// Why `choice` is what it is, in words; empty if nothing was measured.
    package var reason: String {
        guard let choice else { return "" }
        let others = options.filter { $0 != choice }
        guard case .plain = choice.placement else {
            guard let next = others.first else { return "nothing else is possible here" }
            let percent = Int((100 * (choice.tokensPerSecond / next.tokensPerSecond - 1)).rounded())
            return "\(percent) % faster than the next best: \(next.placement)"
        }
        guard let best = others.first else { return "no draft model was measured" }
        let percent = Int((100 * (best.tokensPerSecond / choice.tokensPerSecond - 1)).rounded())
        return percent < 0
            ? "every placement of a drafter is slower, the best by \(-percent) %: \(best.placement)"
            : "a drafter would gain \(percent) % at best, less than the \(Int((100 * Self.gainMin).rounded()) - 100) "
                + "% that it must: \(best.placement)"
    }
}

import NacreCore

// Rows over the target's ids.
extension BridgedEngine where Inner: ~Copyable {
    /// Less of q than this on shared tokens, and nothing is drawn from it: it would not be what the drafter means.
    ///
    /// No more, since draws from what is left are accepted more often than the text longer than one would think: with
    /// three quarters of q shared or less they are still twice as good (docs/methods.md has the figures).
    private static var massMin: Double { 0.1 }
    /// Tokens of the drafter's for one of the target's under SLEM: enough for the longest runs of spaces.
    private static var stepsMax: Int { 24 }
    /// Tokens considered at a position under SLEM.
    private static var fanOut: Int { 8 }

    /// The scores that a wave asks for, in its order.
    mutating func draft(_ wave: [Part]) throws(EngineError) -> [Score] {
        var scores: [Score] = []
        var rest = wave[...]
        // Parts of one kind go together; those without a request with any.
        while let first = rest.first(where: { $0.request != nil }) ?? rest.first {
            let kind = first.request.map { self.kind(for: $0) } ?? .slem
            let part = Array(rest.prefix { part in part.request.map { self.kind(for: $0) == kind } ?? true })
            rest = rest.dropFirst(part.count)
            switch kind {
            case .none, .tli: scores += try intersect(part)
            case .slem, .mixed: scores += try rollOut(part)
            case .slrs: scores += try sumUp(part)
            }
        }
        return scores
    }

    func kind(for request: ScoreRequest) -> BridgeKind {
        guard bridge.kind == .mixed else { return bridge.kind }
        return request.policy.isGreedy ? .slem : .tli
    }

    /// q at temperature 1 is the logits but for a constant: the sampler's transform comes behind the bridge.
    private static var law: ScoreRequest {
        ScoreRequest(key: 0, index: 0, policy: SamplingPolicy(temperature: 1), kind: .law)
    }

    /// What is asked of a row over the target's ids; nothing to propose without one.
    private mutating func score(_ law: Distribution?, _ request: ScoreRequest) -> Score {
        guard let law else { return .candidates([]) }
        return Score(logarithmsOf: law, request, scratch: &scratch)
    }

    // MARK: - TLI

    private mutating func intersect(_ wave: [Part]) throws(EngineError) -> [Score] {
        var byText = Set(wave.map(\.sequence).filter { texts[$0]?.isMidway ?? false })
        var nodes: [ForestNode] = []
        var scored: [SequenceID] = []
        for part in wave where part.request == nil || !byText.contains(part.sequence) {
            if part.request != nil { texts[part.sequence]?.endRollout() }
            let context = texts[part.sequence]?.context ?? []
            let request = part.request == nil ? nil : Self.law
            if plan(part.sequence, context, request, into: &nodes) { scored.append(part.sequence) }
        }
        var rows: [SequenceID: Distribution] = [:]
        for (sequence, score) in zip(scored, try evaluate(nodes)) {
            guard case .law(let q) = score else { continue }
            let share = bridge.intersection.mass(of: q)
            mass = (mass.rows + 1, mass.sum + share, mass.low + (share < Self.massMin ? 1 : 0))
            // Inside of a character the drafter would have to go on with the bytes that it has not seen.
            guard texts[sequence]?.held.isEmpty ?? false else { continue }
            if share >= Self.massMin {
                rows[sequence] = bridge.intersection.project(q)
            } else if bridge.goesByText {
                byText.insert(sequence)
                roll(sequence, Score(logarithmsOf: q, Self.greedy, scratch: &scratch))
            }
        }
        var said = try rollOut(wave.filter { $0.request != nil && byText.contains($0.sequence) })[...]
        var scores: [Score] = []
        for part in wave {
            guard let request = part.request else { continue }
            let own = byText.contains(part.sequence) ? said.popFirst() : nil
            scores.append(own ?? score(rows[part.sequence], request))
        }
        return scores
    }

    // MARK: - SLEM

    private mutating func rollOut(_ wave: [Part]) throws(EngineError) -> [Score] {
        var stuck: Set<SequenceID> = []
        for step in 0..<Self.stepsMax {
            var nodes: [ForestNode] = []
            var rolling: [SequenceID] = []
            for part in wave {
                guard let text = texts[part.sequence], !stuck.contains(part.sequence) else { continue }
                if part.request == nil {
                    if step == 0 { _ = plan(part.sequence, text.context, nil, into: &nodes) }
                } else if !text.isSettled {
                    if plan(part.sequence, text.context, Self.greedy, into: &nodes) {
                        rolling.append(part.sequence)
                    } else {
                        stuck.insert(part.sequence)
                    }
                }
            }
            guard !nodes.isEmpty else { break }
            for (sequence, score) in zip(rolling, try evaluate(nodes)) { roll(sequence, score) }
        }
        return wave.compactMap { part in part.request.map { answer($0, from: texts[part.sequence]) } }
    }

    private static var greedy: ScoreRequest {
        ScoreRequest(key: 0, index: 0, policy: .greedy, kind: .measured(fanOut))
    }

    /// The drafter goes on with its likeliest token.
    private mutating func roll(_ sequence: SequenceID, _ score: Score) {
        guard case .measured(let row) = score, let best = row.candidates.first else { return }
        texts[sequence]?.roll(
            BridgedText.Step(
                token: best.token, probability: row.probability, candidates: row.candidates,
                statistics: row.statistics))
    }

    private mutating func answer(_ request: ScoreRequest, from text: BridgedText?) -> Score {
        switch request.kind {
        case .candidates(let count):
            return .candidates(text?.candidates(count) ?? [])
        case .measured(let count):
            guard let text, case let found = text.candidates(count), let best = found.first else {
                return .candidates([])
            }
            return .measured(MeasuredCandidates(found, text.statistics, probability: best.probability))
        case .choice, .weights, .law, .likelihood:
            var weights = Array(repeating: 0.0, count: shape.vocabularySize)
            if let best = text?.candidates(1).first { weights[Int(best.token.rawValue)] = 1 }
            return score(Distribution(weights: weights), request)
        }
    }

    // MARK: - SLRS

    private mutating func sumUp(_ wave: [Part]) throws(EngineError) -> [Score] {
        var scores: [Score] = []
        for part in wave {
            guard let text = texts[part.sequence] else { continue }
            guard let request = part.request else {
                var nodes: [ForestNode] = []
                _ = plan(part.sequence, text.context, nil, into: &nodes)
                _ = try evaluate(nodes)
                continue
            }
            scores.append(score(try psi(part.sequence, text), request))
        }
        return scores
    }

    /// ψ behind a text, by a pass of the drafter for every row that it takes.
    private mutating func psi(_ sequence: SequenceID, _ text: BridgedText) throws(EngineError) -> Distribution? {
        guard let rule = bridge.stringLevel else { return nil }
        var failure: EngineError?
        let law = try? rule.law(after: text.held) { path in
            do throws(EngineError) {
                var nodes: [ForestNode] = []
                guard plan(sequence, text.context + path, Self.law, into: &nodes),
                    case .law(let q)? = try evaluate(nodes).first
                else { return nil }
                return q
            } catch {
                failure = error
                return nil
            }
        }
        if let failure { throw failure }
        return law
    }
}

internal import CNacreProto
import NacreCore
import NacreProtocol

// What an engine made of rows of logits.

/// The kinds of proto/engine.proto; in a pass, what is wanted of a row.
enum ScoreKind: UInt32 {
    case choice = 1
    case candidates = 2
    case weights = 3
    case law = 4
    case measured = 5
    case likelihood = 6
}

extension Score {
    /// How many numbers it carries.
    var valueCount: Int {
        switch self {
        case .choice: 1
        case .candidates(let candidates): 2 * candidates.count
        case .measured(let measured): 2 * measured.candidates.count + 4
        case .weights(let row): 2 * row.entries.count
        case .law(let law): law.probabilities.count
        case .likelihood(let likelihood): 2 + likelihood.ofTokens.count
        }
    }
}

extension FieldWriter {
    func scores(_ scores: [Score]) -> UnsafeMutableRawPointer {
        let wire = make(nacre__engine_scores__init)
        wire.pointee.n_score = scores.count
        wire.pointee.score = copy(scores.map { score($0) })
        return UnsafeMutableRawPointer(wire)
    }

    private func score(_ score: Score) -> UnsafeMutablePointer<Nacre__EngineScore>? {
        let wire = make(nacre__engine_score__init)
        switch score {
        case .choice(let choice):
            wire.pointee.kind = ScoreKind.choice.rawValue
            put([choice.token], into: wire)
            wire.pointee.margin = choice.margin
        case .candidates(let candidates):
            wire.pointee.kind = ScoreKind.candidates.rawValue
            put(candidates.map(\.token), into: wire)
            put(candidates.map(\.probability), into: wire)
        case .measured(let measured):
            let statistics = measured.statistics
            wire.pointee.kind = ScoreKind.measured.rawValue
            put(measured.candidates.map(\.token), into: wire)
            put(
                measured.candidates.map(\.probability) + [
                    statistics.entropy, statistics.topProbability, statistics.margin, measured.probability,
                ], into: wire)
        case .weights(let row):
            wire.pointee.kind = ScoreKind.weights.rawValue
            put(row.entries.map(\.token), into: wire)
            wire.pointee.n_weight = row.entries.count
            wire.pointee.weight = copy(row.entries.map { UInt32($0.weight) })
        case .law(let law):
            wire.pointee.kind = ScoreKind.law.rawValue
            put(law.probabilities, into: wire)
        case .likelihood(let likelihood):
            wire.pointee.kind = ScoreKind.likelihood.rawValue
            put([likelihood.choice.token], into: wire)
            wire.pointee.margin = likelihood.choice.margin
            put([likelihood.ofChoice] + likelihood.ofTokens, into: wire)
        }
        return wire
    }

    private func put(_ tokens: [TokenID], into wire: UnsafeMutablePointer<Nacre__EngineScore>) {
        wire.pointee.n_token = tokens.count
        wire.pointee.token = copy(tokens)
    }

    private func put(_ numbers: [Double], into wire: UnsafeMutablePointer<Nacre__EngineScore>) {
        wire.pointee.n_number = numbers.count
        wire.pointee.number = copy(numbers)
    }
}

extension FieldReader {
    func scores(_ wire: Nacre__EngineScores) throws(WireError) -> [Score] {
        guard wire.n_score <= EngineLinkLimits.nodesMax else {
            throw invalid("scores", "has \(wire.n_score) items, at most \(EngineLinkLimits.nodesMax) are allowed")
        }
        var scores: [Score] = []
        scores.reserveCapacity(wire.n_score)
        for score in UnsafeBufferPointer(start: wire.score, count: wire.n_score) {
            scores.append(try self.score(try part(score, "scores")))
        }
        return scores
    }

    private func score(_ wire: Nacre__EngineScore) throws(WireError) -> Score {
        let tokens = try tokens(wire.token, wire.n_token, "tokens", max: Limits.vocabularyEntriesMax)
        let kind: ScoreKind = try choice(wire.kind, "kind")
        switch kind {
        case .choice:
            guard tokens.count == 1, wire.margin >= 0 else {
                throw invalid("tokens", "has \(tokens.count) items and a margin of \(wire.margin); a choice has one")
            }
            return .choice(Choice(token: tokens[0], margin: wire.margin))
        case .candidates:
            let numbers = Array(UnsafeBufferPointer(start: wire.number, count: wire.n_number))
            guard !tokens.isEmpty, numbers.count == tokens.count, numbers.allSatisfy({ 0 <= $0 && $0 <= 1 }) else {
                throw invalid("numbers", "are no probabilities of \(tokens.count) candidates")
            }
            return .candidates(zip(tokens, numbers).map { Candidate(token: $0, probability: $1) })
        case .measured:
            let numbers = Array(UnsafeBufferPointer(start: wire.number, count: wire.n_number))
            let (probabilities, rest) = (numbers.prefix(tokens.count), numbers.dropFirst(tokens.count))
            guard !tokens.isEmpty, rest.count == 4, probabilities.allSatisfy({ 0 <= $0 && $0 <= 1 }) else {
                throw invalid("numbers", "are no probabilities of \(tokens.count) candidates and four of their row")
            }
            let of = Array(rest)
            return .measured(
                MeasuredCandidates(
                    zip(tokens, probabilities).map { Candidate(token: $0, probability: $1) },
                    TokenStatistics(entropy: of[0], topProbability: of[1], margin: of[2]), probability: of[3]))
        case .weights:
            let weights = UnsafeBufferPointer(start: wire.weight, count: wire.n_weight)
            guard weights.count == tokens.count, weights.allSatisfy({ $0 <= UInt16.max }) else {
                throw invalid("weights", "are no weights of \(tokens.count) tokens")
            }
            do throws(PayloadFault) {
                return .weights(try WeightRow(zip(tokens, weights).map { WeightRow.Entry($0, UInt16($1)) }))
            } catch {
                throw invalid("weights", "are no row: \(error)")
            }
        case .law:
            let numbers = Array(UnsafeBufferPointer(start: wire.number, count: wire.n_number))
            guard let law = Distribution(probabilities: numbers) else {
                throw invalid("numbers", "are no distribution over \(numbers.count) tokens")
            }
            return .law(law)
        case .likelihood:
            let numbers = Array(UnsafeBufferPointer(start: wire.number, count: wire.n_number))
            // What was chosen is possible; what was asked about need not be. Written so that NaN fails.
            guard tokens.count == 1, wire.margin >= 0, let ofChoice = numbers.first, ofChoice > -.infinity,
                numbers.allSatisfy({ $0 <= 0 })
            else {
                throw invalid(
                    "numbers", "are no ln p of \(tokens.count) chosen tokens and of those asked about: \(numbers)")
            }
            return .likelihood(
                Likelihood(
                    choice: Choice(token: tokens[0], margin: wire.margin), ofChoice: ofChoice,
                    ofTokens: Array(numbers.dropFirst())))
        }
    }
}

import RealModule

// From a row of logits to what was asked of it: the same for every engine.
extension Score {
    /// What `request` makes of a row of logits.
    package init(_ logits: Span<Float>, _ request: ScoreRequest, scratch: inout CoupledScratch) {
        switch request.kind {
        case .choice:
            self = .choice(CoupledRule.choose(logits, request, scratch: &scratch))
        case .candidates(let count):
            self = .candidates(CoupledRule.candidates(logits, request, count: count, scratch: &scratch))
        case .measured(let count):
            self = .measured(MeasuredCandidates(logits, request, count: count, scratch: &scratch))
        case .weights(let entriesMax):
            let law = Distribution(logits, request.policy, scratch: &scratch)
            self = .weights(WeightRow(law, entriesMax: entriesMax))
        case .law:
            self = .law(Distribution(logits, request.policy, scratch: &scratch))
        case .likelihood(let tokens):
            let choice = CoupledRule.choose(logits, request, scratch: &scratch)
            let logP = logits.withUnsafeBufferPointer {
                logProbabilities(of: [choice.token] + tokens, in: $0, request.policy.jointScoring)
            }
            self = .likelihood(
                Likelihood(choice: choice, ofChoice: logP[0], ofTokens: Array(logP.dropFirst())))
        }
    }

    /// The same of a law that has no logits, as one that has come over a bridge: of its logarithms.
    package init(logarithmsOf law: Distribution, _ request: ScoreRequest, scratch: inout CoupledScratch) {
        let row = law.probabilities.map { Float(Double.log($0)) }
        self.init(row.span, request, scratch: &scratch)
    }

    /// The choice, if that was asked for.
    package var choice: Choice? {
        switch self {
        case .choice(let choice): choice
        case .likelihood(let likelihood): likelihood.choice
        case .candidates, .measured, .weights, .law: nil
        }
    }
}

/// ln p of each token, temperature applied, without a row of probabilities: one pass over the logits.
private func logProbabilities(
    of tokens: [TokenID], in row: UnsafeBufferPointer<Float>, _ policy: SamplingPolicy
) -> [Double] {
    let top = TopTwo(of: row)
    let inverse = 1 / policy.temperature
    // As `Distribution` has it: a row without a finite logit, or too cold for one, is a point mass.
    guard top.best > -.infinity, inverse.isFinite else {
        return tokens.map { Int($0.rawValue) == top.token ? 0 : -.infinity }
    }
    var total = 0.0
    for logit in row where logit.isFinite { total += Double.exp((Double(logit) - top.best) * inverse) }
    let logTotal = Double.log(total)
    return tokens.map { token in
        guard Int(token.rawValue) < row.count, row[Int(token.rawValue)].isFinite else { return -.infinity }
        return min(0, (Double(row[Int(token.rawValue)]) - top.best) * inverse - logTotal)
    }
}

extension ScoreRequest {
    /// What is wrong with this request, in words; `nil` if it can be answered. Whoever runs passes asks before it
    /// evaluates anything.
    package var complaint: String? {
        if index < 0 { return "index \(index) is below 0" }
        switch kind {
        case .candidates(let count) where count < 1, .measured(let count) where count < 1:
            return "\(count) candidates were asked for"
        case .weights(let entriesMax) where entriesMax < 1: return "a row of \(entriesMax) weights was asked for"
        case .choice, .candidates, .measured, .weights, .law, .likelihood: return policy.complaint
        }
    }
}

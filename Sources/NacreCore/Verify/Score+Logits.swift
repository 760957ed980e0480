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
        }
    }

    /// The choice, if that was asked for.
    package var choice: Choice? {
        guard case .choice(let choice) = self else { return nil }
        return choice
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
        case .choice, .candidates, .measured, .weights, .law: return policy.complaint
        }
    }
}

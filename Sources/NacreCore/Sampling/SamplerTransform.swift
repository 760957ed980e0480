import RealModule

extension Distribution {
    /// The sampler transform F: the law that a row of logits means under `policy` (ALGORITHMS 0.1).
    ///
    /// Greedy is a point mass on the largest logit, the lowest id on a tie. A logit that is NaN or infinite has
    /// probability 0; a row without a single finite one is a point mass on token 0, as in `CoupledRule.choose`.
    package init(_ logits: Span<Float>, _ policy: SamplingPolicy, scratch: inout CoupledScratch) {
        precondition(!logits.isEmpty, "a row of logits holds at least one token")
        self = logits.withUnsafeBufferPointer { row in
            let top = TopTwo(of: row)
            let inverse = 1 / policy.temperature
            guard top.best > -.infinity, inverse.isFinite else { return Distribution(token: top.token, of: row.count) }
            let cut = ProbabilityCut(row, largest: Float(top.best), inverse, policy, &scratch)
            let weights = row.indices.map { token in
                cut.keeps(row[token], at: token) ? Double.exp((Double(row[token]) - top.best) * inverse) : 0
            }
            // The largest weight is exactly 1, so the sum is neither 0 nor infinite.
            return Distribution(weights: weights) ?? Distribution(token: top.token, of: row.count)
        }
    }
}

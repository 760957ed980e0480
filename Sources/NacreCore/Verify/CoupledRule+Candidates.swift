import RealModule

// What a drafter proposes below a node.
extension CoupledRule {
    /// The `count` tokens with the largest perturbed scores, best first: a drafter's candidates for one position
    /// (Gumbel top-k). The first is what `choose` returns; greedy, they are those with the largest logits.
    ///
    /// The target's own token is among them with the probability of ALGORITHMS 9.3; fewer come back if the policy
    /// allows fewer, token 0 alone if the row has no finite logit.
    ///
    /// **Their probabilities** are a softmax over the best max(count, 7) + 1 scores: perturbed ones when sampling, bare
    /// logits when greedy. Target and drafter share the noise, so a token that leads by g after the noise loses its
    /// lead only to a difference of the two models of about g: the softmax ranks as that chance does, and calls a row
    /// without a clear winner uncertain. It is cut at `probabilityMax`, since no drafter is surer of its target than
    /// that.
    ///
    /// Takes the time of `choose` and some more for every score that is kept.
    package static func candidates(
        _ logits: Span<Float>, _ request: ScoreRequest, count: Int, scratch: inout CoupledScratch
    ) -> [Candidate] {
        precondition(!logits.isEmpty && count > 0, "\(count) candidates of \(logits.count) tokens")
        let kept = logits.withUnsafeBufferPointer { row in
            best(max(count, comparedMin), of: row, request, scratch: &scratch).kept
        }
        guard let first = kept.first else { return [Candidate(token: 0, probability: probabilityMax)] }
        let weights = kept.map { Double.exp($0.score - first.score) }
        let total = weights.reduce(0, +)
        return zip(kept, weights).prefix(count).map { entry, weight in
            Candidate(
                token: TokenID(rawValue: UInt32(truncatingIfNeeded: entry.token)),
                probability: min(weight / total, probabilityMax))
        }
    }

    /// A row's few best scores carry nearly all of the softmax; with fewer, the probability of the same token would
    /// depend on how many candidates are asked for.
    private static let comparedMin = 7

    private static let probabilityMax = 0.98
}

internal import RealModule

/// Candidates, and what the row that they are from is like: what policies decide by that stop token by token.
package struct MeasuredCandidates: Sendable, Hashable {
    /// As `CoupledRule.candidates`.
    package var candidates: [Candidate]
    package var statistics: TokenStatistics
    /// q of the first candidate.
    package var probability: Double

    package init(_ candidates: [Candidate], _ statistics: TokenStatistics, probability: Double) {
        self.candidates = candidates
        self.statistics = statistics
        self.probability = probability
    }

    /// q is the softmax of the row at the job's temperature, at 1 when greedy; the margin that of the (perturbed)
    /// scores, which is what a verdict will compare.
    ///
    /// Takes the time of the candidates and of two more walks over the row.
    init(_ logits: Span<Float>, _ request: ScoreRequest, count: Int, scratch: inout CoupledScratch) {
        // Two, so that there is a margin.
        let best = CoupledRule.candidates(logits, request, count: max(2, count), scratch: &scratch)
        candidates = Array(best.prefix(count))
        let temperature = request.policy.isGreedy ? 1 : request.policy.temperature
        let q = Softmax(logits, temperature: temperature, token: best[0].token)
        statistics = TokenStatistics(
            entropy: q.entropy, topProbability: q.top,
            margin: best.count > 1 ? Double.log(best[0].probability / best[1].probability) : .infinity)
        probability = q.probability
    }
}

/// What describes the softmax of a row, of which nothing is kept.
private struct Softmax {
    /// H = ln Z − Σ q·s, with scores relative to the largest; in nats.
    let entropy: Double
    let top: Double
    /// Of the token asked about.
    let probability: Double

    init(_ logits: Span<Float>, temperature: Double, token: TokenID) {
        var largest = -Float.infinity
        for index in logits.indices where logits[index] > largest { largest = logits[index] }
        var (total, weighted, own) = (0.0, 0.0, 0.0)
        for index in logits.indices where logits[index].isFinite {
            let score = (Double(logits[index]) - Double(largest)) / temperature
            let weight = Double.exp(score)
            total += weight
            weighted += weight * score
            if index == Int(token.rawValue) { own = weight }
        }
        entropy = total > 0 ? max(0, Double.log(total) - weighted / total) : 0
        top = total > 0 ? 1 / total : 1
        probability = total > 0 ? own / total : 0
    }
}

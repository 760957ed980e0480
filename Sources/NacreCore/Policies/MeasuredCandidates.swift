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
    /// Takes the time of the candidates and of one more walk over the row.
    init(_ logits: Span<Float>, _ request: ScoreRequest, count: Int, scratch: inout CoupledScratch) {
        // Two, so that there is a margin.
        let best = CoupledRule.candidates(logits, request, count: max(2, count), scratch: &scratch)
        candidates = Array(best.prefix(count))
        let temperature = request.policy.isGreedy ? 1 : request.policy.temperature
        let q = Softmax(logits, temperature: temperature)
        statistics = TokenStatistics(
            entropy: q.entropy, topProbability: q.top,
            margin: best.count > 1 ? Double.log(best[0].probability / best[1].probability) : .infinity)
        probability = q.probability(of: best[0].token)
    }
}

/// Sums over a row that describe its softmax.
private struct Softmax {
    private let row: [Float]
    private let scale: Double
    private let largest: Double
    private var total = 0.0
    private(set) var entropy = 0.0

    init(_ logits: Span<Float>, temperature: Double) {
        row = logits.withUnsafeBufferPointer(Array.init)
        scale = 1 / temperature
        largest = Double(row.max() ?? 0)
        var weighted = 0.0
        for logit in row where logit.isFinite {
            let score = (Double(logit) - largest) * scale
            let weight = Double.exp(score)
            total += weight
            weighted += weight * score
        }
        // H = ln Z − Σ q·s, with scores relative to the largest.
        entropy = total > 0 ? max(0, Double.log(total) - weighted / total) : 0
    }

    var top: Double { total > 0 ? 1 / total : 1 }

    func probability(of token: TokenID) -> Double {
        let place = Int(token.rawValue)
        guard total > 0, row.indices.contains(place), row[place].isFinite else { return 0 }
        return Double.exp((Double(row[place]) - largest) * scale) / total
    }
}

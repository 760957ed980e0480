import NacreCore
import RealModule
import TestStatistics
import Testing

/// `CoupledRule.choose` the plain way: sort, filter, perturb all, compare all.
func plainChoice(_ row: [Float], _ request: ScoreRequest) -> Choice {
    let policy = request.policy
    let finite = row.indices.filter { row[$0].isFinite }
    // Falling logit, then rising id.
    var kept = finite.sorted { (row[$1], $0) < (row[$0], $1) }
    guard let top = kept.first else { return Choice(token: 0, margin: 0) }
    let largest = Double(row[top])
    func gap(_ token: Int) -> Double { (Double(row[token]) - largest) * (1 / policy.temperature) }
    var scores: [(score: Double, token: Int)]
    if policy.isGreedy {
        scores = kept.map { (Double(row[$0]), $0) }
    } else {
        if policy.topK > 0 { kept = Array(kept.prefix(policy.topK)) }
        if policy.topP < 1 {
            let total = kept.reduce(0) { $0 + Double.exp(gap($1)) }
            var mass = 0.0
            let count = kept.firstIndex {
                mass += Double.exp(gap($0))
                return mass >= policy.topP * total
            }
            kept = Array(kept.prefix((count ?? kept.count - 1) + 1))
        }
        if policy.minP > 0 { kept = kept.filter { Double.exp(gap($0)) >= policy.minP } }
        let noise = PositionalRandom(key: request.key)
        scores = kept.map {
            (gap($0) + noise.gumbel(at: request.index, token: TokenID(rawValue: UInt32($0))), $0)
        }
    }
    scores.sort { ($1.score, $0.token) < ($0.score, $1.token) }
    let margin = scores.count > 1 ? Float(scores[0].score - scores[1].score) : .infinity
    return Choice(token: TokenID(rawValue: UInt32(scores[0].token)), margin: margin)
}

/// One choice with a scratch of its own.
func choose(_ row: [Float], _ policy: SamplingPolicy, key: StreamKey = 1, index: Int = 0) -> Choice {
    var scratch = CoupledScratch()
    return CoupledRule.choose(row.span, ScoreRequest(key: key, index: index, policy: policy), scratch: &scratch)
}

@Suite("The coupled rule")
struct CoupledRuleTests {
    @Test("The choice and its margin equal the plain form's, whatever the row and the policy", arguments: 0..<8)
    func equalsPlainForm(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var scratch = CoupledScratch()
        for trial in 0..<400 {
            let size = trial % 40 == 0 ? 4096 + trial : 1 + Int(random.next() % 300)
            let spread = [0.1, 1, 4, 30, 1e30][Int(random.next() % 5)]
            // Coarse rows are full of ties; spoilt ones hold what a broken model may emit.
            let coarse = random.uniform() < 0.3
            let spoilt = random.uniform() < 0.3
            let row = (0..<size).map { _ -> Float in
                let logit = Float(random.normal() * spread)
                if spoilt && random.uniform() < 0.1 {
                    return [.nan, -.infinity, .infinity, -0.0, .leastNonzeroMagnitude][Int(random.next() % 5)]
                }
                return coarse && spread < 100 ? logit.rounded() : logit
            }
            let policy = SamplingPolicy(
                temperature: [0, 1e-12, 0.3, 1, 2.5, 100][Int(random.next() % 6)],
                topK: random.uniform() < 0.5 ? 0 : Int(random.next() % UInt64(size + 3)),
                topP: random.uniform() < 0.5 ? 1 : 1e-3 + 0.998 * random.uniform(),
                minP: random.uniform() < 0.5 ? 0 : random.uniform())
            let request = ScoreRequest(
                key: StreamKey(rawValue: random.next()), index: Int(random.next() % 100_000), policy: policy)
            let choice = CoupledRule.choose(row.span, request, scratch: &scratch)
            #expect(choice == plainChoice(row, request), "seed \(seed) trial \(trial) size \(size) \(policy)")
        }
    }

    @Test("Greedy takes the largest logit, the lowest id on a tie, and never NaN or an infinity")
    func greedy() {
        #expect(choose([1, 3, 2], .greedy) == Choice(token: 1, margin: 1))
        #expect(choose([3, 1, 3], .greedy) == Choice(token: 0, margin: 0))
        #expect(choose([.nan, 1, .infinity, 0.5], .greedy) == Choice(token: 1, margin: 0.5))
        #expect(choose([-.infinity, 1], .greedy) == Choice(token: 1, margin: .infinity))
        #expect(choose([.nan, .nan], .greedy) == Choice(token: 0, margin: 0))
        #expect(choose([.nan, -.infinity], SamplingPolicy(temperature: 1)) == Choice(token: 0, margin: 0))
    }

    @Test("Top-k 1, a tiny top-p and min-p 1 each leave the likeliest token alone")
    func narrowestFilters() {
        let row: [Float] = [0.5, 2, 2, 1.5]
        let alone = Choice(token: 1, margin: .infinity)
        #expect(choose(row, SamplingPolicy(temperature: 1, topK: 1)) == alone)
        #expect(choose(row, SamplingPolicy(temperature: 1, topP: 1e-9)) == alone)
        #expect(choose([0.5, 2, 1.5], SamplingPolicy(temperature: .leastNormalMagnitude, topP: 0.5)) == alone)
        // Min-p keeps both of the likeliest.
        #expect(choose(row, SamplingPolicy(temperature: 1, minP: 1)).margin.isFinite)
        #expect(
            (0..<64).allSatisfy {
                [1, 2].contains(choose(row, SamplingPolicy(temperature: 1, minP: 1), index: $0).token)
            })
    }

    @Test("Over keys, choices follow the target's law", arguments: [0.5, 1, 1.7])
    func lawOverKeys(temperature: Double) {
        var random = SplitMix(seed: 3)
        let row = (0..<27).map { _ in Float(random.normal() * 1.5) }
        var counts: [Int: Int] = [:]
        for key in 0..<100_000 {
            let choice = choose(row, SamplingPolicy(temperature: temperature), key: StreamKey(rawValue: UInt64(key)))
            counts[Int(choice.token.rawValue), default: 0] += 1
        }
        let law = softmax(row, temperature: temperature).probabilities
        let expected = Dictionary(uniqueKeysWithValues: law.enumerated().map { ($0.offset, $0.element) })
        #expect(chiSquarePValue(counts: counts, expected: expected) > 1e-4)
    }

    @Test("Under filters, choices follow the renormalised rest of the law")
    func lawUnderFilters() {
        // Probabilities .4, .3, .15, .1, .05: top-k 4 leaves .421, .316, .158, .105; top-p .85 the first three of
        // these; min-p .5 the first two.
        let row = [0.4, 0.3, 0.15, 0.1, 0.05].map { Float(Double.log($0)) }
        let policy = SamplingPolicy(temperature: 1, topK: 4, topP: 0.85, minP: 0.5)
        var counts: [Int: Int] = [:]
        for key in 0..<50_000 {
            counts[Int(choose(row, policy, key: StreamKey(rawValue: UInt64(key))).token.rawValue), default: 0] += 1
        }
        #expect(chiSquarePValue(counts: counts, expected: [0: 4.0 / 7, 1: 3.0 / 7]) > 1e-4)
    }

    @Test("Choices at successive positions are independent")
    func successivePositions() {
        let row = [0.5, 0.3, 0.2].map { Float(Double.log($0)) }
        var counts: [[Int]: Int] = [:]
        for key in 0..<50_000 {
            let pair = (0..<2).map {
                Int(
                    choose(row, SamplingPolicy(temperature: 1), key: StreamKey(rawValue: UInt64(key)), index: $0).token
                        .rawValue)
            }
            counts[pair, default: 0] += 1
        }
        let p = softmax(row).probabilities
        var expected: [[Int]: Double] = [:]
        for first in 0..<3 { for second in 0..<3 { expected[[first, second]] = p[first] * p[second] } }
        #expect(chiSquarePValue(counts: counts, expected: expected) > 1e-4)
    }

    @Test("Two models agree with probability Σ 1 / Σ max(p_j/p_i, q_j/q_i): .630769 on the example, above .538462")
    func agreement() {
        let p = [0.5, 0.3, 0.2]
        let q = [0.2, 0.3, 0.5]
        let exact = p.indices.reduce(0) { sum, i in
            sum + 1 / p.indices.reduce(0) { $0 + max(p[$1] / p[i], q[$1] / q[i]) }
        }
        let variation = zip(p, q).reduce(0) { $0 + abs($1.0 - $1.1) } / 2
        #expect(abs(exact - 0.630769) < 1e-6)
        #expect(abs((1 - variation) / (1 + variation) - 0.538462) < 1e-6)
        var agreed = 0
        let samples = 100_000
        for key in 0..<samples {
            let key = StreamKey(rawValue: UInt64(key))
            let target = choose(p.map { Float(Double.log($0)) }, SamplingPolicy(temperature: 1), key: key)
            let draft = choose(q.map { Float(Double.log($0)) }, SamplingPolicy(temperature: 1), key: key)
            if target.token == draft.token { agreed += 1 }
        }
        // Four standard errors.
        #expect(abs(Double(agreed) / Double(samples) - exact) < 0.0062)
    }
}

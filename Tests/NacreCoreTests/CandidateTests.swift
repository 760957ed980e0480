import NacreCore
import RealModule
import Testing

@Suite("What an engine makes of a row")
struct CandidateTests {
    private func row(_ count: Int, seed: UInt64, scale: Double = 2) -> [Float] {
        var random = SplitMix(seed: seed)
        return (0..<count).map { _ in Float(random.normal() * scale) }
    }

    private func request(_ policy: SamplingPolicy, key: UInt64 = 3, kind: ScoreRequest.Kind = .choice) -> ScoreRequest {
        ScoreRequest(key: StreamKey(rawValue: key), index: 5, policy: policy, kind: kind)
    }

    @Test("Greedy probabilities are a softmax over the best eight logits, whatever number is asked for")
    func greedy() {
        var scratch = CoupledScratch()
        let row = row(300, seed: 1)
        let best = row.sorted(by: >).prefix(8).map(Double.init)
        let total = best.reduce(0) { $0 + Double.exp($1 - best[0]) }
        for count in [1, 3, 7] {
            let found = CoupledRule.candidates(row.span, request(.greedy), count: count, scratch: &scratch)
            #expect(found.count == count)
            for (candidate, logit) in zip(found, best) {
                #expect(Double(row[Int(candidate.token.rawValue)]) == logit)
                #expect(abs(candidate.probability - Double.exp(logit - best[0]) / total) < 1e-12)
            }
        }
        // Of more candidates, one more than asked for is compared.
        let ten = row.sorted(by: >).prefix(11).map(Double.init)
        let all = CoupledRule.candidates(row.span, request(.greedy), count: 10, scratch: &scratch)
        let sum = ten.reduce(0) { $0 + Double.exp($1 - ten[0]) }
        #expect(all.count == 10 && abs(all[9].probability - Double.exp(ten[9] - ten[0]) / sum) < 1e-12)
    }

    @Test("Sampled probabilities are a softmax over perturbed scores, fall, and stay in 0 ... 0.98", arguments: 0..<40)
    func sampled(key: UInt64) {
        var scratch = CoupledScratch()
        let row = row(200, seed: key)
        let asked = request(SamplingPolicy(temperature: 0.7), key: key)
        let found = CoupledRule.candidates(row.span, asked, count: 6, scratch: &scratch)
        #expect(found.map(\.probability) == found.map(\.probability).sorted(by: >))
        #expect(found.allSatisfy { (0...0.98).contains($0.probability) })
        #expect(found.reduce(0) { $0 + $1.probability } <= 1 + 1e-9)
        // The choice's margin is the distance of the first two scores.
        let choice = CoupledRule.choose(row.span, asked, scratch: &scratch)
        #expect(found[0].token == choice.token)
        if found[0].probability < 0.98 {
            #expect(abs(Double.log(found[0].probability / found[1].probability) - Double(choice.margin)) < 1e-4)
        }
    }

    @Test("A certain row is cut at 0.98, one without finite logits names token 0, filters leave fewer")
    func limits() {
        var scratch = CoupledScratch()
        let certain: [Float] = [0, 0, 90, 0]
        let one = CoupledRule.candidates(certain.span, request(.greedy), count: 2, scratch: &scratch)
        #expect(one[0] == Candidate(token: 2, probability: 0.98))
        let spoilt: [Float] = [.nan, .infinity, -.infinity]
        let none = CoupledRule.candidates(spoilt.span, request(.greedy), count: 2, scratch: &scratch)
        #expect(none == [Candidate(token: 0, probability: 0.98)])
        let filtered = request(SamplingPolicy(temperature: 1, topK: 3))
        #expect(CoupledRule.candidates(row(50, seed: 2).span, filtered, count: 5, scratch: &scratch).count == 3)
    }

    @Test("A row becomes what was asked for, the law and its integers after the sampler transform")
    func kinds() {
        var scratch = CoupledScratch()
        let row = row(64, seed: 4)
        let policy = SamplingPolicy(temperature: 0.9, topK: 20)
        let law = Distribution(row.span, policy, scratch: &scratch)
        let asked: [(ScoreRequest.Kind, Score)] = [
            (.choice, .choice(CoupledRule.choose(row.span, request(policy), scratch: &scratch))),
            (
                .candidates(4),
                .candidates(CoupledRule.candidates(row.span, request(policy), count: 4, scratch: &scratch))
            ), (.weights(entriesMax: 5), .weights(WeightRow(law, entriesMax: 5))), (.law, .law(law)),
        ]
        for (kind, expected) in asked {
            #expect(Score(row.span, request(policy, kind: kind), scratch: &scratch) == expected)
        }
        #expect(asked.compactMap(\.1.choice).count == 1)
    }

    @Test("A request that cannot be answered says so")
    func complaints() {
        var early = request(.greedy)
        early.index = -1
        let wrong = [
            early, request(SamplingPolicy(temperature: -1)), request(.greedy, kind: .candidates(0)),
            request(.greedy, kind: .weights(entriesMax: 0)),
        ]
        for request in wrong { #expect(request.complaint != nil) }
        for kind in [ScoreRequest.Kind.choice, .candidates(1), .weights(entriesMax: 1), .law] {
            #expect(request(.greedy, kind: kind).complaint == nil)
        }
    }
}

import NacreCore
import RealModule
import Testing

/// What `ScoreRequest.Kind.likelihood` gives, against the law written out.
@Suite struct LikelihoodTests {
    private static let logits: [Float] = [1.5, -.infinity, 0.25, .nan, -3, 1.5]

    @Test(
        "ln p is that of the temperature alone, and the choice that of the whole policy", arguments: [0, 0.7, 1, 2.5])
    func likelihood(temperature: Double) {
        let policy = SamplingPolicy(temperature: temperature, topK: 1)
        let tokens: [TokenID] = [0, 1, 2, 3, 4, 5, 99]
        let logits = Self.logits
        var scratch = CoupledScratch()
        let request = ScoreRequest(key: 3, index: 5, policy: policy, kind: .likelihood(of: tokens))
        guard case .likelihood(let said) = Score(logits.span, request, scratch: &scratch) else {
            Issue.record("another kind of score")
            return
        }
        let choice = CoupledRule.choose(logits.span, request, scratch: &scratch)
        #expect(said.choice == choice)
        let law = Distribution(logits.span, policy.jointScoring, scratch: &scratch)
        #expect(abs(said.ofChoice - Double.log(law[choice.token])) < 1e-12)
        for (token, logP) in zip(tokens, said.ofTokens) {
            let expected = Double.log(law[token])
            #expect(logP == expected || abs(logP - expected) < 1e-12, "token \(token)")
        }
    }

    @Test("a row without a finite logit is a point mass, as everywhere")
    func pointMass() {
        let row: [Float] = [.nan, -.infinity]
        var scratch = CoupledScratch()
        let request = ScoreRequest(
            key: 3, index: 5, policy: SamplingPolicy(temperature: 1), kind: .likelihood(of: [0, 1]))
        guard case .likelihood(let said) = Score(row.span, request, scratch: &scratch) else { return }
        #expect(said.choice.token == 0 && said.ofTokens == [0, -.infinity])
    }
}

import NacreCore
import RealModule
import Testing

/// What policies that stop token by token are told of a row.
@Suite struct MeasuredCandidatesTests {
    private func measured(_ row: [Float], _ policy: SamplingPolicy = .greedy) throws -> MeasuredCandidates {
        var scratch = CoupledScratch()
        let request = ScoreRequest(key: 3, index: 0, policy: policy, kind: .measured(1))
        let score = Score(row.span, request, scratch: &scratch)
        return try #require({ if case .measured(let measured) = score { measured } else { nil } }())
    }

    @Test("entropy, largest probability and margin are those of q by hand")
    func byHand() throws {
        let q = [0.5, 0.25, 0.125, 0.125]
        let found = try measured(q.map { Float(Double.log($0)) } + [-.infinity])
        #expect(found.candidates.map(\.token) == [0])
        #expect(abs(found.statistics.entropy - 1.75 * Double.log(2)) < 1e-6)
        #expect(abs(found.statistics.topProbability - 0.5) < 1e-6 && abs(found.probability - 0.5) < 1e-6)
        #expect(abs(found.statistics.margin - Double.log(2)) < 1e-6)
    }

    @Test("q is taken at the job's temperature, and its probability is that of the token proposed")
    func warm() throws {
        let row: [Float] = [0, 2, 1]
        let found = try measured(row, SamplingPolicy(temperature: 2))
        let weights = row.map { Double.exp(Double($0) / 2) }
        let total = weights.reduce(0, +)
        let token = Int(try #require(found.candidates.first).token.rawValue)
        #expect(abs(found.probability - weights[token] / total) < 1e-6)
        #expect(abs(found.statistics.topProbability - weights[1] / total) < 1e-6)
    }
}

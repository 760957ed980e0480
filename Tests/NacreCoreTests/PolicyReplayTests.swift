import NacreCore
import Testing

private let cost = StepCostModel(nodesMax: 64, priorFixed: 90_000, perNode: 10_000)

private func replay(
    _ positions: [TracePosition], _ method: ClusterScenario.Method = .speculative, roundTrip: Double = 0
) -> PolicyReplay {
    PolicyReplay(
        positions, method: method, cost: cost, draftMicroseconds: 20_000, roundTripMicroseconds: roundTrip)
}

@Suite("Replay scores policies on a trace")
struct PolicyReplayTests {
    @Test("A fixed length takes the time that its rounds take")
    func byHand() throws {
        let all = Array(repeating: TracePosition(agrees: true), count: 10)
        let score = replay(all, roundTrip: 8_000).score(try PolicySpecification(parsing: "fixed:gamma=4"))
        // Two rounds of 4 drafts and a token of the target's own; the first draft is not asked for by a verdict.
        #expect(abs(score.tokensPerSecond - 10e6 / (2 * (80_000 + 140_000 + 8_000) - 4_000)) < 1e-9)
        #expect(score.acceptanceRate == 1 && score.draftsPerPass == 4)
        let none = Array(repeating: TracePosition(agrees: false), count: 10)
        let failed = replay(none).score(try PolicySpecification(parsing: "fixed:gamma=2"))
        // The last two rounds have room for one draft and for none.
        #expect(abs(failed.tokensPerSecond - 10e6 / (8 * 160_000 + 130_000 + 100_000)) < 1e-9)
        #expect(failed.acceptanceRate == 0 && replay(none).plain == 10)
    }

    @Test("The clairvoyant is the best of all ways to divide a trace into rounds", arguments: 0..<40)
    func clairvoyant(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let positions = (0..<9).map { _ in TracePosition(agrees: random.uniform() < 0.7) }
        func best(_ from: Int) -> Double {
            guard from < positions.count else { return 0 }
            let run = positions[from...].prefix(while: \.agrees).count
            return (0...(positions.count - from - 1)).map { gamma in
                let time = Double(gamma) * 20_000 + (gamma > 0 ? 6_000 : 0) + cost.microseconds(nodes: gamma + 1)
                return time + best(from + min(run, gamma) + 1)
            }.min() ?? 0
        }
        #expect(abs(replay(positions, roundTrip: 6_000).clairvoyant - 9e6 / best(0)) < 1e-6, "seed \(seed)")
    }

    @Test(
        "No policy beats the clairvoyant, and the adaptive ones are not far from the best fixed length",
        arguments: [Agreement.bernoulli(0.8), .markov(high: 0.95, low: 0.2, stay: 0.95), .bernoulli(0.3)])
    func gap(agreement: Agreement) throws {
        let replay = replay(agreement.positions(6_000, job: 1, seed: 3))
        let oracle = replay.clairvoyant
        let fixed = try (1...12).map {
            try replay.score(PolicySpecification(parsing: "fixed:gamma=\($0)")).tokensPerSecond
        }
        let best = max(fixed.max() ?? 0, replay.plain)
        #expect(best < oracle)
        for name in PolicySpecification.Name.allCases {
            let rate = replay.score(PolicySpecification(name)).tokensPerSecond
            #expect(rate < oracle, "\(name)")
            if name == .goodput { #expect(rate > 0.95 * best, "\(rate) of \(best)") }
        }
    }

    @Test("Where entropy tells kinds of text apart, a rule that looks at it beats every fixed length")
    func entropyPays() throws {
        let replay = replay(Agreement.markov(high: 0.97, low: 0.1, stay: 0.9).positions(8_000, job: 1, seed: 9))
        let fixed = try (1...12).map {
            try replay.score(PolicySpecification(parsing: "fixed:gamma=\($0)")).tokensPerSecond
        }
        let adaedl = replay.score(PolicySpecification(.adaedl)).tokensPerSecond
        #expect(adaedl > 1.1 * (fixed.max() ?? 0), "\(adaedl) against \(fixed)")
        let thompson = replay.score(PolicySpecification(.thompson)).tokensPerSecond
        #expect(thompson > fixed.max() ?? 0, "\(thompson)")
    }

    @Test("For methods that overlap the clairvoyant is a bound")
    func overlapped() throws {
        for method in [ClusterScenario.Method.stream, .pearl] {
            let replay = replay(Agreement.bernoulli(0.8).positions(3_000, job: 1, seed: 2), method)
            #expect(replay.score(.goodput).tokensPerSecond < replay.clairvoyant)
            #expect(replay.score(.goodput).tokensPerSecond > 1.3 * replay.plain)
        }
    }

    @Test("An empty trace scores nothing")
    func empty() {
        #expect(replay([]).score(.goodput).tokensPerSecond == 0 && replay([]).clairvoyant == 0)
    }
}

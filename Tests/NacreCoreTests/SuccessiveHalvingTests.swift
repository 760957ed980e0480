import NacreCore
import RealModule
import Testing

/// The search of `nacre tune`, on rewards that are made up.
@Suite struct SuccessiveHalvingTests {
    /// Ratios with noise that all arms of a sample share, and some of their own.
    private struct World {
        let means: [Double]
        let spread: Double
        let random: PositionalRandom
        var time = 0

        init(_ means: [Double], spread: Double, seed: UInt64) {
            (self.means, self.spread) = (means, spread)
            random = PositionalRandom(key: StreamKey(rawValue: seed))
        }

        private mutating func noise() -> Double {
            time += 1
            return spread * (random.uniform(at: time, lane: .policy) * 2 - 1)
        }

        mutating func measure(_ arms: [Int]) -> [Int: Double] {
            let shared = noise()
            return Dictionary(uniqueKeysWithValues: arms.map { ($0, means[$0] * .exp(shared + noise())) })
        }
    }

    private func search(_ world: inout World, budget: Double) -> SuccessiveHalving {
        var search = SuccessiveHalving(arms: world.means.count, budget: budget)
        while let arms = search.next() {
            // A slow arm costs more.
            search.record(world.measure(arms), cost: arms.reduce(0) { $0 + 1 / world.means[$1] })
        }
        return search
    }

    @Test("the best of 33 arms is found, nearly always, and within the budget", arguments: [12.0, 24, 48])
    func finds(times: Double) {
        let means = (0..<33).map { 0.7 + 0.02 * Double(($0 * 7) % 33) }
        let best = means.indices.max { means[$0] < means[$1] }
        var found = 0
        for seed in 0..<100 as Range<UInt64> {
            var world = World(means, spread: 0.1, seed: seed)
            let search = search(&world, budget: times * 33)
            #expect(search.spent <= search.budget)
            #expect(search.ranking.count == 33 && Set(search.ranking).count == 33)
            #expect(search.samples(of: search.ranking[0]) > search.samples(of: search.ranking[32]))
            // The next best is 2 % slower.
            if let first = search.ranking.first, means[first] >= (means.max() ?? 0) - 0.021 { found += 1 }
            if times == 48, search.ranking.first == best { found += 1 }
        }
        #expect(found >= (times == 48 ? 180 : 85), "\(found)")
    }

    @Test("half of the arms leave in each round, and the finalists have the last part of the budget")
    func rounds() {
        var world = World((0..<32).map { 1 + 0.1 * Double($0) }, spread: 0.01, seed: 1)
        let search = search(&world, budget: 400)
        #expect(search.rounds.map(\.arms.count) == [32, 16, 8, 4])
        #expect(search.survivors == [31, 30, 29])
        #expect(search.rounds.allSatisfy { $0.means == $0.means.sorted(by: >) })
        #expect(search.findings.count == 3)
        #expect(search.findings[0].leads > 0.9 && search.findings[0].isBeaten == 0.5)
        #expect(search.samples(of: 31) > 4 * search.samples(of: 0))
    }

    @Test("without time for all of them those that were measured are ranked, and nothing is claimed")
    func cutShort() {
        var search = SuccessiveHalving(arms: 10, budget: 5)
        let arms = search.next()
        #expect(arms == Array(0..<10))
        search.record([0: 1.1, 3: 1.4, 2: 0.9], cost: 5)
        #expect(search.next() == nil)
        #expect(Array(search.ranking.prefix(3)) == [3, 0, 2])
        #expect(search.ranking.count == 10 && search.findings.isEmpty && search.mean(of: 7) == nil)
        search = SuccessiveHalving(arms: 10, budget: 5)
        search.record([:], cost: 6)
        #expect(search.next() == nil && search.ranking == Array(0..<10))
    }

    @Test("two arms that are equal cannot be told apart, and one that is clearly slower can")
    func certainty() {
        var leads: [Double] = []
        for seed in 0..<12 as Range<UInt64> {
            var world = World([1, 1, 0.8], spread: 0.1, seed: seed)
            let search = search(&world, budget: 90)
            let findings = Dictionary(uniqueKeysWithValues: zip(search.survivors, search.findings))
            #expect((findings[2]?.isBeaten ?? 0) > 0.99)
            leads.append(findings[0]?.leads ?? 0)
            #expect(abs((findings[0]?.leads ?? 0) + (findings[1]?.leads ?? 0) - 1) < 1e-9)
        }
        // By chance one of two equal arms seems better now and then, the other as often.
        let mean = leads.reduce(0, +) / Double(leads.count)
        #expect(abs(mean - 0.5) < 0.3, "\(mean)")
    }

    @Test("quartiles are those of the line through the sorted values")
    func quartiles() throws {
        let quartiles = try #require(Quartiles([4, 1, 3, 2, .nan]))
        #expect(quartiles.median == 2.5 && quartiles.low == 1.75 && quartiles.high == 3.25 && quartiles.count == 4)
        #expect(Quartiles([7])?.low == 7)
        #expect(Quartiles([]) == nil)
    }

    @Test("a bootstrap's interval holds the true mean about as often as it says")
    func coverage() {
        var held = 0
        for seed in 0..<60 as Range<UInt64> {
            var world = World([1.2], spread: 0.2, seed: seed)
            let samples = (0..<20).map { _ in [world.measure([0])[0] ?? 0] }
            let finding = PairedBootstrap(samples, resamples: 400).findings[0]
            if (finding.low...finding.high).contains(1.2) { held += 1 }
        }
        // 90 % of 60, less what so few samples make of it.
        #expect((42...59).contains(held), "\(held)")
    }
}

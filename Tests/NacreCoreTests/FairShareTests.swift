import NacreCore
import RealModule
import Testing

@Suite("Fairness between jobs")
struct FairShareTests {
    @Test("A weighted packing has at least 1 / w of the best expected tokens per second", arguments: 0..<40)
    func price(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let cost = StepCostModel(
            nodesMax: 64, priorFixed: 1 + 100 * random.uniform(), perNode: 1 + 20 * random.uniform())
        let alphas = (0..<5).map { _ in random.uniform() }
        let weighted = alphas.map {
            ForestPacker.Job.chain(
                available: 12, alpha: $0, weight: 1 + (FairShare.weightMax - 1) * Double(random.next() % 2))
        }
        func rate(_ counts: [Int]) -> Double {
            let tokens = zip(alphas, counts).reduce(0) { sum, pair in
                sum + (0...pair.1).reduce(0) { $0 + Double.pow(pair.0, $1) }
            }
            return tokens / cost.microseconds(nodes: 5 + counts.reduce(0, +))
        }
        let plain = alphas.map { ForestPacker.Job.chain(available: 12, alpha: $0) }
        let best = rate(ForestPacker.counts(plain, cost: cost, nodesMax: 30))
        let fair = rate(ForestPacker.counts(weighted, cost: cost, nodesMax: 30))
        #expect(fair >= best / FairShare.weightMax * (1 - 1e-12))
    }

    @Test("Among equals that cannot all be served the drafts go round; a hopeless drafter gets none for its patience")
    func round() {
        let cost = StepCostModel(nodesMax: 64, priorFixed: 1000, perNode: 1)
        func passes(_ alphas: [Double], nodesMax: Int, fair: Bool, count: Int) -> [Int] {
            var shares = alphas.map { _ in FairShare() }
            var received = alphas.map { _ in 0 }
            for _ in 0..<count {
                let candidates = zip(alphas, shares).map {
                    ForestPacker.Job.chain(available: 8, alpha: $0, weight: fair ? $1.weight : 1)
                }
                let counts = ForestPacker.counts(candidates, cost: cost, nodesMax: nodesMax)
                let even = Double(counts.reduce(0, +)) / Double(counts.count)
                for job in counts.indices {
                    received[job] += counts[job]
                    shares[job].took(counts[job], of: 8, evenShare: even)
                    #expect((0...FairShare.owedMax).contains(shares[job].owed))
                    #expect((1...FairShare.weightMax).contains(shares[job].weight))
                }
            }
            return received
        }
        // Two places for the drafts of four jobs: by index the first would have them for ever.
        let greedy = passes([0.8, 0.8, 0.8, 0.8], nodesMax: 6, fair: false, count: 100)
        #expect(greedy == [100, 100, 0, 0])
        let fair = passes([0.8, 0.8, 0.8, 0.8], nodesMax: 6, fair: true, count: 100)
        #expect(fair.allSatisfy { $0 >= 40 }, "\(fair)")
        // A little worse is made up for, far worse is not.
        let close = passes([0.8, 0.7], nodesMax: 3, fair: true, count: 200)
        #expect(close[1] >= 80 && close[0] >= 80, "\(close)")
        #expect(passes([0.8, 0.7], nodesMax: 3, fair: false, count: 200)[1] == 0)
        #expect(passes([0.9, 0.1], nodesMax: 6, fair: true, count: 100)[1] == 0)
    }

    @Test("Who has fewer drafts than its even share is owed only what it had")
    func owed() {
        var share = FairShare()
        share.took(0, of: 1, evenShare: 5)
        #expect(share.owed == 1)
        share.took(0, of: 9, evenShare: 2)
        #expect(share.owed == 3)
        share.took(2, of: 9, evenShare: 1)
        #expect(share.owed == 2)
        share.took(9, of: 9, evenShare: 1)
        #expect(share.owed == 0 && share.weight == 1)
        for _ in 0..<100 { share.took(0, of: 9, evenShare: 9) }
        #expect(share.owed == FairShare.owedMax && share.weight == FairShare.weightMax)
    }

    @Test("When not all fit, every job has its turn within as many passes as there are jobs", arguments: 0..<20)
    func turns(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let nodesMax = 1 + Int(random.next() % 6)
        let count = 1 + Int(random.next() % 12)
        let mandatory = (0..<count).map { _ in 1 + Int(random.next() % UInt64(nodesMax)) }
        var shares = mandatory.map { _ in FairShare() }
        for _ in 0..<200 {
            let turns = FairShare.turns(mandatory: mandatory, waited: shares.map(\.waited), nodesMax: nodesMax)
            #expect(!turns.isEmpty && turns == turns.sorted())
            #expect(turns.reduce(0) { $0 + mandatory[$1] } <= nodesMax)
            for job in mandatory.indices {
                if turns.contains(job) { shares[job].took(0, of: 0, evenShare: 0) } else { shares[job].wait() }
                #expect(shares[job].waited < count, "seed \(seed): job \(job) of \(count)")
            }
        }
        #expect(FairShare.turns(mandatory: [3, 9, 2], waited: [0, 5, 0], nodesMax: 6) == [0, 2])
        #expect(FairShare.turns(mandatory: [9], waited: [5], nodesMax: 6) == [])
        #expect(FairShare.turns(mandatory: [1, 1, 1], waited: [0, 0, 0], nodesMax: 64) == [0, 1, 2])
    }
}

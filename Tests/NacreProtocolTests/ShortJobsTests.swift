import NacreCore
import NacreProtocol
import Testing

/// Many short jobs that begin together, with a drafter on the verifier's cores: every text that it reads and every
/// draft makes all of them wait.
@Suite struct ShortJobsTests {
    /// A target of 350M in BF16 on two cores, as it was measured up to 8 nodes.
    private static func target(_ nodes: Int) -> Double {
        let table = [(1, 22_977.0), (2, 29_668), (4, 35_425), (8, 58_263)]
        guard let right = table.firstIndex(where: { $0.0 >= nodes }) else { return 58_263 + 5_300 * Double(nodes - 8) }
        guard right > 0 else { return table[0].1 }
        let (low, high) = (table[right - 1], table[right])
        return low.1 + (high.1 - low.1) * Double(nodes - low.0) / Double(high.0 - low.0)
    }

    /// Its drafter of 25M in Q8_0.
    private static func draft(_ nodes: Int) -> Double {
        nodes <= 8 ? 1_800 + 1_080 * Double(nodes) : 10_440 + 600 * Double(nodes - 8)
    }

    private static let prompts = [12, 35, 45, 20, 60, 40, 70, 90]

    /// Samples of `count` jobs of 32 tokens, drafted and plain in alternation.
    ///
    /// - Parameter alone: drafted samples of one job that come before them.
    private static func samples(
        of count: Int, _ setting: TurnsLoop.Setting, after alone: Int = 0
    ) -> (drafted: [TurnsLoop.Sample], plain: [TurnsLoop.Sample]) {
        var loop = TurnsLoop(setting)
        for turn in 0..<alone {
            let prompt = Self.prompts[turn % Self.prompts.count]
            _ = loop.run(Speculation(.speculative), prompts: [prompt], tokens: 32)
        }
        let prompts = (0..<count).map { Self.prompts[$0 % Self.prompts.count] }
        var (drafted, plain): ([TurnsLoop.Sample], [TurnsLoop.Sample]) = ([], [])
        for turn in 0..<8 {
            for step in 0..<2 {
                if (turn + step) % 2 == 0 {
                    drafted.append(loop.run(Speculation(.speculative), prompts: prompts, tokens: 32))
                } else {
                    plain.append(loop.run(Speculation(.autoregressive), prompts: prompts, tokens: 32))
                }
            }
        }
        return (drafted, plain)
    }

    /// How much faster the drafted samples were, the first apart, in which the pair is learnt.
    private static func ratio(_ samples: (drafted: [TurnsLoop.Sample], plain: [TurnsLoop.Sample])) -> Double {
        func time(_ samples: [TurnsLoop.Sample]) -> Double {
            samples.dropFirst().reduce(0) { $0 + 1 / $1.rate }
        }
        return time(samples.plain) / time(samples.drafted)
    }

    @Test("they lose less than 2 % where drafts do not pay", arguments: [8, 16], [0, 65, 85])
    func neverSlower(jobs: Int, agreement: Int) {
        var setting = TurnsLoop.Setting(target: Self.target, draft: Self.draft)
        setting.agreement = agreement
        let samples = Self.samples(of: jobs, setting)
        let words = samples.drafted.map { "\n\($0)" }.joined()
        #expect(Self.ratio(samples) > 0.98, "\(words)")
        #expect(samples.drafted[0].rate > 0.95 * samples.plain[0].rate, "\(words)")
        #expect(samples.plain.allSatisfy { $0.opened == 0 && $0.draftPasses == 0 })
        guard jobs == 16 else { return }
        // So many could not win anything even by drafts that all stand.
        #expect(samples.drafted.dropFirst().allSatisfy { $0.opened == 0 && $0.drafts == 0 }, "\(words)")
    }

    @Test("they lose less than 2 % where drafts of a lone job paid", arguments: [4, 8, 16], [65, 85])
    func neverSlowerAfterAlone(jobs: Int, agreement: Int) {
        var setting = TurnsLoop.Setting(target: Self.target, draft: Self.draft)
        setting.agreement = agreement
        let samples = Self.samples(of: jobs, setting, after: 24)
        let words = zip(samples.drafted, samples.plain).map { "\n\($0.rate / $1.rate): \($0)" }.joined()
        #expect(Self.ratio(samples) > 0.98, "\(words)")
        // What the others' lone job won says nothing of this load: no text is read on the strength of that.
        if jobs > 4 { #expect(samples.drafted[0].opened == 0, "\(words)") }
    }

    @Test("a lone one drafts, where drafts stand")
    func lone() {
        var setting = TurnsLoop.Setting(target: Self.target, draft: Self.draft)
        setting.agreement = 85
        let samples = Self.samples(of: 1, setting)
        let words = samples.drafted.map { "\n\($0)" }.joined()
        #expect(Self.ratio(samples) > 1.2, "\(words)")
        #expect(samples.drafted.allSatisfy { $0.opened == 1 && $0.drafting > 5 }, "\(words)")
    }
}

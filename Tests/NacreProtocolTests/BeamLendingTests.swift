import NacreCore
import NacreEngine
import NacreProtocol
import TestStatistics
import Testing

/// The beams of one job divided among verifiers (ALGORITHMS 4, "over hosts").
@Suite struct BeamLendingTests {
    private static func setting(_ speculation: Speculation, helpers: Int = 1) -> MachineLoop.Setting {
        var language = TabularLanguage(vocabulary: 5, seed: 41)
        language.agreement = 0.5
        var setting = MachineLoop.Setting(language: language, speculation: speculation)
        setting.speculation.helpers = helpers
        (setting.helpers, setting.length, setting.ends) = (helpers, 24, [4])
        return setting
    }

    private static func beam(_ width: Int) -> Speculation {
        Speculation(.beam, beams: BeamSettings(width: width, answers: 16))
    }

    private static func dsbd(_ width: Int, draws: Int, gamma: Int) -> Speculation {
        Speculation(
            .dsbd, gamma: gamma, shape: .forest(draws: draws), beams: BeamSettings(width: width, answers: 16))
    }

    private func answers(
        _ setting: MachineLoop.Setting, jobs: UInt64 = 60, seed: UInt64
    ) -> (answers: [JobID: [BeamAnswer]], statistics: JobStatistics) {
        var loop = MachineLoop(setting, seed: seed)
        _ = loop.run(keys: 0..<jobs)
        return (loop.answers, loop.statistics)
    }

    @Test(
        "Whoever scores the trees, a job of method beam draws the same beams, to the last bit of their likelihoods",
        arguments: [(2, 1), (4, 1), (4, 2), (5, 3), (3, 4)],
        [SamplingPolicy(temperature: 1), SamplingPolicy(temperature: 0.7, topK: 3, topP: 0.9)])
    func same(_ size: (width: Int, helpers: Int), _ sampling: SamplingPolicy) {
        var divided = Self.setting(Self.beam(size.width), helpers: size.helpers)
        divided.sampling = sampling
        var alone = Self.setting(Self.beam(size.width), helpers: 0)
        alone.sampling = sampling
        let found = answers(divided, seed: 1)
        #expect(found.answers == answers(alone, seed: 2).answers && found.answers.count == 60)
    }

    @Test("With a fixed width the beams of a divided forest have the law of direct beam sampling")
    func law() {
        for (helpers, messages) in [(1, Int.max), (2, Int.max), (1, 3_000)] {
            var divided = Self.setting(Self.dsbd(3, draws: 4, gamma: 2), helpers: helpers)
            divided.language = TabularLanguage(vocabulary: 3, seed: 31)
            divided.language.agreement = 0.5
            (divided.length, divided.ends, divided.helperMessages) = (5, [2], messages)
            var alone = divided
            (alone.speculation, alone.helpers) = (Self.beam(3), 0)
            func texts(_ setting: MachineLoop.Setting, jobs: UInt64, seed: UInt64) -> [[[TokenID]: Int]: Int] {
                answers(setting, jobs: jobs, seed: seed).answers.values.reduce(into: [:]) { counts, answers in
                    let beams = Dictionary(answers.map { ($0.tokens, $0.copies) }, uniquingKeysWith: +)
                    counts[beams, default: 0] += 1
                }
            }
            let samples = 6_000
            let expected = texts(alone, jobs: UInt64(samples), seed: 3).mapValues { Double($0) / Double(samples) }
            let found = texts(divided, jobs: 2_500, seed: 4)
            #expect(twoSamplePValue(found, expected, of: samples) > 1e-4)
        }
    }

    @Test("Helpers score drafts that the beams then stand on")
    func used() {
        let statistics = answers(Self.setting(Self.dsbd(4, draws: 4, gamma: 3)), seed: 5).statistics
        #expect(statistics.shardsSent > 100)
        #expect(statistics.shardsUsed > 0)
    }

    @Test("No more than a share is lent, to whoever has read most of it", arguments: [(2, 1), (4, 1), (4, 2), (6, 2)])
    func readings(_ size: (width: Int, helpers: Int)) {
        var loop = MachineLoop(Self.setting(Self.beam(size.width), helpers: size.helpers), seed: 3)
        _ = loop.run(keys: 0..<60)
        let (trees, tokens) = loop.helpers.reduce((0, 0)) { ($0.0 + $1.lent.trees, $0.1 + $1.lent.tokens) }
        // A row for each tree that stays: each of the hosts has as many at most.
        #expect(trees > 200 && trees <= size.helpers * loop.rowsAtHome, "\(trees) trees, \(loop.rowsAtHome) rows")
        // One token is new in each round; lent to anybody they take 2.03 to 2.22.
        #expect(Double(tokens) < 1.9 * Double(trees), "\(tokens) tokens read for \(trees) trees")
    }

    @Test("A helper that is gone in the middle of a job changes no beam", arguments: [1, 2, 3, 5, 8, 13, 40])
    func lost(messages: Int) {
        var divided = Self.setting(Self.beam(4))
        divided.helperMessages = messages
        var alone = divided
        (alone.helpers, alone.speculation.helpers) = (0, 0)
        #expect(answers(divided, jobs: 10, seed: 6).answers == answers(alone, jobs: 10, seed: 7).answers)
    }

    @Test("A tree that comes back to a helper which has its text is scored", arguments: [1, 2, 3, 5, 8, 13, 40])
    func lentAgain(messages: Int) {
        var divided = Self.setting(Self.beam(4), helpers: 2)
        divided.helperMessages = messages
        var alone = divided
        (alone.helpers, alone.speculation.helpers) = (0, 0)
        #expect(answers(divided, jobs: 10, seed: 6).answers == answers(alone, jobs: 10, seed: 7).answers)
    }

    @Test("A pass that holds less than what a beam's text lacks reads it in parts")
    func parts() {
        var divided = Self.setting(Self.beam(3))
        (divided.nodesMax, divided.length, divided.helperMessages) = (8, 60, 30)
        divided.branches = 8
        var alone = divided
        (alone.helpers, alone.speculation.helpers) = (0, 0)
        #expect(answers(divided, jobs: 10, seed: 8).answers == answers(alone, jobs: 10, seed: 9).answers)
    }

    @Test("A row is the same on the other side, whatever the sampler leaves of it")
    func rows() throws {
        for seed in 0..<50 as Range<UInt64> {
            var dice = Dice(seed: seed)
            let logits = (0..<40).map { _ in Float(dice.next() % 1_000) / 100 }
            for sampling in [
                SamplingPolicy(temperature: 1), SamplingPolicy(temperature: 0.6, topK: 5),
                SamplingPolicy(temperature: 1.4, topP: 0.7),
                SamplingPolicy(temperature: 1, topK: 20, topP: 0.9, minP: 0.05),
            ] {
                var scratch = CoupledScratch()
                let row = DraftBeams.Row(
                    scoring: Distribution(logits.span, sampling.jointScoring, scratch: &scratch), sampling)
                let other = try BeamRow(row).row(vocabularySize: 40, sampling)
                #expect(other.draw == row.draw)
                for token in 0..<40 as Range<UInt32> where row.draw[TokenID(rawValue: token)] > 0 {
                    #expect(other.score[TokenID(rawValue: token)] == row.score[TokenID(rawValue: token)])
                }
            }
        }
    }

    @Test("A row that is no part of a law is refused")
    func refused() {
        let sampling = SamplingPolicy(temperature: 1, topK: 2)
        for row in [
            BeamRow(), BeamRow(tokens: [1], probabilities: []), BeamRow(tokens: [2, 1], probabilities: [0.1, 0.1]),
            BeamRow(tokens: [1, 1], probabilities: [0.1, 0.1]), BeamRow(tokens: [5], probabilities: [0.5]),
            BeamRow(tokens: [1], probabilities: [0]), BeamRow(tokens: [1], probabilities: [.nan]),
            BeamRow(tokens: [1, 2], probabilities: [0.7, 0.7]),
        ] {
            #expect(throws: PayloadFault.self) { try row.row(vocabularySize: 5, sampling) }
        }
        let part = BeamRow(tokens: [1, 2], probabilities: [0.2, 0.3])
        #expect(throws: PayloadFault.self) { try part.row(vocabularySize: 5, SamplingPolicy(temperature: 1)) }
        #expect(throws: Never.self) { try part.row(vocabularySize: 5, sampling) }
        // The beams of a whole law are held to a sum of 1: rounding passes, more does not, also where it is little.
        for (excess, isLaw) in [(1e-13, true), (-1e-13, true), (5e-10, false), (-5e-10, false)] {
            let whole = BeamRow(tokens: [1, 2], probabilities: [0.25, 0.75 + excess])
            let row = try? whole.row(vocabularySize: 5, SamplingPolicy(temperature: 1))
            #expect((row != nil) == isLaw, "\(excess)")
        }
    }

    @Test("Rows that take several messages are put together again", arguments: [1, 2, 3, 4, 7, 100])
    func pieces(entriesMax: Int) throws {
        let sampling = SamplingPolicy(temperature: 1, topK: 3)
        let rows = [
            BeamRow(tokens: [0, 2, 3], probabilities: [0.5, 0.25, 0.125]), BeamRow(tokens: [4], probabilities: [1]),
            BeamRow(tokens: [1, 2], probabilities: [0.5, 0.5]),
        ]
        var helper = ScoreHelper(address: "h", stream: 1, wantsRows: true)
        var drafts = DraftTree(root: 4)
        _ = drafts.append(4, under: drafts.append(2, under: nil, probability: 1), probability: 1)
        helper.shard = ScoreHelper.Shard(number: 5, base: 4, drafts: drafts, sent: 0)
        let parts = Scores.parts(of: rows, stream: 1, shard: 5, microseconds: 1, entriesMax: entriesMax)
        #expect(parts.count == (6 + entriesMax - 1) / entriesMax)
        for part in parts {
            #expect(helper.shard?.rows == nil)
            try helper.receiveRows(part, at: 9, vocabularySize: 5, sampling)
        }
        let expected = try rows.map { row throws(PayloadFault) in try row.row(vocabularySize: 5, sampling) }
        #expect(helper.shard?.rows == expected)
        #expect(helper.response == 9)
    }
}

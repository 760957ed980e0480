import NacreCore
import NacreEngine
import NacreProtocol
import RealModule
import TestStatistics
import Testing

/// Methods beam and dsbd through the machines of verifier and drafter: the law of the beams, and what happens around
/// it (ALGORITHMS 4).
@Suite struct BeamMachineTests {
    private static func dsbd(
        _ width: Int, draws: Int, gamma: Int, dynamic: DynamicWidth? = nil, survivor: TargetBeams.Survivor? = nil
    ) -> Speculation {
        Speculation(
            .dsbd, gamma: gamma, shape: .forest(draws: draws),
            beams: BeamSettings(width: width, dynamic: dynamic, survivor: survivor, answers: 16))
    }

    private static func beam(_ width: Int) -> Speculation {
        Speculation(.beam, beams: BeamSettings(width: width, answers: 16))
    }

    /// Beam sampling of whole texts: what a job answers, best first.
    private func direct(_ setting: MachineLoop.Setting, key: StreamKey) -> [Beam] {
        let width = setting.speculation.beams.width
        var beams = TargetBeams(ends: setting.ends, endsMax: width)
        var chance = KeyedChance(key: key)
        while beams.index < setting.length, !beams.isOver {
            let before = beams
            BeamSampling(width: width).step(&beams, chance: &chance) { beam in
                setting.law(after: setting.prompt + before.live[beam].text.tokens)
            }
        }
        return multiset(beams.answers(16).map { Beam(text: $0.tokens, copies: $0.copies) })
    }

    private func multiset(_ beams: [Beam]) -> [Beam] { beams.sorted { $0.text.lexicographicallyPrecedes($1.text) } }

    /// A text among the beams, and how many of them it is.
    struct Beam: Hashable {
        var text: [TokenID]
        var copies: Int
    }

    /// Frequencies of multisets of beams.
    func expected(_ setting: MachineLoop.Setting, samples: UInt64 = 12_000) -> [[Beam]: Double] {
        var law: [[Beam]: Double] = [:]
        for key in 0..<samples {
            let answers = direct(setting, key: StreamKey(rawValue: key &* 0xD6E8_FEB8_6659_FD93 &+ 77))
            law[answers, default: 0] += 1 / Double(samples)
        }
        return law
    }

    func counts(_ setting: MachineLoop.Setting, jobs: UInt64, seed: UInt64 = 5) -> [[Beam]: Int] {
        var loop = MachineLoop(setting, seed: seed)
        _ = loop.run(keys: 0..<jobs)
        return loop.answers.values.reduce(into: [:]) { counts, answers in
            counts[multiset(answers.map { Beam(text: $0.tokens, copies: $0.copies) }), default: 0] += 1
        }
    }

    static let ways: [(Speculation, ends: Set<TokenID>, sampling: SamplingPolicy)] = [
        (beam(2), [], SamplingPolicy(temperature: 1)), (beam(3), [2], SamplingPolicy(temperature: 1)),
        (dsbd(2, draws: 2, gamma: 1), [], SamplingPolicy(temperature: 1)),
        (dsbd(2, draws: 3, gamma: 2), [2], SamplingPolicy(temperature: 1)),
        (dsbd(3, draws: 2, gamma: 3), [], SamplingPolicy(temperature: 0.7)),
        (dsbd(1, draws: 4, gamma: 2), [], SamplingPolicy(temperature: 1)),
        (dsbd(2, draws: 4, gamma: 2), [], SamplingPolicy(temperature: 1, topK: 2)),
    ]

    @Test("With a fixed width the beams that a job answers have the law of direct beam sampling", arguments: ways)
    func law(of speculation: Speculation, ends: Set<TokenID>, sampling: SamplingPolicy) {
        var language = TabularLanguage(vocabulary: 3, seed: 31)
        language.agreement = 0.5
        var setting = MachineLoop.Setting(language: language, speculation: speculation)
        (setting.length, setting.ends, setting.sampling) = (3, ends, sampling)
        #expect(twoSamplePValue(counts(setting, jobs: 2_500), expected(setting), of: 12_000) > 1e-4)
    }

    @Test("The comparison finds a law of another width, and that of a width that follows the drafts")
    func power() {
        var language = TabularLanguage(vocabulary: 3, seed: 31)
        language.agreement = 0.5
        for speculation in [
            Self.dsbd(3, draws: 3, gamma: 2), Self.dsbd(2, draws: 3, gamma: 2, dynamic: DynamicWidth(threshold: 0.5)),
        ] {
            var setting = MachineLoop.Setting(language: language, speculation: speculation)
            setting.length = 3
            let found = counts(setting, jobs: 4_000)
            setting.speculation = Self.beam(2)
            #expect(twoSamplePValue(found, expected(setting), of: 12_000) < 1e-6)
        }
    }

    @Test("One beam and one draw a layer is vanilla speculative decoding in law")
    func vanilla() {
        var language = TabularLanguage(vocabulary: 3, seed: 33)
        language.agreement = 0.6
        func texts(_ speculation: Speculation) -> [[TokenID]: Int] {
            var setting = MachineLoop.Setting(language: language, speculation: speculation)
            setting.length = 3
            var loop = MachineLoop(setting, seed: 4)
            return loop.run(keys: 0..<5_000).reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        let (vanilla, beams) = (
            texts(Speculation(.speculative, gamma: 2, rule: .rejection)), texts(Self.dsbd(1, draws: 1, gamma: 2))
        )
        let total = Double(vanilla.values.reduce(0, +))
        #expect(twoSamplePValue(beams, vanilla.mapValues { Double($0) / total }, of: Int(total)) > 1e-4)
    }

    @Test("A job of method beam is a function of its seed, whatever else the verifier does")
    func seeded() {
        let language = TabularLanguage(vocabulary: 5, seed: 34)
        var setting = MachineLoop.Setting(language: language, speculation: Self.beam(4))
        (setting.length, setting.ends) = (12, [4])
        var loops = [MachineLoop(setting, seed: 1), MachineLoop(setting, seed: 2)]
        for loop in loops.indices { _ = loops[loop].run(keys: 0..<40) }
        #expect(loops[0].answers == loops[1].answers && loops[0].answers.count == 40)
    }

    @Test(
        "Answers are ranked by likelihood per token, and each is as likely as it says, whoever scored its drafts",
        arguments: [(beam(4), 0), (dsbd(4, draws: 4, gamma: 3), 0), (dsbd(2, draws: 8, gamma: 3), 1)])
    func likelihoods(_ speculation: Speculation, helpers: Int) {
        let language = TabularLanguage(vocabulary: 5, seed: 35)
        var setting = MachineLoop.Setting(language: language, speculation: speculation)
        (setting.helpers, setting.speculation.helpers) = (helpers, helpers)
        (setting.length, setting.ends) = (10, [4])
        // Likelihoods are those of the whole law, whatever is drawn from.
        setting.sampling = SamplingPolicy(temperature: 1, topK: 3)
        var loop = MachineLoop(setting, seed: 6)
        let texts = loop.run(keys: 0..<40)
        setting.sampling = SamplingPolicy(temperature: 1)
        var total = 0.0
        for (key, text) in texts.enumerated() {
            let answers = loop.answers[JobID(high: 0, low: UInt64(key))] ?? []
            #expect(answers.first?.tokens == text)
            let scores = answers.map { $0.logLikelihood / Double($0.tokens.count) }
            #expect(scores == scores.sorted(by: >))
            for answer in answers {
                let joint = answer.tokens.indices.reduce(0.0) { sum, place in
                    let row = setting.law(after: setting.prompt + answer.tokens[..<place])
                    return sum + Double.log(row[answer.tokens[place]])
                }
                #expect(abs(joint - answer.logLikelihood) < 1e-4)
                #expect(answer.hasEnded == (answer.tokens.last == 4))
                #expect(answer.hasEnded || answer.tokens.count == 10)
            }
            total += answers[0].logLikelihood
        }
        #expect(abs(loop.statistics.logLikelihood - total) < 1e-6)
    }

    @Test("With drafts fewer passes than tokens, and all beams of a step share one")
    func passes() {
        var language = TabularLanguage(vocabulary: 5, seed: 36)
        language.agreement = 0.95
        func statistics(_ speculation: Speculation) -> JobStatistics {
            var setting = MachineLoop.Setting(language: language, speculation: speculation)
            setting.length = 24
            var loop = MachineLoop(setting, seed: 7)
            _ = loop.run(keys: 0..<20)
            return loop.statistics
        }
        let (plain, drafted) = (statistics(Self.beam(3)), statistics(Self.dsbd(3, draws: 4, gamma: 3)))
        #expect(plain.rounds == 20 * 24 && plain.drafted == 0)
        // The first steps may come before the drafter has read the prompt.
        #expect(drafted.rounds < plain.rounds * 3 / 4, "\(drafted.rounds)")
        #expect(drafted.accepted > 0 && drafted.drafted > drafted.accepted && drafted.verified > 0)
    }

    static let lossy = [
        dsbd(4, draws: 4, gamma: 3, dynamic: DynamicWidth(threshold: 0.7, widthMin: 2)),
        dsbd(3, draws: 4, gamma: 2, survivor: .drawn), dsbd(3, draws: 4, gamma: 2, survivor: .likeliest),
    ]

    @Test("A dynamic width and a beam kept alone go to the end, and say that they are lossy", arguments: lossy)
    func lossyVariants(_ speculation: Speculation) {
        #expect(speculation.isLossy && !Self.dsbd(4, draws: 4, gamma: 3).isLossy && !Self.beam(2).isLossy)
        var language = TabularLanguage(vocabulary: 5, seed: 37)
        language.agreement = 0.8
        for (branches, nodesMax) in [(16, 64), (10, 8)] {
            var setting = MachineLoop.Setting(language: language, speculation: speculation)
            (setting.length, setting.branches, setting.nodesMax) = (20, branches, nodesMax)
            var loop = MachineLoop(setting, seed: 8)
            #expect(loop.run(keys: 0..<20).allSatisfy { $0.count == 20 })
        }
    }

    @Test("Without a drafter a dynamic width is the width asked for in every round: the beams are those of method beam")
    func undrafted() {
        let language = TabularLanguage(vocabulary: 5, seed: 39)
        func answers(_ speculation: Speculation) -> [JobID: [BeamAnswer]] {
            var setting = MachineLoop.Setting(language: language, speculation: speculation)
            (setting.length, setting.ends, setting.drafterMessages) = (12, [4], 0)
            var loop = MachineLoop(setting, seed: 9)
            _ = loop.run(keys: 0..<40)
            return loop.answers
        }
        let plain = answers(Self.beam(4))
        for dynamic in [DynamicWidth(threshold: 1), DynamicWidth(threshold: 0.2, widthMin: 3)] {
            #expect(answers(Self.dsbd(4, draws: 4, gamma: 2, dynamic: dynamic)) == plain)
        }
        #expect(plain.count == 40)
    }

    @Test(
        "Once the drafter is gone a dynamic width is the width asked for again, however narrow it was",
        arguments: [9, 16, 25, 40])
    func drafterGone(messages: Int) {
        var language = TabularLanguage(vocabulary: 5, seed: 40)
        language.agreement = 0.3
        // So sure are no drafts: drafted rounds have one beam.
        let speculation = Self.dsbd(4, draws: 2, gamma: 2, dynamic: DynamicWidth(threshold: 1))
        var setting = MachineLoop.Setting(language: language, speculation: speculation)
        (setting.length, setting.drafterMessages) = (30, messages)
        var loop = MachineLoop(setting, seed: 10)
        _ = loop.run(keys: 0..<2)
        #expect(loop.statistics.judged > 0 && loop.answers.count == 2)
        for answers in loop.answers.values { #expect(answers.reduce(0) { $0 + $1.copies } == 4, "\(answers)") }
    }

    @Test("Little room takes layers of drafts, never the law: how much there is does not depend on the layer's draws")
    func littleRoom() {
        var language = TabularLanguage(vocabulary: 3, seed: 38)
        language.agreement = 0.7
        for (branches, nodesMax) in [(8, 64), (16, 8), (5, 6)] {
            var setting = MachineLoop.Setting(language: language, speculation: Self.dsbd(2, draws: 3, gamma: 3))
            (setting.length, setting.branches, setting.nodesMax) = (3, branches, nodesMax)
            #expect(twoSamplePValue(counts(setting, jobs: 2_000), expected(setting), of: 12_000) > 1e-4)
        }
    }
}

extension MachineLoop.Setting {
    /// The target's law behind a text, after the sampler transform.
    func law(after text: [TokenID]) -> Distribution {
        var scratch = CoupledScratch()
        var logits: [Float] = []
        language.target.logits(after: text[...], into: &logits)
        return DraftBeams.Row(
            scoring: Distribution(logits.span, sampling.jointScoring, scratch: &scratch), sampling
        ).draw
    }
}

/// The p-value of counts against frequencies among `of` samples, by chi-square of two samples; rare outcomes are put
/// together.
func twoSamplePValue<Outcome: Hashable>(
    _ counts: [Outcome: Int], _ frequencies: [Outcome: Double], of samples: Int
) -> Double {
    let total = Double(counts.values.reduce(0, +))
    let (one, two) = (total, Double(samples))
    var cells: [(Double, Double)] = []
    var rest = (0.0, 0.0)
    for outcome in Set(counts.keys).union(frequencies.keys) {
        let cell = (Double(counts[outcome] ?? 0), (frequencies[outcome] ?? 0) * two)
        if (cell.0 + cell.1) * min(one, two) / (one + two) < 5 {
            rest = (rest.0 + cell.0, rest.1 + cell.1)
        } else {
            cells.append(cell)
        }
    }
    if rest.0 + rest.1 > 0 { cells.append(rest) }
    let statistic = cells.reduce(0.0) { sum, cell in
        let difference = (two / one).squareRoot() * cell.0 - (one / two).squareRoot() * cell.1
        return sum + difference * difference / (cell.0 + cell.1)
    }
    return upperIncompleteGamma(Double(cells.count - 1) / 2, statistic / 2)
}

import NacreCore
import NacreEngine
import NacreProtocol
import TestStatistics
import Testing

/// Drafters of another vocabulary, through the machines (ALGORITHMS 5).
@Suite struct BridgedDraftingTests {
    #if DEBUG
        private static let keys: UInt64 = 400
    #else
        private static let keys: UInt64 = 1_500
    #endif

    private static func tree(_ widths: Int...) -> DraftShape {
        (try? TreeShape(widths)).map(DraftShape.fixed) ?? .chain
    }

    private static let methods: [DecodingMethod] = [.stream, .speculative, .pearl]

    private static func setting(_ toy: ToyBridge, _ speculation: Speculation) -> MachineLoop.Setting {
        var setting = MachineLoop.Setting(
            language: TabularLanguage(vocabulary: toy.target.vocabularySize, seed: 21), speculation: speculation)
        setting.bridge = toy
        setting.ends = toy.target.end.map { [$0] } ?? []
        return setting
    }

    // MARK: - Tokens

    /// Every way to draft that may not change a token.
    private static let own: [Speculation] = methods.flatMap { method in
        VerifyRuleKind.allCases.flatMap { rule in
            [DraftShape.chain, tree(2, 2, 1), .best(nodesMax: 9, width: 3)].flatMap { shape in
                [(0, 1), (4, 1), (0, 2)].compactMap { branches, drafters in
                    let speculation = Speculation(
                        method, gamma: 3, rule: rule, shape: shape, branches: branches, drafters: drafters)
                    return speculation.complaint(under: .greedy) == nil ? speculation : nil
                }
            }
        }
    }

    @Test(
        "what is committed is the target's own choice, whatever the drafter's vocabulary",
        arguments: ToyBridge.all(.tli, .slem, .slrs) + ToyBridge.littleShared)
    func tokens(_ toy: ToyBridge) {
        for speculation in Self.own {
            for sampling in [.greedy, SamplingPolicy(temperature: 1)] {
                guard sampling.isGreedy || speculation.rule == .coupled else { continue }
                var setting = Self.setting(toy, speculation)
                (setting.sampling, setting.length) = (sampling, 12)
                var loop = MachineLoop(setting, seed: 7)
                for (key, text) in loop.run(keys: 0..<4).enumerated() {
                    let own = setting.language.text(
                        after: setting.prompt, length: setting.length, ends: setting.ends,
                        key: StreamKey(rawValue: UInt64(key) &* 0x9E37_79B9), sampling)
                    #expect(text == own, "\(speculation), key \(key)")
                }
            }
        }
    }

    // MARK: - Laws

    /// Four pairs of vocabularies with two or three ways to draft each, so that each way has two pairs, or one where
    /// tests are not thorough: each pair one way at least.
    private static func laws(_ kind: BridgeKind) -> [(ToyBridge, Int)] {
        let turn = kind == .slem ? 2 : 0
        return ToyBridge.all(kind).prefix(4).enumerated().flatMap { place, toy in
            drawn.indices.covering { ($0 - place + turn) % 4 == 0 }.filter { (place + $0) % 2 == 0 }.map { (toy, $0) }
        }
    }

    @Test("TLI: chi-square on tabular models with partial overlap", arguments: laws(.tli))
    func intersectionLaw(_ toy: ToyBridge, number: Int) { checkLaw(toy, number) }

    @Test("SLEM: chi-square on tabular models", arguments: laws(.slem))
    func exactMatchLaw(_ toy: ToyBridge, number: Int) { checkLaw(toy, number) }

    @Test("SLRS: chi-square on tabular models", arguments: laws(.slrs))
    func stringRejectionLaw(_ toy: ToyBridge, number: Int) { checkLaw(toy, number) }

    /// Each with two ways to draft that draw and one that is coupled. The last that draws judges too few of such drafts.
    private static let littleShared = ToyBridge.littleShared.enumerated().flatMap { place, toy in
        (drawn.indices.dropLast().filter { (place + $0) % 2 == 0 } + [drawn.count]).map { (toy, $0) }
    }

    @Test(
        "TLI that goes by text where too little of q is shared: chi-square on tabular models, drawn and coupled",
        arguments: littleShared)
    func littleSharedLaw(_ toy: ToyBridge, number: Int) {
        let loop = checkLaw(toy, number)
        let mass = loop.bridgedEngines.reduce((rows: 0, low: 0)) { ($0.rows + $1.mass.rows, $0.low + $1.mass.low) }
        #expect(mass.low > mass.rows / 20 && mass.low < mass.rows, "\(mass)")
    }

    private static let drawn = [
        Speculation(.stream, gamma: 2, rule: .rejection),
        Speculation(.speculative, gamma: 2, rule: .rejection, payload: .scalar),
        Speculation(.pearl, gamma: 3, rule: .block),
        Speculation(.speculative, rule: .rejection, shape: tree(2, 2)),
        Speculation(.stream, rule: .rejection, shape: .best(nodesMax: 6, width: 2)),
    ]

    @discardableResult private func checkLaw(_ toy: ToyBridge, _ number: Int) -> MachineLoop {
        let speculation = (Self.drawn + [Speculation(.stream, gamma: 3)])[number]
        let setting = Self.setting(toy, speculation)
        var loop = MachineLoop(setting, seed: 5)
        var counts: [[TokenID]: Int] = [:]
        for text in loop.run(keys: 0..<Self.keys) { counts[Array(text.prefix(3)), default: 0] += 1 }
        let far = excess(
            of: counts, over: setting.language.law(after: setting.prompt, length: 3, ends: setting.ends))
        #expect(far < 3.7, "\(far) standard deviations")
        #expect(loop.statistics.accepted > Self.keys / 20, "hardly a draft was judged")
        return loop
    }

    // MARK: - Beams

    /// What asks the drafter for rows of several beams at once.
    private static let beams: [Speculation] = [
        Speculation(.dsbd, gamma: 3, shape: .forest(draws: 3), beams: BeamSettings(width: 2, answers: 16)),
        Speculation(.dsbd, gamma: 2, shape: .forest(draws: 2), beams: BeamSettings(width: 1, answers: 16)),
        Speculation(.mtad, gamma: 3, shape: .beams(width: 3, onePath: false), tau: 0.3),
        Speculation(.mtad, gamma: 3, shape: .beams(width: 2, onePath: true), siblings: .independent, tau: 0.3),
    ]

    @Test(
        "Where a bridge has no row for a beam, inside of a character or at the end of the drafter's context, jobs go on",
        arguments: ToyBridge.all(.tli, .slem, .mixed, .slrs), [400, 7])
    func rowless(_ toy: ToyBridge, contextMax: Int) {
        var toy = toy
        toy.contextMax = contextMax
        for speculation in Self.beams {
            for sampling in [SamplingPolicy.greedy, SamplingPolicy(temperature: 1)] {
                guard speculation.complaint(under: sampling) == nil else { continue }
                var setting = Self.setting(toy, speculation)
                (setting.sampling, setting.length) = (sampling, 10)
                var loop = MachineLoop(setting, seed: 11)
                let texts = loop.run(keys: 0..<12)
                #expect(
                    texts.allSatisfy { $0.count == setting.length || setting.ends.contains($0.last ?? 0) },
                    "\(speculation)")
                #expect(loop.statistics.judged > 0, "\(speculation): nothing was drafted")
            }
        }
    }

    /// Bridges with the drafter's context; where tests are not thorough, long and short in turn.
    private static let beamLaws: [(ToyBridge, Int)] =
        (ToyBridge.all(.tli).prefix(4) + ToyBridge.all(.slem).prefix(1)).enumerated().flatMap { place, toy in
            [400, 4].covering { $0 == place % 2 }.map { (toy, $0) }
        }

    @Test("DSBD over a bridge has the law of direct beam sampling, short of a row or not", arguments: beamLaws)
    func beamLaw(_ toy: ToyBridge, contextMax: Int) {
        var toy = toy
        toy.contextMax = contextMax
        var setting = Self.setting(toy, Self.beams[0])
        setting.length = 3
        let beams = BeamMachineTests()
        let p = twoSamplePValue(
            beams.counts(setting, jobs: 4 * Self.keys), beams.expected(setting, samples: 8_000), of: 8_000)
        #expect(p > 1e-4)
    }
}

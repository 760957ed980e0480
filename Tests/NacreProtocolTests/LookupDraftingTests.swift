import NacreCore
import NacreProtocol
import Testing

/// Drafters without a model, and lookups beside one.
@Suite struct LookupDraftingTests {
    private static let repeated: [TokenID] = [1, 2, 3, 1, 2]

    @Test("without a model a stream is ready at once, drafts what followed before, and stops at its window")
    func window() {
        var rig = DrafterRig(lookups: [.suffix], hasModel: false)
        #expect(rig.open(0, Self.repeated, limit: 8) == ["ready", "312 at 5+0 epoch 0 windowFull"])
        #expect(rig.verdict([3, 1], committed: 7, next: 1, limit: 10) == ["31 at 5+3 epoch 0 windowFull"])
        #expect(rig.pass == nil, "there is no model to run")
    }

    @Test("where nothing is known the verdict is answered all the same, and the next one asks again")
    func nothingKnown() {
        var rig = DrafterRig(lookups: [.ngram], hasModel: false)
        #expect(rig.open(0, limit: 4) == ["ready", " at 2+0 epoch 0 windowFull"])
        #expect(rig.verdict([9], committed: 3, next: 1, limit: 5) == [" at 3+0 epoch 1 windowFull"])
        #expect(rig.verdict([1], committed: 4, next: 2, limit: 6) == ["29 at 4+0 epoch 2 windowFull"])
    }

    @Test("a chain ends where it is hardly likely to be reached, and goes on from there once it was")
    func confidence() throws {
        var rig = DrafterRig(lookups: [.suffix], hasModel: false)
        rig.open(0, Self.repeated, limit: 30)
        let first = try #require(rig.drafts.first)
        #expect(first.tokens == [3, 1, 2, 3, 1] && first.end == .windowFull, "25 could have been drafted")
        _ = rig.verdict([3, 1, 2], committed: 8, next: 1, limit: 30)
        let second = try #require(rig.drafts.first)
        #expect(second.epoch == 0 && second.firstNode == 5 && second.tokens.first == 2)
    }

    @Test("what a job has put out is drafted to the next one")
    func pastOutputs() {
        var rig = DrafterRig(lookups: [.suffix], hasModel: false)
        rig.open(0, limit: 8)
        _ = rig.verdict([50, 51, 52], committed: 5, next: 1, limit: 8)
        rig.step(.received(1, .draftClose(DraftClose(stream: 0, reason: .jobEnded))))
        #expect(rig.open(1, [7, 50], limit: 4) == ["ready", "5152 at 2+0 epoch 0 windowFull"])
        #expect(rig.machine.freeSequenceCount == 1)
    }

    @Test("a rejected draft is put to use: what stood behind the wrong token stands behind the right one")
    func rejectedDrafts() {
        var rig = DrafterRig(lookups: [.phrases], hasModel: false)
        rig.open(0, [1, 2, 3, 4, 5, 6, 7, 8, 1, 2], limit: 14)
        #expect(rig.drafts.map(\.tokens) == [[3, 4, 5, 6]])
        _ = rig.verdict([30], committed: 11, next: 1, limit: 14)
        #expect(rig.drafts.map(\.tokens) == [[4, 5, 6]])
    }

    @Test("beside a model, a tree holds the candidates of both")
    func union() {
        var rig = DrafterRig(branches: 4, lookups: [.suffix])
        rig.open(0, Self.repeated, limit: 9, shape: .best(nodesMax: 0, width: 2), nodesMax: 2)
        let drafts = rig.propose([[11]]) + rig.propose([[12], [13]])
        #expect(drafts.flatMap(\.tokens) == [11, 3] && drafts.last?.parents == [0])
    }

    @Test("a chain is drawn out without the model where lookups are sure, and only there")
    func lengthening() {
        var rig = DrafterRig(contextMax: 64, lookups: [.suffix])
        let text = (1...10).map { TokenID(rawValue: $0) }
        rig.open(0, text + text.prefix(9), limit: 24)
        let sure = rig.propose([[10]])
        #expect(sure.flatMap(\.tokens) == [10, 1, 2, 3, 4] && sure.last?.end == .windowFull && rig.pass == nil)
        var unsure = DrafterRig(lookups: [.suffix])
        unsure.open(0, Self.repeated, limit: 9)
        #expect(unsure.propose([[3]]).flatMap(\.tokens) == [3] && unsure.pass?.nodes.map(\.token) == [3])
    }

    @Test("with branches, what is known to follow a chain's last position is prepared without the model")
    func branches() {
        var rig = DrafterRig(branches: 4, lookups: [.phrases])
        rig.open(0, [1, 2, 3, 4, 5, 6, 7, 8, 1, 2], limit: 16, branches: 2, nodesMax: 2)
        let chain = rig.propose([[3]]) + rig.propose([[4]])
        // 3 and 4 by the model, 5 and 6 by lookup: the phrase behind 2.
        #expect(chain.flatMap(\.tokens) == [3, 4, 5, 6] && chain.last?.end == .windowFull && rig.pass == nil)
    }

    @Test("a text that lookups write is read by the model before it is too long to read in a moment")
    func reading() throws {
        var rig = DrafterRig(contextMax: 400, nodesMax: 512, lookups: [.suffix])
        let text = (1...90).map { TokenID(rawValue: $0) }
        rig.open(0, text + text.prefix(9), limit: 101)
        rig.propose([[10]])
        var length = 99
        while rig.pass == nil, length < 180 {
            length += 1
            let next = TokenID(rawValue: UInt32((length - 1) % 90 + 1))
            _ = rig.verdict(
                [next], committed: Position(rawValue: length), next: 1, limit: Position(rawValue: length + 2))
        }
        let pass = try #require(rig.pass)
        #expect((60...66).contains(pass.nodes.count), "\(pass.nodes.count) tokens at \(length)")
    }

    @Test("for a beam search lookups rest beside a model; a drafter without one declines")
    func beams() {
        let shape = DraftShape.beams(width: 2, onePath: false)
        var rig = DrafterRig(lookups: [.suffix], hasModel: false)
        #expect(rig.open(0, Self.repeated, limit: 8, shape: shape) == ["close unsuited"])
        #expect(rig.machine.freeSequenceCount == 2)
        var setting = MachineLoop.Setting(
            language: TabularLanguage(vocabulary: 5, seed: 12), speculation: Speculation(.mtad, gamma: 3, shape: shape))
        var texts: [[[TokenID]]] = []
        for lookups: [LookupKind] in [[], [.suffix, .phrases]] {
            setting.lookups = lookups
            var loop = MachineLoop(setting, seed: 7)
            texts.append(loop.run(keys: 0..<8))
            #expect(loop.statistics.accepted > 0)
        }
        #expect(texts[0] == texts[1])
    }

    // MARK: - With a verifier

    struct Case: Sendable, CustomTestStringConvertible {
        var speculation: Speculation
        var lookups: [LookupKind]
        var hasModel: Bool
        var testDescription: String {
            let s = speculation
            return "\(s.method) \(s.rule) \(s.shape) b \(s.branches) \(lookups.names)\(hasModel ? " and a model" : "")"
        }
    }

    private static let shapes: [DraftShape] = [
        .chain, (try? TreeShape([2, 2])).map(DraftShape.fixed) ?? .chain, .best(nodesMax: 6, width: 2),
    ]

    private static func cases(_ rules: [VerifyRuleKind], under sampling: SamplingPolicy) -> [Case] {
        let kinds: [([LookupKind], Bool)] = [
            ([.ngram], false), ([.suffix], false), ([.phrases], false), ([.suffix, .phrases], true),
        ]
        return kinds.flatMap { lookups, hasModel in
            [DecodingMethod.stream, .speculative, .pearl].flatMap { method in
                rules.flatMap { rule in
                    (shapes.map { ($0, 0) } + [(.chain, 4)]).compactMap { shape, branches in
                        let speculation = Speculation(
                            method, gamma: 3, rule: rule, shape: shape, branches: branches)
                        guard speculation.complaint(under: sampling) == nil else { return nil }
                        return Case(speculation: speculation, lookups: lookups, hasModel: hasModel)
                    }
                }
            }
        }
    }

    @Test(
        "under rules that do not couple, the law of what is committed is the target's",
        arguments: cases([.rejection, .block], under: SamplingPolicy(temperature: 1)))
    func law(of tested: Case) {
        let keys: UInt64 = 400
        var setting = MachineLoop.Setting(
            language: TabularLanguage(vocabulary: 3, seed: 11), speculation: tested.speculation)
        (setting.lookups, setting.hasModel, setting.ends) = (tested.lookups, tested.hasModel, [2])
        setting.prompt = [0, 1, 0, 0, 1, 1, 0, 1]
        var loop = MachineLoop(setting, seed: 5)
        var counts: [[TokenID]: Int] = [:]
        for text in loop.run(keys: 0..<keys) { counts[Array(text.prefix(4)), default: 0] += 1 }
        let law = setting.language.law(after: setting.prompt, length: 4, ends: setting.ends)
        let far = excess(of: counts, over: law)
        #expect(far < 3.7, "\(far) standard deviations")
        #expect(loop.statistics.accepted > keys / 8, "\(loop.statistics.accepted) drafts were accepted")
    }

    @Test(
        "what is committed is the target's own choice, token for token",
        arguments: cases(VerifyRuleKind.allCases, under: .greedy))
    func tokens(of tested: Case) {
        for sampling in [.greedy, SamplingPolicy(temperature: 1)] {
            guard sampling.isGreedy || tested.speculation.rule == .coupled else { continue }
            var setting = MachineLoop.Setting(
                language: TabularLanguage(vocabulary: 5, seed: 12), speculation: tested.speculation)
            (setting.lookups, setting.hasModel) = (tested.lookups, tested.hasModel)
            (setting.sampling, setting.length, setting.ends) = (sampling, 12, [4])
            var loop = MachineLoop(setting, seed: 7)
            for (key, text) in loop.run(keys: 0..<8).enumerated() {
                let own = setting.language.text(
                    after: setting.prompt, length: setting.length, ends: setting.ends,
                    key: StreamKey(rawValue: UInt64(key) &* 0x9E37_79B9), sampling)
                #expect(text == own, "key \(key)")
            }
        }
    }
}

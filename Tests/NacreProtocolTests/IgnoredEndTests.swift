import NacreCore
import NacreProtocol
import Testing

/// Jobs that go on behind tokens which end a generation.
@Suite struct IgnoredEndTests {
    private static let end = VerifierRig.end

    @Test("a committed end does not end the job, and drafts behind it are accepted", arguments: [true, false])
    func speculative(ignoresEnds: Bool) {
        var rig = VerifierRig()
        rig.begin(.speculative, gamma: 4, tokensMax: 6, ignoresEnds: ignoresEnds)
        rig.draft([11, Self.end, 12, 13], end: .windowFull)
        let answer = rig.choose([11, Self.end, 12, 13, 14])
        #expect(answer.commits == [ignoresEnds ? [11, Self.end, 12, 13, 14] : [11, Self.end]])
        #expect(answer.ended?.reason == (ignoresEnds ? nil : .endOfGeneration))
        guard ignoresEnds else { return }
        #expect(answer.verdicts.map(\.committed) == [7])
        rig.hear(answer.verdicts[0].nextEpoch)
        rig.enter(answer.verdicts[0].nextEpoch, root: 7)
        #expect(rig.choose([Self.end]).ended?.reason == .length)
    }

    @Test("the drafter is told")
    func opened() {
        for ignoresEnds in [false, true] {
            var rig = VerifierRig()
            var assignment = VerifierRig.assignment(.stream, gamma: 4)
            assignment.ignoresEnds = ignoresEnds
            rig.step(.control(.assignJob(assignment)))
            rig.greet()
            #expect(rig.effects.opens.map(\.ignoresEnds) == [ignoresEnds])
        }
    }

    private static let ways: [Speculation] = [
        Speculation(.autoregressive), Speculation(.speculative, gamma: 3), Speculation(.pearl, gamma: 3),
        Speculation(.stream), Speculation(.stream, shape: .best(nodesMax: 8, width: 2)),
        Speculation(.stream, branches: 4), Speculation(.speculative, gamma: 2, drafters: 2),
    ]

    @Test("every method gives plain decoding's text, of its full length, with ends in it", arguments: ways)
    func identity(of speculation: Speculation) throws {
        var language = TabularLanguage(vocabulary: 5, seed: 33)
        language.agreement = 0.9
        for sampling in [SamplingPolicy.greedy, SamplingPolicy(temperature: 1)] {
            var setting = MachineLoop.Setting(language: language, speculation: speculation)
            (setting.sampling, setting.length, setting.ends, setting.ignoresEnds) = (sampling, 32, [3, 4], true)
            var loop = MachineLoop(setting, seed: 5)
            let texts = loop.run(keys: 0..<8)
            for (key, text) in texts.enumerated() {
                let plain = language.text(
                    after: setting.prompt, length: 32, ends: [],
                    key: StreamKey(rawValue: UInt64(key) &* 0x9E37_79B9), sampling)
                #expect(text == plain && text.count == 32)
                #expect(text.dropLast().contains { setting.ends.contains($0) }, "no end to go on behind")
            }
            // The last token of a commit is the target's own, all before it are drafts.
            let isBehind = loop.commits.contains { commit in
                let text = commit.text.suffix(1) + commit.tokens
                return zip(text, commit.tokens.dropLast()).contains { before, _ in setting.ends.contains(before) }
            }
            #expect(isBehind || speculation.method == .autoregressive, "no draft behind an end was accepted")
        }
    }

    @Test("mtad goes on behind ends too")
    func joint() {
        let speculation = Speculation(.mtad, gamma: 3, shape: .beams(width: 3, onePath: false), tau: 0.3)
        var setting = MachineLoop.Setting(
            language: TabularLanguage(vocabulary: 5, seed: 21), speculation: speculation)
        (setting.length, setting.ends, setting.ignoresEnds) = (24, [3, 4], true)
        var loop = MachineLoop(setting, seed: 9)
        #expect(loop.run(keys: 0..<8).allSatisfy { $0.count == 24 })
        #expect(loop.commits.contains { commit in commit.tokens.dropLast(2).contains { setting.ends.contains($0) } })
    }
}

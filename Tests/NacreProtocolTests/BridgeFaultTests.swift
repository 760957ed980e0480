import NacreCore
import NacreEngine
import NacreProtocol
import Testing

/// Bridges whose drafter's passes fail: between them what a sequence holds in both vocabularies must not come apart.
@Suite struct BridgeFaultTests {
    @Test(
        "a pass that failed did nothing: run again it scores as if it never had",
        arguments: ToyBridge.all(.tli, .slem, .slrs) + ToyBridge.littleShared)
    func retried(_ toy: ToyBridge) throws {
        var faults = 0
        for seed in 0..<6 as Range<UInt64> {
            var dice = Dice(seed: seed)
            func engine(percent: Int) -> BridgedEngine<FaultyEngine> {
                let inner = ReferenceEngine(model: toy.model(0), contextCells: 1_024, sequences: 4, nodesMax: 5)
                return BridgedEngine(
                    FaultyEngine(inner, percent: percent, seed: seed), bridge: toy.bridge, contextMax: 60)
            }
            var (sound, faulty) = (engine(percent: 0), engine(percent: 5))
            var lengths = [0, 0, 0]
            for step in 0..<40 {
                var pass = EnginePass()
                let sequence = Int(dice.next() % 2)
                if lengths[sequence] > 4, dice.next() % 3 == 0 {
                    lengths[sequence] -= Int(1 + dice.next() % 3)
                    pass.edits.append(
                        .rewind(SequenceID(rawValue: Int32(sequence)), length: Position(rawValue: lengths[sequence])))
                }
                if step % 9 == 8 {
                    pass.edits += [.release(2), .fork(0, to: 2, length: Position(rawValue: lengths[0] / 2))]
                    lengths[2] = lengths[0] / 2
                }
                for place in [sequence, 2] {
                    for count in (0...Int(dice.next() % 3)).reversed() {
                        let token = TokenID(rawValue: UInt32(dice.next() % UInt64(toy.target.vocabularySize)))
                        let position = Position(rawValue: lengths[place])
                        let request = ScoreRequest(
                            key: 3, index: position.rawValue,
                            policy: step % 2 == 0 ? .greedy : SamplingPolicy(temperature: 1), kind: .candidates(2))
                        pass.nodes.append(
                            ForestNode(
                                token: token, position: position, sequence: SequenceID(rawValue: Int32(place)),
                                score: count == 0 ? request : nil))
                        lengths[place] += 1
                    }
                }
                let expected = try sound.run(pass)
                var scores: [Score]?
                while scores == nil {
                    do throws(EngineError) {
                        scores = try faulty.run(pass)
                    } catch {
                        try #require(error.code != .invalidPass, "\(error), seed \(seed), step \(step)")
                        // The edits stand.
                        pass.edits = []
                    }
                }
                #expect(scores == expected, "seed \(seed), step \(step)")
                for sequence in [0, 1, 2] as [SequenceID] {
                    #expect(faulty.held(sequence).target == sound.held(sequence).target)
                    #expect(faulty.inner.inner.cached(sequence) == faulty.held(sequence).draft)
                }
            }
            faults += faulty.inner.faults
        }
        #expect(faults > 10)
    }

    private static let ways: [Speculation] = [
        Speculation(.stream, gamma: 3),
        Speculation(.speculative, shape: (try? TreeShape([2, 2, 1])).map(DraftShape.fixed) ?? .chain),
        Speculation(.stream, gamma: 2, rule: .rejection),
        Speculation(.stream, shape: .best(nodesMax: 9, width: 3), branches: 4),
        Speculation(.mtad, gamma: 3, shape: .beams(width: 2, onePath: false), tau: 0.3),
        Speculation(.dsbd, gamma: 2, shape: .forest(draws: 2), beams: BeamSettings(width: 2)),
    ]

    @Test(
        "drafters whose passes fail change no token, and what both ends believe of their caches stays true",
        arguments: ToyBridge.all(.tli, .slem, .slrs) + ToyBridge.littleShared)
    func machines(_ toy: ToyBridge) {
        for speculation in Self.ways {
            var setting = MachineLoop.Setting(
                language: TabularLanguage(vocabulary: toy.target.vocabularySize, seed: 23), speculation: speculation)
            (setting.bridge, setting.faultPercent, setting.length) = (toy, 10, 12)
            setting.ends = toy.target.end.map { [$0] } ?? []
            var loop = MachineLoop(setting, seed: 17)
            for (key, text) in loop.run(keys: 0..<16).enumerated() {
                #expect(text.count == setting.length || setting.ends.contains(text.last ?? 0), "\(speculation)")
                guard speculation.rule == .coupled, !speculation.method.isBeams else { continue }
                let own = setting.language.text(
                    after: setting.prompt, length: setting.length, ends: setting.ends,
                    key: StreamKey(rawValue: UInt64(key) &* 0x9E37_79B9), setting.sampling)
                #expect(text == own, "\(speculation), key \(key)")
            }
            #expect(loop.bridgedEngines.allSatisfy { $0.inner.faults > 0 }, "\(speculation): no pass failed")
        }
    }
}

extension DecodingMethod {
    fileprivate var isBeams: Bool { [.mtad, .beam, .dsbd].contains(self) }
}

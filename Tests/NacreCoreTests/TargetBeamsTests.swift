import NacreCore
import Testing

@Suite("Beams of the target")
struct TargetBeamsTests {
    private let tables = Tables(vocabulary: 3, seed: 4, agreement: 0.5)

    private func step<Source: ChanceSource>(_ beams: inout TargetBeams, width: Int, chance: inout Source) {
        let before = beams
        BeamSampling(width: width).step(&beams, chance: &chance) { tables.p(after: before.live[$0].text.tokens) }
    }

    @Test("Width 1 is plain sampling")
    func plainSampling() {
        let law = composedBeamLaw(length: 3) { step(&$0, width: 1, chance: &$1) }
        let texts = Dictionary(uniqueKeysWithValues: law.map { ($0.key.live[0], $0.value) })
        #expect(totalVariation(texts, tables.autoregressiveLaw(length: 3)) < 1e-12)
    }

    @Test("Low memory: one beam is kept with its weight, or the likeliest one")
    func keepOne() {
        var chance = KeyedChance(key: 5)
        var beams = TargetBeams()
        for _ in 0..<2 { step(&beams, width: 4, chance: &chance) }
        let weights = beams.live.map(\.weight)
        let law = EnumeratedChance.law { chance in
            var kept = beams
            let place = kept.keepOne(.drawn, chance: &chance)
            #expect(kept.live.count == 1 && kept.live[0].weight == 1 && kept.index == 2)
            #expect(place.map { beams.live[$0].text } == kept.live[0].text)
            return place
        }
        for (place, weight) in weights.enumerated() { #expect(abs((law[place] ?? 0) - weight) < 1e-12) }
        var likeliest = beams
        let place = likeliest.keepOne(.likeliest, chance: &chance)
        #expect(place.map { weights[$0] } == weights.max())
        var ended = TargetBeams(ends: [0, 1, 2])
        step(&ended, width: 3, chance: &chance)
        #expect(ended.live.isEmpty && ended.keepOne(.drawn, chance: &chance) == nil)
    }

    @Test("Low memory: rounds behind the kept beam are beam sampling from that text")
    func lowMemoryRounds() {
        let round = BeamRound(width: .fixed(2), draws: [2, 2])
        for key in 0..<4 {
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            var kept = TargetBeams()
            for _ in 0..<2 { step(&kept, width: 4, chance: &chance) }
            _ = kept.keepOne(.drawn, chance: &chance)
            let speculative = composedBeamLaw(length: 4, from: kept) { beams, chance in
                round.play(tables, &beams, length: 4, chance: &chance)
            }
            let plain = composedBeamLaw(length: 4, from: kept) { step(&$0, width: 2, chance: &$1) }
            #expect(totalVariation(speculative, plain) < 1e-12)
        }
    }

    @Test("Beams of one text go on as beams of their own, each of one draw; kept alone it is one")
    func copies() {
        let (first, second) = (distribution(1, 0), distribution(0, 1))
        var chance = KeyedChance(key: 1)
        var beams = TargetBeams()
        BeamSampling(width: 3).step(&beams, chance: &chance) { _ in first }
        #expect(beams.merge() == [0] && beams.live.map(\.text.copies) == [3] && beams.width == 3)
        var alone = beams
        #expect(alone.keepOne(.drawn, chance: &chance) == 0 && alone.width == 1 && alone.answers(1)[0].copies == 1)
        BeamSampling(width: 2).step(&beams, chance: &chance) { _ in second }
        #expect(beams.live.map(\.text.tokens) == [[0, 1], [0, 1]] && beams.live.map(\.text.copies) == [1, 1])
    }

    @Test("All draws that end a text count, be it one text or several")
    func ends() {
        let row = distribution(0.5, 0.5)
        let law = EnumeratedChance.law { chance in
            var beams = TargetBeams(ends: [1], endsMax: 2)
            BeamSampling(width: 3).step(&beams, chance: &chance) { _ in row }
            let ended = 3 - beams.live.count
            #expect(beams.isOver == (ended >= 2) && beams.finished.reduce(0) { $0 + $1.copies } == ended)
            #expect(beams.answers(16).map(\.tokens) == (ended == 0 ? [[0]] : ended == 1 ? [[1], [0]] : [[1]]))
            return ended
        }
        #expect(law.keys.sorted() == [0, 1, 2, 3])
    }

    @Test("Beams that end are set aside and the others' weights sum to 1; with none left nothing happens any more")
    func finished() {
        for key in 0..<100 {
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            var beams = TargetBeams(ends: [0], answersMax: 3)
            for _ in 0..<8 {
                let index = beams.index
                let hadEnded = beams.live.isEmpty
                step(&beams, width: 3, chance: &chance)
                #expect(hadEnded ? beams.index == index : beams.index == index + 1)
                #expect(beams.live.isEmpty || abs(beams.live.reduce(0) { $0 + $1.weight } - 1) < 1e-12)
                #expect(beams.live.allSatisfy { !$0.text.tokens.contains(0) })
                #expect(beams.finished.count <= 3 && beams.finished.allSatisfy { $0.tokens.last == 0 })
            }
            #expect(beams.answers(9).count <= 3)
        }
    }
}

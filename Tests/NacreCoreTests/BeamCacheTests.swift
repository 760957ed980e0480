import NacreCore
import Testing

/// Where beams are cached, which of them are one, and how much of a forest a pass takes (ALGORITHMS 4).
@Suite("Beams between two passes")
struct BeamCacheTests {
    private typealias Stem = BeamCache.Stem

    @Test("One continuation goes on in a beam's own sequence, each other in a fork; the prompt's is never touched")
    func opening() {
        var cache = BeamCache(trunk: 0)
        var free: [SequenceID] = [9, 8, 7, 6]
        var edits: [CacheEdit] = []
        let prompt = Stem(sequence: 0, length: 5)
        let first = cache.open(prompt, claims: [prompt], free: &free, edits: &edits)
        #expect(first == 6 && edits == [.fork(0, to: 6, length: 5)])
        cache.extend(6, by: 3)
        cache.conclude()
        // Two beams at the same place, one that goes on behind a rejected draft's place.
        let stems = [Stem(sequence: 6, length: 7), Stem(sequence: 6, length: 7), Stem(sequence: 6, length: 6)]
        cache.beginPass()
        edits = []
        let opened = stems.map { cache.open($0, claims: stems, free: &free, edits: &edits) }
        #expect(opened == [6, 7, 8])
        #expect(edits == [.rewind(6, length: 7), .fork(6, to: 7, length: 7), .fork(6, to: 8, length: 6)])
        #expect(cache.branches == [6, 7, 8] && cache.filled(8) == 6)
        edits = []
        cache.keep([Stem(sequence: 7, length: 7)], free: &free, edits: &edits)
        #expect(edits == [.release(6), .release(8)] && cache.branches == [7])
    }

    @Test("What a longer text needs is not cut for a shorter one; without a free sequence there is no branch")
    func claims() {
        var cache = BeamCache(trunk: 0)
        var free: [SequenceID] = [3, 2]
        var edits: [CacheEdit] = []
        let prompt = Stem(sequence: 0, length: 1)
        #expect(cache.open(prompt, claims: [prompt], free: &free, edits: &edits) == 2)
        cache.extend(2, by: 2)
        cache.conclude()
        cache.beginPass()
        let (short, long) = (Stem(sequence: 2, length: 2), Stem(sequence: 2, length: 3))
        #expect(cache.open(short, claims: [short, long], free: &free, edits: &edits) == 3)
        #expect(cache.open(long, claims: [short, long], free: &free, edits: &edits) == 2)
        #expect(edits == [.fork(0, to: 2, length: 1), .fork(2, to: 3, length: 2)])
        #expect(cache.open(long, claims: [], free: &free, edits: &edits) == nil)
        // A pass that is refused leaves its edits, and none of its nodes.
        cache.extend(2, by: 4)
        cache.retract()
        #expect(cache.filled(2) == 3 && cache.filled(3) == 2)
    }

    @Test("Beams of one text become one that weighs as they did")
    func merging() {
        var beams = TargetBeams()
        var chance = KeyedChance(key: 1)
        BeamSampling(width: 8).step(&beams, chance: &chance) { _ in distribution(0.5, 0.3, 0.2) }
        let before = beams
        let kept = beams.merge()
        #expect(kept.map { before.live[$0].text.tokens } == beams.live.map(\.text.tokens))
        #expect(Set(beams.live.map(\.text.tokens)).count == beams.live.count && beams.width == 8)
        for beam in beams.live {
            let same = before.live.filter { $0.text.tokens == beam.text.tokens }
            #expect(same.count == beam.text.copies)
            #expect(abs(same.reduce(0) { $0 + $1.weight } - beam.weight) < 1e-12)
        }
    }

    @Test("After as many ends as are wanted all is over, and what goes on is no answer")
    func enough() {
        var ended = 0
        for key in 0..<200 {
            var beams = TargetBeams(ends: [2], endsMax: 3)
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            while beams.index < 6, !beams.isOver {
                BeamSampling(width: 3).step(&beams, chance: &chance) { _ in distribution(0.4, 0.3, 0.3) }
            }
            let answers = beams.answers(16)
            #expect(beams.index == 6 || answers.allSatisfy { $0.tokens.last == 2 })
            #expect(!beams.isOver || answers.reduce(0) { $0 + $1.copies } >= 3)
            ended += beams.isOver ? 1 : 0
        }
        #expect(ended > 50)
    }

    @Test("The layers that a pass has room for are told by those before and by the size of the last one alone")
    func room() {
        let tables = Tables(vocabulary: 4, seed: 1, agreement: 0.5)
        for key in 0..<200 {
            var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
            let forest = BeamRound(draws: [3, 3, 3]).forest(
                tables, behind: TargetBeams(), layersMax: 3, chance: &chance)
            for nodesMax in 0...9 {
                for sequences in 0...9 {
                    let count = forest.layers(withinNodes: nodesMax, sequences: sequences)
                    let part = forest.prefix(count)
                    #expect(
                        part.layers == Array(forest.layers.prefix(count))
                            && part.laws == Array(forest.laws.prefix(count)))
                    #expect(part.count <= nodesMax && part.sideBranches <= sequences)
                    // Other draws of the last layer would be left out or taken alike.
                    guard count > 0 else { continue }
                    var other = forest.prefix(count - 1)
                    other.draw(3, epoch: 99, chance: &chance) { place in
                        WeightRow(tables.q(after: forest.text(place, behind: TargetBeams())), entriesMax: 64)
                    }
                    #expect(other.layers(withinNodes: nodesMax, sequences: sequences) == count)
                }
            }
            #expect(forest.prefix(3) == forest)
        }
    }
}

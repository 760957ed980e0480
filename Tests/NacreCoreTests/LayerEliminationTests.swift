import NacreCore
import Testing

/// Which layers a search for a self-drafter tries.
struct LayerEliminationTests {
    /// A model whose layers are missed by these amounts, and by `together` more for each pair that is gone.
    private struct Toy {
        let losses: [Double]
        var together = 0.0

        func agreement(_ kept: [Int]) -> Double {
            let gone = losses.indices.filter { !kept.contains($0) }
            let pairs = Double(gone.count * (gone.count - 1) / 2)
            return 1 - gone.reduce(0) { $0 + losses[$1] } - together * pairs
        }

        /// The best set of each size when every one layer is tried at every level.
        var greedy: [[Int]] {
            var kept = Array(losses.indices)
            var levels: [[Int]] = []
            while kept.count > 1 {
                let options = kept.map { layer in kept.filter { $0 != layer } }
                kept = options.max { agreement($0) < agreement($1) } ?? kept
                levels.append(kept)
            }
            return levels
        }
    }

    private func trials(_ toy: Toy, _ elimination: LayerElimination) -> (sets: [[Int]], levels: [[Int]]) {
        var (elimination, sets, levels): (LayerElimination, [[Int]], [[Int]]) = (elimination, [], [])
        while let set = elimination.next() {
            if sets.last.map({ $0.count > set.count }) ?? false { levels.append(elimination.kept) }
            sets.append(set)
            elimination.record(toy.agreement(set))
        }
        return (sets, levels + [elimination.kept])
    }

    @Test("what is missed least goes first, as if all had been tried, in far fewer trials")
    func lazyIsGreedy() {
        let toy = Toy(losses: [0.3, 0.02, 0.05, 0.01, 0.03, 0.07, 0.04, 0.2], together: 0.001)
        let found = trials(toy, LayerElimination(kept: Array(0..<8)))
        #expect(found.levels == toy.greedy)
        // Trying all takes 8 + 7 + … + 2.
        #expect(found.sets.count < 25 && found.sets.prefix(8).allSatisfy { $0.count == 7 }, "\(found.sets.count)")
    }

    @Test("a search that is cut off has tried the layers in the middle")
    func middleFirst() {
        var elimination = LayerElimination(kept: Array(0..<8))
        let first = elimination.next()
        #expect(first == [0, 1, 2, 3, 5, 6, 7])
        // Nothing was said about it, so it is asked for again.
        #expect(elimination.next() == first)
    }

    @Test("runs of layers go together, those that start at multiples of the unit")
    func units() {
        let toy = Toy(losses: Array(repeating: 0.05, count: 10))
        let found = trials(toy, LayerElimination(kept: Array(0..<10), unit: 4))
        #expect(Set(found.sets.filter { $0.count > 6 }) == [[0, 1, 2, 3, 4, 5, 6, 7]])
        #expect(Set(found.sets.filter { $0.count == 6 }) == [[4, 5, 6, 7, 8, 9], [0, 1, 2, 3, 8, 9]])
    }

    @Test("sets that no model can consist of are not tried")
    func forbidden() {
        var elimination = LayerElimination(kept: [0, 1, 2, 3])
        var sets: [[Int]] = []
        while let set = elimination.next(where: { $0 == Array(0..<$0.count) }) {
            sets.append(set)
            elimination.record(0.5)
        }
        #expect(sets == [[0, 1, 2], [0, 1], [0]])
    }

    @Test("one layer is left, whatever is answered")
    func end() {
        var elimination = LayerElimination(kept: [5])
        #expect(elimination.next() == nil)
        elimination.record(1)
        #expect(elimination.kept == [5])
    }
}

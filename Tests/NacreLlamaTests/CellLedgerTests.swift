import NacreCore
import NacreLlama
import Testing

/// The ledger against a model of libllama's cells: first fit, real owners, a graveyard.
struct CellLedgerTests {
    /// The cache as libllama keeps it: who owns each cell, and where the search begins.
    private struct Cache {
        static let graveyard: SequenceID = 99
        var cells: [(sequence: SequenceID, position: Int)?]

        /// The first free cell.
        mutating func add(_ sequence: SequenceID, _ position: Int) -> Bool {
            guard let free = cells.firstIndex(where: { $0 == nil }) else { return false }
            cells[free] = (sequence, position)
            return true
        }

        mutating func perform(_ step: CellLedger.Step) {
            for index in cells.indices {
                guard let cell = cells[index] else { continue }
                switch step {
                case .remove(let sequence, let from):
                    if cell.sequence == sequence && cell.position >= from.rawValue { cells[index] = nil }
                case .bury(let sequence, let positions):
                    if cell.sequence == sequence && positions.contains(Position(rawValue: cell.position)) {
                        cells[index]?.sequence = Self.graveyard
                    }
                case .clear: cells[index] = nil
                }
            }
        }

        mutating func rebuild(_ live: [SequenceID]) {
            let old = cells.compactMap { $0 }
            cells = Array(repeating: nil, count: cells.count)
            for sequence in live {
                for cell in old where cell.sequence == sequence { _ = add(sequence, cell.position) }
            }
        }

        /// The positions of `sequence` in the order of its cells.
        func positions(_ sequence: SequenceID) -> [Int] {
            cells.compactMap { $0?.sequence == sequence ? $0?.position : nil }
        }
    }

    @Test("whatever sequences do, their cells stay in order of position and none is lost", arguments: 0..<20)
    func order(seed: UInt64) {
        var random = TestRandom(seed: seed)
        let count = Int.random(in: 2...5, using: &random)
        var cache = Cache(cells: Array(repeating: nil, count: 140))
        var ledger = CellLedger(cells: 140, liveMax: 120, sequences: count, deadMin: 10, isAppendOnly: true)
        var rebuilds = 0
        for _ in 0..<400 {
            let sequence = SequenceID(rawValue: Int32.random(in: 0..<Int32(count), using: &random))
            let length = ledger.length(sequence).rawValue
            if Bool.random(using: &random) {
                let kept =
                    Int.random(in: 0..<8, using: &random) == 0
                    ? 0 : max(0, length - Int.random(in: 0...9, using: &random))
                var steps: [CellLedger.Step] = []
                ledger.rewind(sequence, to: Position(rawValue: kept), into: &steps)
                for step in steps { cache.perform(step) }
            } else {
                let added = Int.random(in: 1...12, using: &random)
                let room = ledger.room(for: added)
                if room == .never { continue }
                if room == .afterRebuild || ledger.isLittered {
                    cache.rebuild(ledger.liveSequences)
                    ledger.rebuilt()
                    rebuilds += 1
                }
                for offset in 0..<added {
                    let isAdded = cache.add(sequence, length + offset)
                    #expect(isAdded)
                    ledger.append(sequence)
                }
            }
            for id in 0..<Int32(count) {
                let positions = cache.positions(SequenceID(rawValue: id))
                #expect(positions == Array(0..<ledger.length(SequenceID(rawValue: id)).rawValue))
            }
            let occupied = cache.cells.count { $0 != nil }
            #expect(occupied == ledger.live + ledger.dead)
            // Nothing is ever free below something occupied.
            #expect(cache.cells.prefix(occupied).allSatisfy { $0 != nil })
        }
        #expect(rebuilds > 0)
    }

    @Test("with one sequence nothing is buried")
    func alone() {
        var ledger = CellLedger(cells: 50, liveMax: 50, sequences: 2, deadMin: 10, isAppendOnly: true)
        var steps: [CellLedger.Step] = []
        for _ in 0..<20 { ledger.append(0) }
        ledger.rewind(0, to: 12, into: &steps)
        ledger.rewind(0, to: 30, into: &steps)
        #expect(steps == [.remove(0, from: 12)])
        #expect(ledger.live == 12 && ledger.dead == 0)
    }

    @Test("cells under others are buried, the newest are removed, and the last to go clears all")
    func steps() {
        var ledger = CellLedger(cells: 50, liveMax: 50, sequences: 2, deadMin: 10, isAppendOnly: true)
        for _ in 0..<4 { ledger.append(0) }
        for _ in 0..<3 { ledger.append(1) }
        for _ in 0..<2 { ledger.append(0) }
        var steps: [CellLedger.Step] = []
        ledger.rewind(0, to: 1, into: &steps)
        #expect(steps == [.remove(0, from: 4), .bury(0, 1..<4)])
        #expect(ledger.live == 4 && ledger.dead == 3)
        steps = []
        ledger.rewind(1, to: 0, into: &steps)
        ledger.rewind(0, to: 0, into: &steps)
        #expect(steps == [.remove(1, from: 0), .clear])
        #expect(ledger.live == 0 && ledger.dead == 0)
    }

    @Test("room counts dead cells as to be had, and live ones not")
    func room() {
        var ledger = CellLedger(cells: 12, liveMax: 10, sequences: 2, deadMin: 0, isAppendOnly: true)
        for _ in 0..<5 { ledger.append(0) }
        for _ in 0..<4 { ledger.append(1) }
        #expect(ledger.room(for: 1) == .now && ledger.room(for: 2) == .never)
        var steps: [CellLedger.Step] = []
        ledger.rewind(0, to: 0, into: &steps)
        #expect(ledger.room(for: 3) == .now && ledger.room(for: 4) == .afterRebuild && ledger.room(for: 7) == .never)
        #expect(ledger.isLittered)
    }
}

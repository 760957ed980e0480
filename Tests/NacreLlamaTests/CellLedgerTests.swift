import NacreCore
import NacreLlama
import Testing

/// The ledger against a model of libllama's cells: first fit from the head, real owners, a graveyard.
struct CellLedgerTests {
    /// The cache as libllama keeps it: who holds each cell, and where the search begins.
    private struct Cache {
        struct Cell {
            var holders: Set<SequenceID>
            var position: Int
            var token: TokenID
        }

        static let graveyard: SequenceID = 99
        var cells: [Cell?]
        var head = 0

        /// The first free cell from the head on.
        mutating func add(_ holders: Set<SequenceID>, _ position: Int, _ token: TokenID) -> Bool {
            if head > cells.count(where: { $0 != nil }) + 2 { head = 0 }
            let order = Array(cells.indices[min(head, cells.count)...]) + Array(cells.indices[..<head])
            guard let free = order.first(where: { cells[$0] == nil }) else { return false }
            cells[free] = Cell(holders: holders, position: position, token: token)
            head = free + 1
            return true
        }

        mutating func perform(_ step: CellLedger.Step) {
            switch step {
            case .share(let sequence, let other, let positions): share(sequence, other, positions)
            case .bury(let sequence, let positions): share(sequence, Self.graveyard, positions)
            case .remove(let sequence, let from): remove(sequence, from)
            case .clear: (cells, head) = (Array(repeating: nil, count: cells.count), 0)
            case .move(let blocks): move(blocks)
            }
        }

        mutating func share(_ sequence: SequenceID, _ other: SequenceID, _ positions: Range<Position>) {
            for index in cells.indices {
                guard let cell = cells[index], cell.holders.contains(sequence),
                    positions.contains(Position(rawValue: cell.position))
                else { continue }
                let isNew = cells[index]?.holders.insert(other).inserted == true
                #expect(isNew, "libllama counts a cell that is given to its holder twice")
            }
        }

        mutating func remove(_ sequence: SequenceID, _ from: Position) {
            for index in cells.indices.reversed() {
                guard let cell = cells[index], cell.position >= from.rawValue,
                    cells[index]?.holders.remove(sequence) != nil, cells[index]?.holders.isEmpty == true
                else { continue }
                cells[index] = nil
                head = min(head, index)
            }
        }

        mutating func move(_ blocks: [CellLedger.Block], clearing: Bool = false) {
            let states = blocks.map { block in
                cells.compactMap { $0 }.filter {
                    $0.holders.contains(block.sequences[0])
                        && block.positions.contains(Position(rawValue: $0.position))
                }
            }
            for (block, state) in zip(blocks, states) {
                let isWhole = state.allSatisfy { $0.holders == Set(block.sequences) }
                #expect(isWhole && state.count == block.positions.upperBound - block.positions.lowerBound)
            }
            if clearing {
                perform(.clear)
            } else {
                for block in blocks { for sequence in block.sequences { remove(sequence, block.positions.lowerBound) } }
            }
            for state in states {
                for cell in state {
                    let isAdded = add(cell.holders, cell.position, cell.token)
                    #expect(isAdded)
                }
            }
        }

        /// What `sequence` holds, in the order of its cells.
        func text(_ sequence: SequenceID) -> [TokenID] {
            let own = cells.compactMap { $0 }.filter { $0.holders.contains(sequence) }
            #expect(own.map(\.position) == Array(0..<own.count), "sequence \(sequence)")
            return own.map(\.token)
        }
    }

    @Test("whatever trees and jobs do, cells stay in order of position, and none is lost", arguments: 0..<30)
    func order(seed: UInt64) {
        let movedMax = [0, 8, 64][Int(seed) % 3]
        let (jobs, branches) = (1 + Int(seed) % 4, 12)
        var life = ForestLife(
            seed: seed, jobs: jobs, branches: branches, vocabulary: 1000, lengthMax: 40, nodesMax: 10)
        var texts = SequenceTexts()
        var cache = Cache(cells: Array(repeating: nil, count: 400))
        var ledger = CellLedger(
            cells: 400, liveMax: 320, sequences: jobs + branches, deadMin: 10, movedMax: movedMax, isAppendOnly: true)
        var (rebuilds, moves, burials) = (0, 0, 0)
        for _ in 0..<150 {
            let pass = life.pass()
            var steps: [CellLedger.Step] = []
            ledger.edit(pass.edits, adoptions: pass.adoptions, into: &steps)
            for step in steps {
                if case .move = step { moves += 1 }
                if case .bury = step { burials += 1 }
                cache.perform(step)
            }
            texts.edit(pass)
            check(ledger, cache, texts, jobs + branches)
            if ledger.isLittered {
                cache.move(ledger.blocks, clearing: true)
                ledger.rebuilt()
                rebuilds += 1
                check(ledger, cache, texts, jobs + branches)
            }
            #expect(ledger.room(for: pass.nodes.count) == .now)
            steps = []
            for node in pass.nodes {
                for branch in node.branches where ledger.length(branch) == 0 {
                    ledger.begin(branch, as: node.sequence, into: &steps)
                    cache.share(node.sequence, branch, 0..<node.position)
                }
                let holders = SequenceSet(node.branches + [node.sequence])
                let isAdded = cache.add(Set(holders.sequences), node.position.rawValue, node.token)
                #expect(isAdded)
                ledger.append(holders)
                texts.append(node)
            }
            check(ledger, cache, texts, jobs + branches)
        }
        #expect(life.sideBranches > 5 && life.ends > 0 && (jobs == 1 || life.forks > 0))
        #expect(movedMax == 0 ? moves == 0 && rebuilds > 0 && burials > 0 : moves > 0)
    }

    private func check(_ ledger: CellLedger, _ cache: Cache, _ texts: SequenceTexts, _ sequences: Int) {
        for id in 0..<Int32(sequences) {
            let sequence = SequenceID(rawValue: id)
            #expect(cache.text(sequence) == texts[sequence])
            #expect(ledger.length(sequence).rawValue == texts[sequence].count)
        }
        let occupied = cache.cells.count { $0 != nil }
        #expect(occupied == ledger.live + ledger.dead)
        // Nothing is ever free below something occupied.
        #expect(cache.cells.prefix(occupied).allSatisfy { $0 != nil } && cache.head == occupied)
    }

    private func ledger(movedMax: Int = 0, cells: Int = 50, liveMax: Int = 50, deadMin: Int = 10) -> CellLedger {
        CellLedger(
            cells: cells, liveMax: liveMax, sequences: 4, deadMin: deadMin, movedMax: movedMax, isAppendOnly: true)
    }

    private func append(_ count: Int, _ sequences: SequenceID..., to ledger: inout CellLedger) {
        for _ in 0..<count { ledger.append(SequenceSet(sequences)) }
    }

    private func edit(
        _ ledger: inout CellLedger, _ edits: CacheEdit..., adopting adoptions: [BranchAdoption] = []
    ) -> [CellLedger.Step] {
        var steps: [CellLedger.Step] = []
        ledger.edit(edits, adoptions: adoptions, into: &steps)
        return steps
    }

    @Test("with one sequence nothing is buried or moved")
    func alone() {
        var ledger = ledger()
        append(20, 0, to: &ledger)
        #expect(edit(&ledger, .rewind(0, length: 12), .rewind(0, length: 30)) == [.remove(0, from: 12)])
        #expect(ledger.live == 12 && ledger.dead == 0)
    }

    @Test("cells under others are buried, the newest are removed, and the last to go clears all")
    func steps() {
        var ledger = ledger()
        append(4, 0, to: &ledger)
        append(3, 1, to: &ledger)
        append(2, 0, to: &ledger)
        #expect(edit(&ledger, .rewind(0, length: 1)) == [.bury(0, 1..<4), .remove(0, from: 1)])
        #expect(ledger.live == 4 && ledger.dead == 3)
        #expect(edit(&ledger, .release(1)) == [.remove(1, from: 0)])
        #expect(edit(&ledger, .release(0)) == [.clear])
        #expect(ledger.live == 0 && ledger.dead == 0)
    }

    @Test("a side branch that wins takes the place of the losers")
    func compaction() {
        var ledger = ledger(movedMax: 8)
        append(5, 0, to: &ledger)
        var steps: [CellLedger.Step] = []
        ledger.begin(2, as: 0, into: &steps)
        #expect(steps == [.share(0, with: 2, 0..<5)])
        append(1, 0, 2, to: &ledger)
        append(2, 0, to: &ledger)
        append(3, 2, to: &ledger)
        append(2, 1, to: &ledger)
        let adoption = BranchAdoption(branch: 2, owner: 0, positions: 6..<8)
        #expect(
            edit(&ledger, .release(2), adopting: [adoption]) == [
                .remove(0, from: 6), .share(2, with: 0, 6..<8), .remove(2, from: 0),
                .move([
                    CellLedger.Block(sequences: [1], positions: 0..<2),
                    CellLedger.Block(sequences: [0], positions: 6..<8),
                ]),
            ])
        #expect(ledger.live == 10 && ledger.dead == 0 && ledger.length(0) == 8)
    }

    @Test("what a fork shares is one cell, and stays when either lets go")
    func fork() {
        var ledger = ledger()
        append(6, 0, to: &ledger)
        #expect(edit(&ledger, .fork(0, to: 1, length: 4)) == [.share(0, with: 1, 0..<4)])
        append(2, 1, to: &ledger)
        #expect(ledger.live == 8 && ledger.commonLength(0, 1) == 4 && ledger.commonLength(0, 2) == 0)
        #expect(edit(&ledger, .release(0)) == [.bury(0, 4..<6), .remove(0, from: 0)])
        #expect(ledger.live == 6 && ledger.dead == 2 && ledger.length(1) == 6)
        #expect(ledger.blocks == [CellLedger.Block(sequences: [1], positions: 0..<6)])
    }

    @Test("room counts dead cells as to be had, and live ones not")
    func room() {
        var ledger = ledger(cells: 12, liveMax: 10, deadMin: 0)
        append(5, 0, to: &ledger)
        append(4, 1, to: &ledger)
        #expect(ledger.room(for: 1) == .now && ledger.room(for: 2) == .never)
        _ = edit(&ledger, .release(0))
        #expect(ledger.room(for: 3) == .now && ledger.room(for: 4) == .afterRebuild && ledger.room(for: 7) == .never)
        #expect(ledger.isLittered)
    }

    @Test("an inexact engine's ledger only counts: every removal is direct")
    func direct() {
        var ledger = CellLedger(
            cells: 20, liveMax: 20, sequences: 2, deadMin: 0, movedMax: 8, isAppendOnly: false)
        append(4, 0, to: &ledger)
        append(3, 1, to: &ledger)
        #expect(edit(&ledger, .rewind(0, length: 1)) == [.remove(0, from: 1)])
        #expect(edit(&ledger, .release(1), .release(0)) == [.remove(1, from: 0), .remove(0, from: 0)])
        #expect(ledger.live == 0 && ledger.dead == 0 && ledger.room(for: 20) == .now)
    }
}

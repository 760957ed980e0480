import NacreCore
import Testing

/// A unified KV cache as libllama keeps it, with its rules for batches, and an owner that never gives out a cell below
/// an occupied one (`CellLedger`): what `EnginePass` means, cell by cell.
struct CellModel {
    private struct Cell {
        var token: TokenID
        var position: Int
        var sequences: Set<SequenceID>
    }

    /// In the order in which they were given out; a cell without sequences is dead.
    private var cells: [Cell] = []

    /// The tokens of `sequence` by position; fails if its cells do not lie in the order of their positions, or if a
    /// position is missing or double.
    func text(_ sequence: SequenceID) -> [TokenID] {
        let own = cells.filter { $0.sequences.contains(sequence) }
        #expect(own.map(\.position) == Array(0..<own.count), "sequence \(sequence)")
        return own.map(\.token)
    }

    /// Cells that anyone can see.
    var live: Int { cells.count { !$0.sequences.isEmpty } }

    /// Performs a pass. `seen` is told for each node what it can see, itself included.
    mutating func run(_ pass: EnginePass, compacting: Bool, seen: (_ node: Int, _ tokens: [TokenID]) -> Void) {
        for adoption in pass.adoptions { adopt(adoption) }
        for edit in pass.edits {
            switch edit {
            case .rewind(let sequence, let length): remove(sequence, from: length)
            case .release(let sequence): remove(sequence, from: 0)
            case .fork(let source, let target, let length): fork(source, to: target, length: length.rawValue)
            }
        }
        if compacting { compact() }
        checkBatch(pass.nodes)
        for (index, node) in pass.nodes.enumerated() {
            let sequences = [node.sequence] + node.branches
            for branch in node.branches where text(branch).isEmpty { fork(node.sequence, to: branch, length: .max) }
            for sequence in sequences {
                #expect(text(sequence).count == node.position.rawValue, "node \(index) in sequence \(sequence)")
            }
            cells.append(Cell(token: node.token, position: node.position.rawValue, sequences: Set(sequences)))
            // libllama masks by the first id; by any other the node must see the same.
            for sequence in sequences { seen(index, text(sequence)) }
        }
    }

    /// libllama's rules: sequences that share a token begin with the same positions, and once apart stay apart.
    private func checkBatch(_ nodes: [ForestNode]) {
        var history: [SequenceID: [Int]] = [:]
        for (index, node) in nodes.enumerated() {
            let sequences = [node.sequence] + node.branches
            #expect(Set(sequences).count == sequences.count, "node \(index) names a sequence twice")
            #expect(Set(sequences.map { history[$0] ?? [] }).count == 1, "node \(index) joins paths that had split")
            for sequence in sequences { history[sequence, default: []].append(index) }
            for branch in node.branches where history[branch]?.count == 1 {
                #expect(text(branch).isEmpty, "branch \(branch) is in use")
            }
        }
    }

    private mutating func fork(_ source: SequenceID, to branch: SequenceID, length: Int) {
        for index in cells.indices
        where cells[index].sequences.contains(source) && cells[index].position < length {
            cells[index].sequences.insert(branch)
        }
    }

    private mutating func adopt(_ adoption: BranchAdoption) {
        remove(adoption.owner, from: adoption.positions.lowerBound)
        for index in cells.indices where cells[index].sequences.contains(adoption.branch) {
            if adoption.positions.contains(Position(rawValue: cells[index].position)) {
                cells[index].sequences.insert(adoption.owner)
            }
        }
    }

    private mutating func remove(_ sequence: SequenceID, from length: Position) {
        for index in cells.indices where cells[index].position >= length.rawValue {
            cells[index].sequences.remove(sequence)
        }
        while let last = cells.last, last.sequences.isEmpty { cells.removeLast() }
    }

    /// Takes the dead cells out. Between verdict and batch there are no branches, so every cell has one owner.
    private mutating func compact() {
        cells.removeAll(where: \.sequences.isEmpty)
        #expect(cells.allSatisfy { $0.sequences.count == 1 })
    }
}

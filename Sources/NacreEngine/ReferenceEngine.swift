package import NacreCore

/// An exact engine over a tabular model: the meaning of `EnginePass`, executable.
///
/// A node's row depends on the tokens of its sequence and on nothing else, so every batch gives the same scores as
/// decoding one token at a time. It holds each cached token, so a test can compare the cache with the committed
/// prefix. The simulator and all tests without a real model run on it.
package struct ReferenceEngine: Engine {
    package let shape: EngineShape
    private let model: TabularModel
    private(set) var cache: [Sequence]
    /// For each cell how many sequences hold it.
    private var holders: [Int]
    private var freeCells: [Int]
    private var scratch = CoupledScratch()

    /// What a sequence holds, by position. Sequences that went the same way share cells.
    struct Sequence: Sendable {
        var tokens: [TokenID] = []
        var cells: [Int] = []
    }

    package init(
        model: TabularModel, contextCells: Int, sequences: Int, branches: Int = 0, nodesMax: Int,
        canRewind: Bool = true
    ) {
        self.model = model
        shape = EngineShape(
            vocabularySize: model.vocabularySize, contextCells: contextCells, sequences: sequences,
            branches: branches, nodesMax: nodesMax, canRewind: canRewind)
        cache = Array(repeating: Sequence(), count: sequences)
        holders = Array(repeating: 0, count: contextCells)
        freeCells = Array((0..<contextCells).reversed())
    }

    /// The tokens whose keys and values the cache of `sequence` holds, from position 0.
    package func cached(_ sequence: SequenceID) -> [TokenID] { cache[Int(sequence.rawValue)].tokens }

    /// Cells in use; one that several sequences share counts once.
    package var cellsInUse: Int { shape.contextCells - freeCells.count }

    /// An invalid pass changes nothing; one that finds the cache full leaves its adoptions and edits done.
    package mutating func run(_ pass: EnginePass) throws(EngineError) -> [Score] {
        try validate(pass)
        for adoption in pass.adoptions { perform(adoption) }
        for edit in pass.edits { perform(edit) }
        guard cellsInUse + pass.nodes.count <= shape.contextCells else {
            throw EngineError(
                .cacheFull,
                "\(pass.nodes.count) nodes do not fit beside \(cellsInUse) of \(shape.contextCells) cells",
                remedy: "release a sequence, then run the pass again")
        }
        var scores: [Score] = []
        var row: [Float] = []
        for node in pass.nodes {
            append(node)
            guard let score = node.score else { continue }
            model.logits(after: cache[Int(node.sequence.rawValue)].tokens[...], into: &row)
            scores.append(Score(row.span, score, scratch: &scratch))
        }
        return scores
    }

    private mutating func append(_ node: ForestNode) {
        let cell = freeCells.removeLast()
        for branch in node.branches {
            // Its first node in this pass, by `validate`; at later ones it is as long as the sequence.
            if cache[Int(branch.rawValue)].cells.isEmpty { copy(node.sequence, from: 0, to: branch) }
            add(node.token, cell, to: branch)
        }
        add(node.token, cell, to: node.sequence)
    }

    private mutating func perform(_ edit: CacheEdit) {
        switch edit {
        case .rewind(let sequence, let length): drop(sequence, from: length.rawValue)
        case .release(let sequence): drop(sequence, from: 0)
        case .fork(let source, let target, let length): copy(source, from: 0, through: length.rawValue, to: target)
        }
    }

    private mutating func perform(_ adoption: BranchAdoption) {
        drop(adoption.owner, from: adoption.positions.lowerBound.rawValue)
        copy(
            adoption.branch, from: adoption.positions.lowerBound.rawValue,
            through: adoption.positions.upperBound.rawValue, to: adoption.owner)
    }

    private mutating func copy(
        _ source: SequenceID, from start: Int, through end: Int? = nil, to target: SequenceID
    ) {
        let held = cache[Int(source.rawValue)]
        for position in start..<(end ?? held.cells.count) {
            add(held.tokens[position], held.cells[position], to: target)
        }
    }

    private mutating func add(_ token: TokenID, _ cell: Int, to sequence: SequenceID) {
        holders[cell] += 1
        cache[Int(sequence.rawValue)].tokens.append(token)
        cache[Int(sequence.rawValue)].cells.append(cell)
    }

    private mutating func drop(_ sequence: SequenceID, from length: Int) {
        while cache[Int(sequence.rawValue)].cells.count > length {
            let cell = cache[Int(sequence.rawValue)].cells.removeLast()
            cache[Int(sequence.rawValue)].tokens.removeLast()
            holders[cell] -= 1
            if holders[cell] == 0 { freeCells.append(cell) }
        }
    }
}

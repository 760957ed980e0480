package import NacreCore

/// An exact engine over a tabular model: the meaning of `EnginePass`, executable.
///
/// A node's row depends on the tokens of its sequence and on nothing else, so every batch gives the same choices as
/// decoding one token at a time. It holds each cached token, so a test can compare the cache with the committed
/// prefix. The simulator and all tests without a real model run on it.
package struct ReferenceEngine: Engine {
    package let shape: EngineShape
    private let model: TabularModel
    /// The tokens of each sequence; a token occupies one cell.
    private var cache: [[TokenID]]
    private var cellsInUse = 0
    private var scratch = CoupledScratch()

    package init(
        model: TabularModel, contextCells: Int, sequences: Int, nodesMax: Int, canRewind: Bool = true
    ) {
        self.model = model
        shape = EngineShape(
            vocabularySize: model.vocabularySize, contextCells: contextCells, sequences: sequences,
            nodesMax: nodesMax, canRewind: canRewind)
        cache = Array(repeating: [], count: sequences)
    }

    /// The tokens whose keys and values the cache of `sequence` holds, from position 0.
    package func cached(_ sequence: SequenceID) -> [TokenID] { cache[Int(sequence.rawValue)] }

    /// An invalid pass changes nothing; one that finds the cache full leaves its edits done.
    package mutating func run(_ pass: EnginePass) throws(EngineError) -> [Choice] {
        try validate(pass)
        for edit in pass.edits { perform(edit) }
        guard cellsInUse + pass.nodes.count <= shape.contextCells else {
            throw EngineError(
                .cacheFull,
                "\(pass.nodes.count) nodes do not fit beside \(cellsInUse) of \(shape.contextCells) cells",
                remedy: "release a sequence, then run the pass again")
        }
        cellsInUse += pass.nodes.count
        var choices: [Choice] = []
        var row: [Float] = []
        for node in pass.nodes {
            let sequence = Int(node.sequence.rawValue)
            cache[sequence].append(node.token)
            guard let score = node.score else { continue }
            model.logits(after: cache[sequence][...], into: &row)
            choices.append(CoupledRule.choose(row.span, score, scratch: &scratch))
        }
        return choices
    }

    private mutating func perform(_ edit: CacheEdit) {
        switch edit {
        case .rewind(let sequence, let length):
            let surplus = cache[Int(sequence.rawValue)].count - length.rawValue
            guard surplus > 0 else { return }
            cache[Int(sequence.rawValue)].removeLast(surplus)
            cellsInUse -= surplus
        case .release(let sequence):
            cellsInUse -= cache[Int(sequence.rawValue)].count
            cache[Int(sequence.rawValue)].removeAll(keepingCapacity: true)
        }
    }

    /// Follows the lengths of all sequences through the pass.
    private func validate(_ pass: EnginePass) throws(EngineError) {
        guard pass.nodes.count <= shape.nodesMax else {
            throw EngineError(.invalidPass, "\(pass.nodes.count) nodes in a pass of at most \(shape.nodesMax)")
        }
        var lengths = cache.map(\.count)
        for edit in pass.edits {
            switch edit {
            case .rewind(let sequence, let length):
                try check(sequence)
                let own = lengths[Int(sequence.rawValue)]
                guard length >= 0 else { throw EngineError(.invalidPass, "rewind of \(sequence) to \(length)") }
                guard shape.canRewind || length == 0 || length.rawValue >= own else {
                    throw EngineError(.invalidPass, "rewind of \(sequence) from \(own) to \(length): not supported")
                }
                lengths[Int(sequence.rawValue)] = min(own, length.rawValue)
            case .release(let sequence):
                try check(sequence)
                lengths[Int(sequence.rawValue)] = 0
            }
        }
        for node in pass.nodes {
            try check(node.sequence)
            let length = lengths[Int(node.sequence.rawValue)]
            guard node.position.rawValue == length else {
                throw EngineError(
                    .invalidPass, "position \(node.position) of sequence \(node.sequence), which ends at \(length)")
            }
            guard node.token.rawValue < shape.vocabularySize else {
                throw EngineError(.invalidPass, "token \(node.token) of a vocabulary of \(shape.vocabularySize)")
            }
            if let score = node.score, score.index < 0 || score.policy.complaint != nil {
                throw EngineError(.invalidPass, "index \(score.index): \(score.policy.complaint ?? "below 0")")
            }
            lengths[Int(node.sequence.rawValue)] += 1
        }
    }

    private func check(_ sequence: SequenceID) throws(EngineError) {
        guard cache.indices.contains(Int(sequence.rawValue)) else {
            throw EngineError(.invalidPass, "sequence \(sequence) of \(shape.sequences)")
        }
    }
}

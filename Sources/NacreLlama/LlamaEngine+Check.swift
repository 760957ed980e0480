import NacreCore
import NacreEngine

extension LlamaEngine {
    /// Finds everything in a pass that libllama would refuse, or end the process over, before anything is changed.
    ///
    /// - Throws: `.invalidPass`.
    func check(_ pass: EnginePass) throws(EngineError) {
        guard pass.nodes.count <= shape.nodesMax else {
            throw Self.invalid("\(pass.nodes.count) nodes; the most is \(shape.nodesMax)")
        }
        guard pass.adoptions.isEmpty, pass.nodes.allSatisfy(\.branches.isEmpty) else {
            throw Self.invalid("a tree; this engine runs chains only")
        }
        // Lengths of the sequences that the pass touches, as they will be.
        var lengths: [SequenceID: Position] = [:]
        for edit in pass.edits {
            let (sequence, length) =
                switch edit {
                case .rewind(let sequence, let length): (sequence, length)
                case .release(let sequence): (sequence, Position(rawValue: 0))
                }
            let old = try end(of: sequence, lengths)
            guard length >= 0 else { throw Self.invalid("sequence \(sequence) rewound to \(length)") }
            guard shape.canRewind || length == 0 || length >= old else {
                throw Self.invalid("sequence \(sequence) rewound to \(length) of \(old); this model cannot")
            }
            lengths[sequence] = min(old, length)
        }
        for (index, node) in pass.nodes.enumerated() {
            let end = try end(of: node.sequence, lengths)
            guard node.position == end else {
                throw Self.invalid("node \(index) at \(node.position); sequence \(node.sequence) ends at \(end)")
            }
            lengths[node.sequence] = end.next
            guard node.token.rawValue < shape.vocabularySize else {
                throw Self.invalid("node \(index) has token \(node.token) of \(shape.vocabularySize)")
            }
            if let complaint = node.score?.policy.complaint { throw Self.invalid("node \(index): \(complaint)") }
        }
    }

    /// Where `sequence` ends: as `lengths` says, or else as in the cache.
    private func end(
        of sequence: SequenceID, _ lengths: [SequenceID: Position]
    ) throws(EngineError) -> Position {
        if let length = lengths[sequence] { return length }
        guard (0..<Int32(shape.sequences)).contains(sequence.rawValue) else {
            throw Self.invalid("sequence \(sequence) of \(shape.sequences)")
        }
        return length(sequence)
    }

    private static func invalid(_ what: String) -> EngineError { EngineError(.invalidPass, "invalid pass: \(what)") }
}

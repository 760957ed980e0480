import NacreCore
import NacreEngine

extension LlamaEngine {
    /// What is known of a sequence on the way through a pass.
    private struct Track {
        var length: Position
        /// The last node of this pass that it holds.
        var last: Int?
    }

    /// Finds everything in a pass that libllama would refuse, or end the process over, before anything is changed: the
    /// same rules as the reference engine's.
    ///
    /// - Throws: `.invalidPass`.
    func check(_ pass: EnginePass) throws(EngineError) {
        guard pass.nodes.count <= shape.nodesMax else {
            throw Self.invalid("\(pass.nodes.count) nodes; the most is \(shape.nodesMax)")
        }
        // The sequences that the pass touches, as they will be.
        var tracks: [SequenceID: Track] = [:]
        for adoption in pass.adoptions {
            try check(adoption, isFirst: tracks[adoption.owner] == nil && tracks[adoption.branch] == nil)
            tracks[adoption.owner] = Track(length: adoption.positions.upperBound)
        }
        for edit in pass.edits { try check(edit, &tracks) }
        var begun = SequenceSet()
        for (index, node) in pass.nodes.enumerated() { try check(node, number: index, &tracks, &begun) }
    }

    /// A branch wins against the sequence that it was copied from, and only where the two differ.
    private func check(_ adoption: BranchAdoption, isFirst: Bool) throws(EngineError) {
        let (owner, branch) = (adoption.owner, adoption.branch)
        let (fork, end) = (adoption.positions.lowerBound, adoption.positions.upperBound)
        try check(owner)
        try check(branch)
        guard owner != branch, isFirst, 0 <= fork, fork <= commonLength(owner, branch), end <= length(branch),
            shape.canRewind || fork == length(owner)
        else {
            throw Self.invalid(
                "sequence \(owner) adopts \(adoption.positions) of sequence \(branch), which is no branch of it there")
        }
    }

    private func check(_ edit: CacheEdit, _ tracks: inout [SequenceID: Track]) throws(EngineError) {
        switch edit {
        case .rewind(let sequence, let length):
            let old = try track(sequence, tracks).length
            guard length >= 0 else { throw Self.invalid("sequence \(sequence) rewound to \(length)") }
            guard shape.canRewind || length == 0 || length >= old else {
                throw Self.invalid("sequence \(sequence) rewound to \(length) of \(old); this model cannot")
            }
            tracks[sequence] = Track(length: min(old, length))
        case .release(let sequence):
            try check(sequence)
            tracks[sequence] = Track(length: 0)
        case .fork(let source, let target, let length):
            let own = try track(source, tracks).length
            guard try track(target, tracks).length == 0, source != target else {
                throw Self.invalid("a fork of sequence \(source) to \(target), which is in use")
            }
            guard 0 <= length, length <= own, shape.canRewind || length == 0 || length == own else {
                throw Self.invalid("a fork of \(length) positions of sequence \(source), which has \(own)")
            }
            tracks[target] = Track(length: length)
        }
    }

    private func check(
        _ node: ForestNode, number: Int, _ tracks: inout [SequenceID: Track], _ begun: inout SequenceSet
    ) throws(EngineError) {
        let track = try track(node.sequence, tracks)
        guard node.position == track.length else {
            throw Self.invalid(
                "node \(number) at \(node.position); sequence \(node.sequence) ends at \(track.length)")
        }
        guard node.token.rawValue < shape.vocabularySize else {
            throw Self.invalid("node \(number) has token \(node.token) of \(shape.vocabularySize)")
        }
        if let complaint = node.score?.complaint { throw Self.invalid("node \(number): \(complaint)") }
        var own = SequenceSet([node.sequence])
        for branch in node.branches {
            let other = try self.track(branch, tracks)
            guard !own.contains(branch) else { throw Self.invalid("node \(number) names sequence \(branch) twice") }
            own.insert(branch)
            if begun.contains(branch) {
                guard other.length == track.length, other.last == track.last else {
                    throw Self.invalid("node \(number) joins branch \(branch) to sequence \(node.sequence) again")
                }
            } else {
                begun.insert(branch)
                guard other.length == 0, other.last == nil, !model.isRecurrent else {
                    throw Self.invalid("node \(number) begins branch \(branch), which is in use")
                }
            }
        }
        for sequence in own.sequences { tracks[sequence] = Track(length: track.length.next, last: number) }
    }

    /// A sequence as the pass has it by now, or else as it is in the cache.
    private func track(_ sequence: SequenceID, _ tracks: [SequenceID: Track]) throws(EngineError) -> Track {
        if let track = tracks[sequence] { return track }
        try check(sequence)
        return Track(length: length(sequence))
    }

    private func check(_ sequence: SequenceID) throws(EngineError) {
        guard (0..<Int32(shape.sequences)).contains(sequence.rawValue) else {
            throw Self.invalid("sequence \(sequence) of \(shape.sequences)")
        }
    }

    private static func invalid(_ what: String) -> EngineError { EngineError(.invalidPass, "invalid pass: \(what)") }
}

import NacreCore

extension ReferenceEngine {
    /// What is known of a sequence on the way through a pass.
    private struct Track {
        var length: Int
        /// The last node of this pass that it holds.
        var last: Int?
    }

    /// Follows all sequences through the pass.
    func validate(_ pass: EnginePass) throws(EngineError) {
        guard pass.nodes.count <= shape.nodesMax else {
            throw invalid("\(pass.nodes.count) nodes in a pass of at most \(shape.nodesMax)")
        }
        var tracks = cache.map { Track(length: $0.cells.count) }
        var adopters: Set<SequenceID> = []
        for adoption in pass.adoptions {
            let isFirst = !adopters.contains(adoption.branch) && adopters.insert(adoption.owner).inserted
            try check(adoption, isFirst: isFirst)
            tracks[Int(adoption.owner.rawValue)].length = adoption.positions.upperBound.rawValue
        }
        for edit in pass.edits { try check(edit, &tracks) }
        var branches: Set<SequenceID> = []
        for (index, node) in pass.nodes.enumerated() {
            try check(node, number: index, &tracks, &branches)
        }
    }

    private func check(_ edit: CacheEdit, _ tracks: inout [Track]) throws(EngineError) {
        switch edit {
        case .rewind(let sequence, let length):
            try check(sequence)
            let own = tracks[Int(sequence.rawValue)].length
            guard length >= 0 else { throw invalid("rewind of \(sequence) to \(length)") }
            guard shape.canRewind || length == 0 || length.rawValue >= own else {
                throw invalid("rewind of \(sequence) from \(own) to \(length): not supported")
            }
            tracks[Int(sequence.rawValue)].length = min(own, length.rawValue)
        case .release(let sequence):
            try check(sequence)
            tracks[Int(sequence.rawValue)].length = 0
        case .fork(let source, let target, let length):
            try check(source)
            try check(target)
            let own = tracks[Int(source.rawValue)].length
            guard tracks[Int(target.rawValue)].length == 0, source != target else {
                throw invalid("fork of \(source) to \(target), which is in use")
            }
            guard (0...own).contains(length.rawValue), shape.canRewind || length == 0 || length.rawValue == own else {
                throw invalid("fork of \(length) positions of \(source), which has \(own)")
            }
            tracks[Int(target.rawValue)].length = length.rawValue
        }
    }

    /// A branch wins against the sequence that it was copied from, and only where the two differ.
    private func check(_ adoption: BranchAdoption, isFirst: Bool) throws(EngineError) {
        try check(adoption.owner)
        try check(adoption.branch)
        let (owned, branch) = (cache[Int(adoption.owner.rawValue)].cells, cache[Int(adoption.branch.rawValue)].cells)
        let (fork, end) = (adoption.positions.lowerBound.rawValue, adoption.positions.upperBound.rawValue)
        guard adoption.owner != adoption.branch, isFirst, 0 <= fork,
            fork <= owned.count, end <= branch.count, owned[..<fork] == branch[..<fork],
            shape.canRewind || fork == owned.count
        else {
            throw invalid(
                "sequence \(adoption.owner) adopts \(adoption.positions) of sequence \(adoption.branch), "
                    + "which is no branch of it there")
        }
    }

    private func check(
        _ node: ForestNode, number: Int, _ tracks: inout [Track], _ branches: inout Set<SequenceID>
    ) throws(EngineError) {
        try check(node.sequence)
        let track = tracks[Int(node.sequence.rawValue)]
        guard node.position.rawValue == track.length else {
            throw invalid("position \(node.position) of sequence \(node.sequence), which ends at \(track.length)")
        }
        guard node.token.rawValue < shape.vocabularySize else {
            throw invalid("token \(node.token) of a vocabulary of \(shape.vocabularySize)")
        }
        if let complaint = node.score?.complaint { throw invalid("node \(number): \(complaint)") }
        for branch in node.branches {
            try check(branch)
            let own = tracks[Int(branch.rawValue)]
            if branches.insert(branch).inserted {
                guard own.length == 0, own.last == nil else {
                    throw invalid("node \(number) begins branch \(branch), which is in use")
                }
            } else if own.length != track.length || own.last != track.last {
                throw invalid("node \(number) joins branch \(branch) to sequence \(node.sequence) again")
            }
        }
        guard Set(node.branches).count == node.branches.count, !node.branches.contains(node.sequence) else {
            throw invalid("node \(number) names a sequence twice")
        }
        for sequence in [node.sequence] + node.branches {
            tracks[Int(sequence.rawValue)] = Track(length: track.length + 1, last: number)
        }
    }

    private func check(_ sequence: SequenceID) throws(EngineError) {
        guard cache.indices.contains(Int(sequence.rawValue)) else {
            throw invalid("sequence \(sequence) of \(shape.sequences)")
        }
    }

    private func invalid(_ what: String) -> EngineError { EngineError(.invalidPass, what) }
}

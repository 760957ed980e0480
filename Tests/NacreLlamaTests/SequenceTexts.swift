import NacreCore

/// What each sequence holds after passes: the meaning of `EnginePass`, in a few lines.
struct SequenceTexts {
    private var texts: [SequenceID: [TokenID]] = [:]

    subscript(sequence: SequenceID) -> [TokenID] { texts[sequence] ?? [] }

    /// What a pass does before its nodes.
    mutating func edit(_ pass: EnginePass) {
        for adoption in pass.adoptions {
            let (fork, end) = (adoption.positions.lowerBound.rawValue, adoption.positions.upperBound.rawValue)
            texts[adoption.owner] = Array(self[adoption.owner][..<fork] + self[adoption.branch][fork..<end])
        }
        for edit in pass.edits {
            switch edit {
            case .rewind(let sequence, let length): texts[sequence] = Array(self[sequence].prefix(length.rawValue))
            case .release(let sequence): texts[sequence] = nil
            case .fork(let source, let target, let length):
                texts[target] = Array(self[source].prefix(length.rawValue))
            }
        }
    }

    mutating func append(_ node: ForestNode) {
        for branch in node.branches where self[branch].isEmpty { texts[branch] = self[node.sequence] }
        for sequence in [node.sequence] + node.branches { texts[sequence, default: []].append(node.token) }
    }
}

import NacreCore
import Testing

/// A KV cache that does what passes say and refuses what no engine would do.
struct CacheModel {
    private(set) var texts: [SequenceID: [TokenID]] = [:]

    /// What a pass leaves for which there was no room.
    mutating func edit(_ pass: EnginePass) {
        for adoption in pass.adoptions {
            let (from, to) = (adoption.positions.lowerBound.rawValue, adoption.positions.upperBound.rawValue)
            let owned = texts[adoption.owner, default: []]
            let branch = texts[adoption.branch, default: []]
            #expect(branch.count >= to && owned.prefix(from) == branch.prefix(from), "\(adoption) of another text")
            texts[adoption.owner] = Array(owned.prefix(from) + branch[from..<to])
        }
        for edit in pass.edits {
            switch edit {
            case .rewind(let sequence, let length):
                texts[sequence] = Array((texts[sequence] ?? []).prefix(length.rawValue))
            case .release(let sequence): texts[sequence] = nil
            case .fork(let source, let target, let length):
                let text = texts[source, default: []]
                #expect(texts[target, default: []].isEmpty && text.count >= length.rawValue, "\(edit)")
                texts[target] = Array(text.prefix(length.rawValue))
            }
        }
    }

    mutating func run(_ pass: EnginePass) {
        edit(pass)
        var begun: Set<SequenceID> = []
        for node in pass.nodes {
            let text = texts[node.sequence, default: []]
            #expect(node.position.rawValue == text.count, "a gap in \(node.sequence)")
            for branch in node.branches {
                if begun.insert(branch).inserted {
                    #expect(texts[branch, default: []].isEmpty, "branch \(branch) is in use")
                    texts[branch] = text
                }
                texts[branch, default: []].append(node.token)
            }
            texts[node.sequence] = text + [node.token]
        }
    }
}

extension EnginePass {
    /// "token@position", with a "?" for a row.
    var line: String {
        nodes.map { "\($0.token)@\($0.position)\($0.score == nil ? "" : "?")" }.joined(separator: " ")
    }

    /// As `line`, with the sequences of each node: "token@position?/0,3".
    var treeLine: String {
        nodes.map { node in
            let sequences = ([node.sequence] + node.branches).map(\.description).joined(separator: ",")
            return "\(node.token)@\(node.position)\(node.score == nil ? "" : "?")/\(sequences)"
        }.joined(separator: " ")
    }
}

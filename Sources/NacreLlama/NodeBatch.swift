internal import CLlama
import NacreCore

/// The arrays of a C batch.
struct NodeBatch: ~Copyable {
    private let nodesMax: Int
    private let tokens: UnsafeMutablePointer<llama_token>
    private let positions: UnsafeMutablePointer<llama_pos>
    private let counts: UnsafeMutablePointer<Int32>
    private let lists: UnsafeMutablePointer<UnsafeMutablePointer<llama_seq_id>?>
    private let outputs: UnsafeMutablePointer<Int8>
    /// The lists of all nodes, end to end: at least one id for each, and more when there are branches.
    private var sequences: UnsafeMutablePointer<llama_seq_id>
    private var sequencesMax: Int

    init(nodesMax: Int) {
        self.nodesMax = nodesMax
        tokens = .allocate(capacity: nodesMax)
        positions = .allocate(capacity: nodesMax)
        counts = .allocate(capacity: nodesMax)
        lists = .allocate(capacity: nodesMax)
        outputs = .allocate(capacity: nodesMax)
        sequences = .allocate(capacity: nodesMax)
        sequencesMax = nodesMax
    }

    deinit {
        tokens.deallocate()
        positions.deallocate()
        counts.deallocate()
        lists.deallocate()
        outputs.deallocate()
        sequences.deallocate()
    }

    /// The C batch of these nodes; it borrows the arrays, so use it before the next call.
    mutating func fill(_ nodes: [ForestNode], _ holders: [SequenceSet]) -> llama_batch {
        precondition(nodes.count <= nodesMax && nodes.count == holders.count, "\(nodes.count) nodes of \(nodesMax)")
        reserve(holders.reduce(0) { $0 + $1.count })
        var used = 0
        for (index, node) in nodes.enumerated() {
            tokens[index] = llama_token(node.token.rawValue)
            positions[index] = llama_pos(node.position.rawValue)
            outputs[index] = node.score == nil ? 0 : 1
            lists[index] = sequences + used
            let own = holders[index].sequences
            counts[index] = Int32(own.count)
            for sequence in own {
                sequences[used] = sequence.rawValue
                used += 1
            }
        }
        return llama_batch(
            n_tokens: Int32(nodes.count), token: tokens, embd: nil, pos: positions, n_seq_id: counts, seq_id: lists,
            logits: outputs)
    }

    private mutating func reserve(_ count: Int) {
        guard count > sequencesMax else { return }
        sequences.deallocate()
        sequences = .allocate(capacity: count)
        sequencesMax = count
    }
}

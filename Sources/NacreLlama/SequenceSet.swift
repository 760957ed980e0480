package import NacreCore

/// Sequences of a cache: which of them hold a cell. As many as libllama has ids for.
package struct SequenceSet: Sendable, Hashable {
    /// Ids are `0 ..< capacity` (`LLAMA_MAX_SEQ`).
    package static let capacity = 256
    private var words = SIMD4<UInt64>()

    package init(_ sequences: some Sequence<SequenceID> = EmptyCollection()) {
        for sequence in sequences { insert(sequence) }
    }

    package var isEmpty: Bool { words == .zero }

    package func contains(_ sequence: SequenceID) -> Bool {
        words[Int(sequence.rawValue) / 64] >> UInt64(sequence.rawValue % 64) & 1 == 1
    }

    package mutating func insert(_ sequence: SequenceID) {
        words[Int(sequence.rawValue) / 64] |= 1 << UInt64(sequence.rawValue % 64)
    }

    package mutating func remove(_ sequence: SequenceID) {
        words[Int(sequence.rawValue) / 64] &= ~(1 << UInt64(sequence.rawValue % 64))
    }

    package mutating func formUnion(_ other: SequenceSet) { words |= other.words }

    /// The lowest id.
    package var first: SequenceID? {
        for word in words.indices where words[word] != 0 {
            return SequenceID(rawValue: Int32(word * 64 + words[word].trailingZeroBitCount))
        }
        return nil
    }

    package var count: Int { words.indices.reduce(0) { $0 + words[$1].nonzeroBitCount } }

    /// All of them, by rising id.
    package var sequences: [SequenceID] {
        var rest = self
        var sequences: [SequenceID] = []
        while let next = rest.first {
            sequences.append(next)
            rest.remove(next)
        }
        return sequences
    }
}

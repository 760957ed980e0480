package import NacreCore

/// The pieces of a vocabulary, as a node reported them: what the coordinator needs to turn tokens into text without
/// a model file.
package struct Vocabulary: Sendable {
    package let digest: UInt64
    package let total: Int
    private var entries: [VocabularyChunk.Entry] = []

    package init(digest: UInt64, total: Int) {
        self.digest = digest
        self.total = total
    }

    package var isComplete: Bool { entries.count == total }

    package mutating func receive(_ chunk: VocabularyChunk) throws(ProtocolFault) {
        guard chunk.digest == digest, chunk.total == total, chunk.first == entries.count,
            entries.count + chunk.entries.count <= total
        else { throw ProtocolFault("VocabularyChunk at \(chunk.first) does not continue \(entries.count) pieces") }
        entries += chunk.entries
    }

    /// The bytes that a token adds to the text: none for control tokens and ends of generation.
    package func text(of token: TokenID) -> [UInt8] {
        guard Int(token.rawValue) < entries.count else { return [] }
        let entry = entries[Int(token.rawValue)]
        return entry.isControl || entry.endsGeneration ? [] : entry.piece
    }

    package func endsGeneration(_ token: TokenID) -> Bool {
        Int(token.rawValue) < entries.count && entries[Int(token.rawValue)].endsGeneration
    }

    /// What a target of this vocabulary and a draft model of the other have in common.
    package func overlap(withDraft draft: Vocabulary) -> VocabularyOverlap {
        VocabularyOverlap(target: meanings, draft: draft.meanings, isSame: digest == draft.digest)
    }

    private var meanings: [TokenMeaning] {
        entries.map { TokenMeaning(piece: $0.piece, isCommand: $0.isControl) }
    }
}

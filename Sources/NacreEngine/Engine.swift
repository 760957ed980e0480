package import NacreCore

/// A model with its KV cache: the one narrow way to a forward pass.
///
/// An engine is owned by one thread (`EngineHost`); its calls block for as long as the model computes.
package protocol Engine: ~Copyable {
    var shape: EngineShape { get }

    /// Performs the pass's adoptions and edits, evaluates its nodes in one batch and returns one score per node that
    /// asked for one, in node order (`Score.init` on the node's logits row).
    ///
    /// - Throws: `EngineError` `.cacheFull` (nothing was evaluated; the edits stand), `.invalidPass` (our own bug:
    ///   positions that do not continue the cache, sequences that are no branches), `.failed` (the sequences of the
    ///   pass must be released).
    mutating func run(_ pass: EnginePass) throws(EngineError) -> [Score]
}

/// What a loaded model can do. Fixed for its lifetime.
package struct EngineShape: Sendable, Hashable {
    /// Tokens in the vocabulary: token ids are `0 ..< vocabularySize`.
    package var vocabularySize: Int
    /// Cells of the KV cache, shared by all sequences.
    package var contextCells: Int
    /// Sequences that can be alive at once, those of jobs and their branches: ids are `0 ..< sequences`.
    package var sequences: Int
    /// How many of them were made for the side branches of trees. They are sequences like the others; by custom jobs
    /// have the ids `0 ..< jobs` and branches those behind, so that no job waits for an id that a tree holds.
    package var branches: Int
    /// Most nodes one pass may carry.
    package var nodesMax: Int
    /// Whether `CacheEdit.rewind` to a length above zero works (false for recurrent models).
    package var canRewind: Bool

    /// Sequences that jobs can have.
    package var jobs: Int { sequences - branches }

    package init(
        vocabularySize: Int, contextCells: Int, sequences: Int, branches: Int = 0, nodesMax: Int, canRewind: Bool
    ) {
        self.vocabularySize = vocabularySize
        self.contextCells = contextCells
        self.sequences = sequences
        self.branches = branches
        self.nodesMax = nodesMax
        self.canRewind = canRewind
    }
}

/// Text to tokens and back. Immutable, callable from any thread.
package protocol Tokenizer: Sendable {
    var vocabularySize: Int { get }
    /// A digest of all pieces and their roles: equal digests mean interchangeable token ids.
    var vocabularyDigest: UInt64 { get }
    /// Tokens of `text` (raw bytes), with the model's beginning-of-text token if it wants one.
    func tokenize(_ text: [UInt8], addSpecial: Bool, parseSpecial: Bool) throws(EngineError) -> [TokenID]
    /// The bytes a token stands for; may end inside a UTF-8 character.
    func piece(_ token: TokenID) -> [UInt8]
    func isEndOfGeneration(_ token: TokenID) -> Bool
    func isControl(_ token: TokenID) -> Bool
    /// Whether the token is a byte to fall back on, where no piece has it.
    func isByte(_ token: TokenID) -> Bool
}

/// What went wrong in the engine, with the remedy.
package struct EngineError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        case modelUnreadable, modelUnsupported, cacheFull, invalidPass, invalidText, failed
        /// The engine is gone, for instance with a host that held layers of its model. A new one may be had later.
        case lost
    }
    package let code: Code
    package let message: String
    /// The next thing to try; empty when there is none.
    package let remedy: String

    package init(_ code: Code, _ message: String, remedy: String = "") {
        self.code = code
        self.message = message
        self.remedy = remedy
    }

    package var description: String { remedy.isEmpty ? message : "\(message): \(remedy)" }
}

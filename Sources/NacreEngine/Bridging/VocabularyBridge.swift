package import NacreCore

/// How a drafter of one vocabulary drafts in the tokens of another: what is fixed for its life and common to all of
/// its texts.
///
///     let bridge = try VocabularyBridge(target: targetTokenizer, draft: draftTokenizer, asked: nil)
///     let engine = BridgedEngine(LlamaEngine(…), bridge: bridge, contextMax: 4_096)
package struct VocabularyBridge: Sendable {
    /// Not `none`.
    package let kind: BridgeKind
    /// Whether `tli` drafts the drafter's text where too little of q is on shared tokens: not where it was asked for by
    /// name, or a tokenizer does not give back what the target's tokens say.
    package let goesByText: Bool
    /// The part of a text's tokens that the drafter has, and of the drafter's own that the target has: by these `auto`
    /// decides; `nil` where a tokenizer cannot say the sample text.
    package let textShare: Double?
    package let draftTextShare: Double?
    package let overlap: VocabularyOverlap
    let target: ByteExactTokenizer
    let draft: ByteExactTokenizer
    let intersection: TokenLevelIntersection
    let stringLevel: StringLevelRejectionSampling?
    /// Commands that each tokenizer puts before a text. They mean the same, whatever they are called.
    let targetBeginning: [TokenID]
    let draftBeginning: [TokenID]
    /// A token that ends the drafter's generation.
    let draftEnd: TokenID?

    /// Rows of the drafter that `slrs` may take for one token of the target: with more, a draft costs more than what it
    /// saves whatever the models.
    private static let rowsMax = 256

    /// - Parameter asked: `nil` is `auto`: `tli`, `slem` or both, by how much of a text each can say in the other's
    ///   tokens.
    /// - Throws: `.nothingInCommon` for `tli`, `.cannotSpell` for the others, `.tooManyRows` for `slrs`, where they
    ///   cannot work, and `.nothingToBridge` for two that have one vocabulary.
    package init(target: any Tokenizer, draft: any Tokenizer, asked: BridgeKind?) throws(BridgeRefusal) {
        let (left, right) = (BridgedTokenizer(tokenizer: target), BridgedTokenizer(tokenizer: draft))
        let overlap = VocabularyOverlap(target: target, draft: draft)
        (self.target, self.draft) = (ByteExactTokenizer(left), ByteExactTokenizer(right))
        let intersection = TokenLevelIntersection(target: self.target, draft: self.draft)
        var survey = BridgeSurvey(overlap: overlap, intersection: intersection)
        let sample = Array(BridgeSurvey.sample.utf8)
        survey.observe(target: left.tokens(of: sample) ?? [], draft: right.tokens(of: sample) ?? [])
        var kind = try survey.choice(asked: asked)
        guard kind != .none else { throw .nothingToBridge }
        let canSpell =
            asked == .tli || Self.spells(self.target, self.target) && Self.spells(self.draft, self.target)
        if kind != .tli, !canSpell {
            guard asked == nil, intersection.count > 0 else { throw .cannotSpell }
            kind = .tli
        }
        self.kind = kind
        goesByText = asked != .tli && canSpell
        self.overlap = overlap
        self.intersection = intersection
        textShare = survey.textShare
        draftTextShare = survey.draftTextShare
        stringLevel =
            kind == .slrs
            ? try StringLevelRejectionSampling(target: self.target, draft: self.draft, rowsMax: Self.rowsMax) : nil
        targetBeginning = left.beginning
        draftBeginning = right.beginning
        draftEnd = (0..<UInt32(draft.vocabularySize)).lazy.map(TokenID.init).first(where: draft.isEndOfGeneration)
    }
}

extension VocabularyBridge {
    private static let spelledMax = 256
    private static let spelledShareMin = 0.9

    /// Whether `tokenizer` gives back what tokens of `other` say, byte for byte, but for a few: one that changes white
    /// space or case does not.
    private static func spells(_ tokenizer: ByteExactTokenizer, _ other: ByteExactTokenizer) -> Bool {
        let size = other.tokenizer.vocabularySize
        let texts = stride(from: 0, to: size, by: max(1, size / spelledMax))
            .map { other.text(of: TokenID(rawValue: UInt32($0))) }
            .filter { text in !text.isEmpty && UTF8Text.runs(of: text).allSatisfy(\.isText) }
        let spelled = texts.count { tokenizer.tokens(of: $0) != nil }
        return Double(spelled) >= spelledShareMin * Double(texts.count)
    }
}

/// A model's tokenizer, as bridges read it.
struct BridgedTokenizer: TextTokenizer {
    let tokenizer: any Tokenizer

    var vocabularySize: Int { tokenizer.vocabularySize }
    func piece(_ token: TokenID) -> [UInt8] { tokenizer.piece(token) }
    func isControl(_ token: TokenID) -> Bool { tokenizer.isControl(token) }
    func isByte(_ token: TokenID) -> Bool { tokenizer.isByte(token) }
    func isEndOfGeneration(_ token: TokenID) -> Bool { tokenizer.isEndOfGeneration(token) }
    func tokens(of text: [UInt8]) -> [TokenID]? {
        try? tokenizer.tokenize(text, addSpecial: false, parseSpecial: false)
    }

    /// Commands before a text's own tokens.
    var beginning: [TokenID] {
        let tokens = try? tokenizer.tokenize(Array("a".utf8), addSpecial: true, parseSpecial: false)
        return Array((tokens ?? []).prefix { isControl($0) || isEndOfGeneration($0) })
    }
}

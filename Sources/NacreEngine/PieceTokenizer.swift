package import NacreCore

/// A vocabulary that is written down, whose tokenizer takes the longest piece that fits: what made-up models speak.
package struct PieceTokenizer: Tokenizer {
    package let pieces: [[UInt8]]
    /// Ends a generation; like a control token, never part of a text.
    package let end: TokenID?
    package let controls: Set<TokenID>
    package let vocabularyDigest: UInt64
    /// A control token that the tokenizer puts before a text.
    package var beginning: TokenID?

    /// - Parameter digest: `nil` for one of the pieces and their roles.
    package init(pieces: [[UInt8]], end: TokenID? = nil, controls: Set<TokenID> = [], digest: UInt64? = nil) {
        self.pieces = pieces
        self.end = end
        self.controls = controls
        vocabularyDigest =
            digest
            ?? pieces.enumerated().reduce(7) { sum, entry in
                let token = TokenID(rawValue: UInt32(entry.offset))
                let role: UInt64 = token == end ? 2 : controls.contains(token) ? 1 : 0
                return entry.element.reduce(sum &* 31 &+ role) { $0 &* 257 &+ UInt64($1) }
            }
    }

    /// Pieces that are all text, those with a part to play named once more.
    package init(_ pieces: String..., end: String? = nil, controls: [String] = []) {
        let tokens = pieces.indices.map { TokenID(rawValue: UInt32($0)) }
        self.init(
            pieces: pieces.map { Array($0.utf8) }, end: tokens.first { pieces[Int($0.rawValue)] == end },
            controls: Set(tokens.filter { controls.contains(pieces[Int($0.rawValue)]) }))
    }

    package var vocabularySize: Int { pieces.count }
    package func piece(_ token: TokenID) -> [UInt8] { pieces[Int(token.rawValue)] }
    package func isEndOfGeneration(_ token: TokenID) -> Bool { token == end }
    package func isControl(_ token: TokenID) -> Bool { token == end || controls.contains(token) }
    /// All pieces are written down: there is nothing to fall back on.
    package func isByte(_ token: TokenID) -> Bool { false }

    /// Puts `beginning` before a text, if there is one, and knows no commands in it.
    ///
    /// - Throws: `.invalidText` where no piece begins what is left.
    package func tokenize(
        _ text: [UInt8], addSpecial: Bool, parseSpecial: Bool
    ) throws(EngineError) -> [TokenID] {
        var tokens = [addSpecial ? beginning : nil].compactMap(\.self)
        var rest = text[...]
        while !rest.isEmpty {
            let fitting = pieces.indices.filter { id in
                !pieces[id].isEmpty && !isControl(TokenID(rawValue: UInt32(id))) && rest.starts(with: pieces[id])
            }
            guard let best = fitting.max(by: { pieces[$0].count < pieces[$1].count }) else {
                throw EngineError(.invalidText, "no piece begins the rest of the text")
            }
            tokens.append(TokenID(rawValue: UInt32(best)))
            rest = rest.dropFirst(pieces[best].count)
        }
        return tokens
    }
}

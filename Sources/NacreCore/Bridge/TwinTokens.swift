// Several tokens of one vocabulary that stand for the same bytes.
extension ByteExactTokenizer {
    /// Tokens that stand for the same, in the order in which they pair with those of another vocabulary: the one that
    /// the tokenizer writes for these bytes, then pieces before bytes to fall back on, then by their ids.
    ///
    /// SentencePiece vocabularies have ASCII twice, as pieces and as bytes for what no piece has. A model was trained
    /// on what its tokenizer writes, and says that: its other token has next to no probability, so that a pair with it
    /// is one with nothing. Which tokens pair changes no law, as the map stays an injection.
    package func ordered(_ twins: [TokenID]) -> [TokenID] {
        guard twins.count > 1 else { return twins }
        // Of commands, which have no text, nothing is written.
        let written = tokens(of: text(of: twins[0])).flatMap { $0.count == 1 ? $0.first : nil }
        func rank(_ token: TokenID) -> (Int, Int, UInt32) {
            (token == written ? 0 : 1, tokenizer.isByte(token) ? 1 : 0, token.rawValue)
        }
        return twins.sorted { rank($0) < rank($1) }
    }
}

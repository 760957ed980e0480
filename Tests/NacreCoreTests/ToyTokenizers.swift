import NacreCore

/// A tokenizer small enough to see through: bytes, longest match, or merges as byte-pair encodings do them.
struct ToyTokenizer: TextTokenizer {
    enum Method: Sendable {
        case longestMatch
        /// Ranks of pairs, the lowest merged first, within words that a pre-tokenizer cuts.
        case merges([Pair: Int], isCutIntoWords: Bool)
    }

    struct Pair: Hashable, Sendable {
        let left: TokenID
        let right: TokenID
    }

    var pieces: [[UInt8]]
    var controls: Set<TokenID> = []
    var ends: Set<TokenID> = []
    /// Bytes to fall back on: written where no other piece fits.
    var fallbacks: Set<TokenID> = []
    var method = Method.longestMatch
    /// Puts a space before every text, as SentencePiece models do.
    var hasLeadingSpace = false
    /// Replaces what is no UTF-8 by U+FFFD, as byte-level encodings do.
    var isLossy = false

    var vocabularySize: Int { pieces.count }
    func piece(_ token: TokenID) -> [UInt8] { pieces[Int(token.rawValue)] }
    func isControl(_ token: TokenID) -> Bool { controls.contains(token) }
    func isByte(_ token: TokenID) -> Bool { fallbacks.contains(token) }
    func isEndOfGeneration(_ token: TokenID) -> Bool { ends.contains(token) }

    func tokens(of text: [UInt8]) -> [TokenID]? {
        var text = hasLeadingSpace ? [0x20] + text : text
        if isLossy { text = Array(String(decoding: text, as: UTF8.self).utf8) }
        switch method {
        case .longestMatch: return longestMatches(text)
        case .merges(let ranks, let isCutIntoWords):
            let words = isCutIntoWords ? Self.words(text) : [text]
            let merged = words.map { merge($0, ranks) }
            return merged.contains { $0 == nil } ? nil : merged.compactMap(\.self).flatMap(\.self)
        }
    }

    private func isText(_ id: Int) -> Bool {
        let token = TokenID(rawValue: UInt32(id))
        return !controls.contains(token) && !ends.contains(token) && !pieces[id].isEmpty
    }

    private func longestMatches(_ text: [UInt8]) -> [TokenID]? {
        var tokens: [TokenID] = []
        var rest = text[...]
        while !rest.isEmpty {
            let fitting = pieces.indices.filter { isText($0) && rest.starts(with: pieces[$0]) }
            func rank(_ id: Int) -> (Int, Int, Int) {
                (fallbacks.contains(TokenID(rawValue: UInt32(id))) ? 0 : 1, pieces[id].count, -id)
            }
            guard let best = fitting.max(by: { rank($0) < rank($1) }) else { return nil }
            tokens.append(TokenID(rawValue: UInt32(best)))
            rest = rest.dropFirst(pieces[best].count)
        }
        return tokens
    }

    private func merge(_ word: [UInt8], _ ranks: [Pair: Int]) -> [TokenID]? {
        var tokens = word.map { TokenID(rawValue: UInt32($0)) }
        while true {
            let pairs = zip(tokens, tokens.dropFirst()).map { ranks[Pair(left: $0, right: $1)] ?? .max }
            guard let best = pairs.min(), best < .max, let place = pairs.firstIndex(of: best) else { return tokens }
            let text = piece(tokens[place]) + piece(tokens[place + 1])
            guard let merged = pieces.indices.first(where: { isText($0) && pieces[$0] == text }) else { return nil }
            tokens.replaceSubrange(place...(place + 1), with: [TokenID(rawValue: UInt32(merged))])
        }
    }

    /// Runs of letters, digits, white space or other bytes; a word takes the one space before it.
    private static func words(_ text: [UInt8]) -> [[UInt8]] {
        func kind(_ byte: UInt8) -> Int {
            switch byte {
            case 0x20, 0x09...0x0D: 0
            case 0x30...0x39: 1
            case 0x41...0x5A, 0x61...0x7A, 0x80...: 2
            default: 3
            }
        }
        var words: [[UInt8]] = []
        for byte in text {
            if let last = words.last?.last, kind(last) == kind(byte) || (words.last?.count == 1 && last == 0x20) {
                words[words.count - 1].append(byte)
            } else if kind(byte) != 0, words.last?.last == 0x20 {
                words[words.count - 1].removeLast()
                words.append([0x20, byte])
            } else {
                words.append([byte])
            }
        }
        return words
    }

    // MARK: - Specimens

    private static let bytes = (0...255).map { [UInt8($0)] }

    /// A token for each byte, then a beginning and an end.
    static let byteLevel = ToyTokenizer(
        pieces: bytes + [Array("<s>".utf8), Array("</s>".utf8)], controls: [256], ends: [257])

    /// Bytes and some pieces, by longest match. Its end of generation is no control token and named differently.
    static let longestMatch = ToyTokenizer(
        pieces: ["<eos>", "the", " the", "ing", "  ", "    ", " in", "12", "int", "日", "本語", "\n\n"].map {
            Array($0.utf8)
        }
            + bytes,
        ends: [0])

    /// Merges learnt from a text, cut into words; lossy.
    static let wordMerges = learnt(merges: 80, isCutIntoWords: true, isLossy: true)
    /// Merges across words, behind a leading space, with byte fallback.
    static let spacedMerges = learnt(merges: 60, isCutIntoWords: false, hasLeadingSpace: true)

    private static let lesson = """
        the other thing is the string in the ring, and the king is in there; they think that then the thin thing sings.
            for index in range(12): print(index, 123, 1234)
        日本語の文、日本の本。 naïve café 🙂🙂 über über
        """

    private static func learnt(
        merges: Int, isCutIntoWords: Bool, hasLeadingSpace: Bool = false, isLossy: Bool = false
    ) -> ToyTokenizer {
        var toy = ToyTokenizer(pieces: bytes, hasLeadingSpace: hasLeadingSpace, isLossy: isLossy)
        var ranks: [Pair: Int] = [:]
        var words = isCutIntoWords ? Self.words(Array(lesson.utf8)) : [Array(lesson.utf8)]
        if hasLeadingSpace { words = words.map { [0x20] + $0 } }
        var corpus = words.map { $0.map { TokenID(rawValue: UInt32($0)) } }
        while ranks.count < merges {
            var counts: [Pair: Int] = [:]
            for word in corpus {
                for (left, right) in zip(word, word.dropFirst()) {
                    counts[Pair(left: left, right: right), default: 0] += 1
                }
            }
            func key(_ pair: Pair) -> (Int, UInt32, UInt32) {
                (-(counts[pair] ?? 0), pair.left.rawValue, pair.right.rawValue)
            }
            guard let best = counts.keys.min(by: { key($0) < key($1) }) else { break }
            ranks[best] = ranks.count
            let text = toy.piece(best.left) + toy.piece(best.right)
            if !toy.pieces.contains(text) { toy.pieces.append(text) }
            let merged = TokenID(rawValue: UInt32(toy.pieces.firstIndex(of: text) ?? 0))
            corpus = corpus.map { word in
                var tokens: [TokenID] = []
                for token in word {
                    if tokens.last == best.left, token == best.right {
                        tokens[tokens.count - 1] = merged
                    } else {
                        tokens.append(token)
                    }
                }
                return tokens
            }
        }
        let end = TokenID(rawValue: UInt32(toy.pieces.count + 1))
        toy.pieces += ["<|start|>", "</s>"].map { Array($0.utf8) }
        toy.controls = [TokenID(rawValue: end.rawValue - 1)]
        toy.ends = [end]
        toy.method = .merges(ranks, isCutIntoWords: isCutIntoWords)
        return toy
    }

    /// Few tokens, all of them texts, by longest match.
    static func pieces(_ pieces: [String], end: Int? = nil) -> ToyTokenizer {
        ToyTokenizer(
            pieces: pieces.map { Array($0.utf8) }, ends: Set(end.map { [TokenID(rawValue: UInt32($0))] } ?? []))
    }

    func bytes(of tokens: some Sequence<TokenID>) -> [UInt8] {
        tokens.flatMap { ByteExactTokenizer.bytes(of: $0, self) }
    }
}

extension ByteExactTokenizer {
    /// What a token adds to a text, without a scan of the vocabulary.
    static func bytes(of token: TokenID, _ toy: ToyTokenizer) -> [UInt8] {
        toy.isControl(token) || toy.isEndOfGeneration(token) ? [] : toy.piece(token)
    }
}

extension TokenLevelIntersection {
    init(target: ToyTokenizer, draft: ToyTokenizer) {
        self.init(target: ByteExactTokenizer(target), draft: ByteExactTokenizer(draft))
    }
}

extension AlignedText {
    init(_ target: ToyTokenizer, _ draft: ToyTokenizer, look: Int = 10) {
        self.init(
            target: ByteExactTokenizer(target), draft: ByteExactTokenizer(draft),
            intersection: TokenLevelIntersection(target: target, draft: draft), look: look)
    }
}

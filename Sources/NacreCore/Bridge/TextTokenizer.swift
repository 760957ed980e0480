/// A vocabulary with its tokenizer, as much of it as a bridge between two vocabularies needs.
///
/// The engine's `Tokenizer` has all of it: `tokens(of:)` is its `tokenize` without special tokens added (a token that
/// begins a text would come to stand in its middle) and without special tokens parsed (a text that looks like a command
/// is none); `piece` is its `piece`, never a cleaned-up text.
package protocol TextTokenizer: Sendable {
    var vocabularySize: Int { get }
    /// The bytes of a token; they may end inside a character. For a control token, its name.
    func piece(_ token: TokenID) -> [UInt8]
    func isControl(_ token: TokenID) -> Bool
    func isEndOfGeneration(_ token: TokenID) -> Bool
    /// Whether a token is a byte to fall back on, where no piece has it.
    func isByte(_ token: TokenID) -> Bool
    /// Tokens of `text`, which is valid UTF-8; `nil` if the tokenizer fails. A space put before them may stay: it is
    /// undone (`ByteExactTokenizer`).
    func tokens(of text: [UInt8]) -> [TokenID]?
}

/// A tokenizer whose tokens join to exactly the bytes that were asked for.
///
///     let exact = ByteExactTokenizer(tokenizer)
///     exact.tokens(of: bytes[seam...])        // nil where the vocabulary cannot spell these bytes
///
/// What it makes up for: tokenizers put a space before a text that is only the rest of one, and replace what is no
/// UTF-8. Characters that are incomplete at the end of `bytes` are for the caller to hold back (`UTF8Text.incomplete`).
package struct ByteExactTokenizer: Sendable {
    package let tokenizer: any TextTokenizer
    /// For each byte a token that stands for it alone.
    private let bytes: [TokenID?]

    /// Reads the whole vocabulary once.
    package init(_ tokenizer: any TextTokenizer) {
        self.tokenizer = tokenizer
        var bytes: [TokenID?] = Array(repeating: nil, count: 256)
        for id in 0..<UInt32(tokenizer.vocabularySize) {
            let token = TokenID(rawValue: id)
            let text = Self.text(of: token, tokenizer)
            guard text.count == 1 else { continue }
            // As twins pair: a piece before a byte to fall back on, then the first.
            if bytes[Int(text[0])].map({ tokenizer.isByte($0) && !tokenizer.isByte(token) }) ?? true {
                bytes[Int(text[0])] = token
            }
        }
        self.bytes = bytes
    }

    /// The bytes that a token adds to a text: none for control tokens and ends of generation.
    package func text(of token: TokenID) -> [UInt8] { Self.text(of: token, tokenizer) }

    private static func text(of token: TokenID, _ tokenizer: any TextTokenizer) -> [UInt8] {
        guard Int(token.rawValue) < tokenizer.vocabularySize else { return [] }
        return tokenizer.isControl(token) || tokenizer.isEndOfGeneration(token) ? [] : tokenizer.piece(token)
    }

    /// Whether `token` says something else than text.
    package func isCommand(_ token: TokenID) -> Bool {
        tokenizer.isControl(token) || tokenizer.isEndOfGeneration(token)
    }

    /// Tokens that join to `text`; what is no UTF-8 becomes tokens of one byte. `nil` if there are none such.
    package func tokens(of text: some Collection<UInt8>) -> [TokenID]? {
        var found: [TokenID] = []
        for (run, isText) in UTF8Text.runs(of: Array(text)) {
            guard let more = isText ? tokens(ofValid: run) : single(run) else { return nil }
            found += more
        }
        return found
    }

    /// Tokens of as much of `text` as this vocabulary can spell, character by character where it cannot spell a whole;
    /// all else is left out.
    package func readable(_ text: some Collection<UInt8>) -> [TokenID] {
        UTF8Text.runs(of: Array(text)).flatMap { run, isText -> [TokenID] in
            // A byte of a character that is not complete stands for itself, a character as a whole.
            guard isText else { return run.compactMap { bytes[Int($0)] } }
            if let whole = tokens(ofValid: run) { return whole }
            return String(decoding: run, as: UTF8.self).unicodeScalars.flatMap { scalar in
                tokens(ofValid: Array(String(scalar).utf8)) ?? []
            }
        }
    }

    private func single(_ run: [UInt8]) -> [TokenID]? {
        let tokens = run.compactMap { bytes[Int($0)] }
        return tokens.count == run.count ? tokens : nil
    }

    private static let newline: [UInt8] = [0x0A]

    private func tokens(ofValid run: [UInt8]) -> [TokenID]? {
        guard !run.isEmpty else { return [] }
        if let tokens = tokenizer.tokens(of: run) {
            if joined(tokens) == run { return tokens }
            if let first = tokens.first, text(of: first) == [0x20], joined(tokens.dropFirst()) == run {
                return Array(tokens.dropFirst())
            }
        }
        // A space that has merged with the text is kept off it by a line of its own.
        if let tokens = tokenizer.tokens(of: Self.newline + run) {
            for end in 0..<min(3, tokens.count) where joined(tokens[(end + 1)...]) == run {
                return Array(tokens[(end + 1)...])
            }
        }
        return single(run)
    }

    private func joined(_ tokens: some Sequence<TokenID>) -> [UInt8] { tokens.flatMap(text(of:)) }
}

/// UTF-8 as far as bridges look into it.
package enum UTF8Text {
    /// The text in order, cut where valid UTF-8 and other bytes meet.
    package static func runs(of bytes: [UInt8]) -> [(run: [UInt8], isText: Bool)] {
        var runs: [(run: [UInt8], isText: Bool)] = []
        var start = 0
        forEachPart(of: bytes) { length, isText in
            let part = bytes[start..<(start + length)]
            if let last = runs.last, last.isText == isText {
                runs[runs.count - 1].run += part
            } else {
                runs.append((Array(part), isText))
            }
            start += length
        }
        return runs
    }

    /// Bytes at the end that begin a character and do not finish it: 0 to 3.
    package static func incomplete(_ bytes: some BidirectionalCollection<UInt8>) -> Int {
        let tail = Array(bytes.suffix(3))
        for start in tail.indices.reversed() where tail[start] & 0xC0 == 0xC0 {
            var parts: [(length: Int, isText: Bool)] = []
            forEachPart(of: Array(tail[start...])) { parts.append(($0, $1)) }
            // Of bytes that can still become a character all are one faulty part.
            let isLead = (0xC2...0xF4).contains(tail[start])
            return isLead && parts.count == 1 && !parts[0].isText ? tail.count - start : 0
        }
        return 0
    }

    private static func forEachPart(of bytes: [UInt8], _ body: (_ length: Int, _ isText: Bool) -> Void) {
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .valid(let scalar): body(scalar.count, true)
            case .error(let length): body(length, false)
            case .emptyInput: return
            }
        }
    }

    /// Whether `offset` lies behind the first byte of a character.
    package static func isCut(_ bytes: [UInt8], at offset: Int) -> Bool {
        offset < bytes.count && bytes[offset] & 0xC0 == 0x80
    }

    /// Whether tokenizers commonly cut before `offset`: where a run of white space begins, and behind a line's end.
    package static func isSeam(_ bytes: [UInt8], at offset: Int) -> Bool {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard offset > 0, offset < bytes.count else { return offset == 0 }
        return isSpace(bytes[offset]) ? !isSpace(bytes[offset - 1]) : bytes[offset - 1] == 0x0A
    }
}

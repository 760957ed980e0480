import NacreCore
import NacreEngine
import NacreProtocol
import Testing

/// A vocabulary of a few pieces, whose tokenizer takes the longest that fits.
struct ToyVocabulary: Tokenizer {
    let pieces: [[UInt8]]
    let end: TokenID?
    let control: TokenID?
    /// Whether its tokenizer puts the control token before a text.
    var beginsTexts = false

    init(_ pieces: String..., end: String? = nil, control: String? = nil) {
        self.pieces = pieces.map { Array($0.utf8) }
        self.control = control.flatMap { name in pieces.firstIndex(of: name).map { TokenID(rawValue: UInt32($0)) } }
        self.end = end.flatMap { end in pieces.firstIndex(of: end).map { TokenID(rawValue: UInt32($0)) } }
    }

    init(pieces: [[UInt8]]) {
        self.pieces = pieces
        end = nil
        control = nil
    }

    var vocabularySize: Int { pieces.count }
    var vocabularyDigest: UInt64 {
        var digest = Dice(seed: UInt64(pieces.count))
        for byte in pieces.joined(separator: [0]) { digest = Dice(seed: digest.next() ^ UInt64(byte)) }
        return digest.next()
    }
    func piece(_ token: TokenID) -> [UInt8] { pieces[Int(token.rawValue)] }
    func isEndOfGeneration(_ token: TokenID) -> Bool { token == end }
    func isControl(_ token: TokenID) -> Bool { token == end || token == control }

    func tokenize(_ text: [UInt8], addSpecial: Bool, parseSpecial: Bool) throws(EngineError) -> [TokenID] {
        var tokens = [addSpecial && beginsTexts ? control : nil].compactMap(\.self)
        var rest = text[...]
        while !rest.isEmpty {
            let fitting = pieces.indices.filter { id in
                !isControl(TokenID(rawValue: UInt32(id))) && rest.starts(with: pieces[id])
            }
            guard let best = fitting.max(by: { pieces[$0].count < pieces[$1].count }) else {
                throw EngineError(.invalidText, "no token begins the rest")
            }
            tokens.append(TokenID(rawValue: UInt32(best)))
            rest = rest.dropFirst(pieces[best].count)
        }
        return tokens
    }
}

/// A target and a drafter of another vocabulary, each with a table of its own.
struct ToyBridge: Sendable, CustomTestStringConvertible {
    let name: String
    let target: ToyVocabulary
    let draft: ToyVocabulary
    let bridge: VocabularyBridge
    var contextMax = 400
    /// Added to what the drafter thinks of texts that the target cuts, in nats.
    var ownTexts: Float = 0
    var testDescription: String { "\(name) by \(bridge.kind)" }

    init(_ name: String, target: ToyVocabulary, draft: ToyVocabulary, _ kind: BridgeKind) throws {
        self.name = name
        self.target = target
        self.draft = draft
        bridge = try VocabularyBridge(target: target, draft: draft, asked: kind)
    }

    /// Texts of the drafter's that the target cuts.
    var own: [Int] {
        draft.pieces.indices.filter {
            TokenID(rawValue: UInt32($0)) != draft.end && !target.pieces.contains(draft.pieces[$0])
        }
    }

    /// The drafter's, of the last few of its tokens.
    func model(_ number: Int) -> TabularModel {
        let language = TabularLanguage(vocabulary: draft.vocabularySize, seed: 100 + UInt64(number))
        let (own, ownTexts) = (own, ownTexts)
        return TabularModel(vocabularySize: draft.vocabularySize, endOfGeneration: draft.end ?? 0) { context, row in
            language.target.logits(after: context.suffix(3), into: &row)
            for id in own { row[id] += ownTexts }
        }
    }

    /// Vocabularies that meet in part, one of them with whole texts that the other cuts.
    static func all(_ kinds: BridgeKind...) -> [ToyBridge] {
        let pairs = [
            ("letters for pairs", ToyVocabulary("a", "b", "ab", "ba"), ToyVocabulary("b", "a")),
            ("pairs for letters", ToyVocabulary("a", "b"), ToyVocabulary("ba", "b", "a", "bbb")),
            (
                "with ends, in other orders", ToyVocabulary("a", "b", "ab", "$", end: "$"),
                ToyVocabulary("#", "ab", "b", "a", end: "#")
            ),
            (
                // A target that says half a character, and a drafter that has only whole ones and other halves.
                "bytes of characters", ToyVocabulary(pieces: [[0xC3], [0xA9], [0x61], [0xC3, 0xA9]]),
                ToyVocabulary(pieces: [[0xC3, 0xA9], [0x61], [0xA9, 0x61], [0xA9], [0xC3]])
            ),
            (
                "a drafter that cannot spell a byte", ToyVocabulary(pieces: [[0x61], [0x62], [0xC3], [0x61, 0x62]]),
                ToyVocabulary("b", "a")
            ),
            (
                "a command that the drafter lacks", ToyVocabulary("a", "b", "<x>", "ab", control: "<x>"),
                ToyVocabulary("b", "a", "ba")
            ),
        ]
        return kinds.flatMap { kind in
            pairs.map { pair in
                do {
                    return try ToyBridge(pair.0, target: pair.1, draft: pair.2, kind)
                } catch {
                    preconditionFailure("\(pair.0) by \(kind): \(error)")
                }
            }
        }
    }

    /// Drafters that mostly mean texts that the target cuts, over what `auto` takes between `tli` and `slem`.
    static var littleShared: [ToyBridge] {
        all(.mixed).filter { !$0.own.isEmpty }.map { toy in
            var toy = toy
            toy.ownTexts = 3
            return toy
        }
    }

    /// Holds the engine's caches against what the machine believes, and the texts of both against each other.
    func audit(_ engine: BridgedEngine<FaultyEngine>, _ beliefs: [CachedText]) {
        for belief in beliefs {
            let (own, twin) = engine.held(belief.sequence)
            #expect(own.starts(with: belief.tokens) && own.count == belief.filled)
            #expect(engine.inner.inner.cached(belief.sequence) == twin)
        }
    }
}

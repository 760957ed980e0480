import NacreCore
import NacreEngine
import NacreProtocol
import Testing

typealias ToyVocabulary = PieceTokenizer

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
                "a command that the drafter lacks", ToyVocabulary("a", "b", "<x>", "ab", controls: ["<x>"]),
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

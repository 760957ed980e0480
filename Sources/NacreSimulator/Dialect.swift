import NacreCore
import NacreEngine
import NacreProtocol

/// Another vocabulary over the letters of `Language`, in which some drafters think: of the target's pieces many, under
/// other ids; longer ones that the target lacks; no command, and not every byte.
enum Dialect {
    static let end: TokenID = 0

    private static let pieces: [[UInt8]] = {
        let whole = [
            "<eos>", "b", "a", "ab", "c", "x", "y", "z", "e", "d", "é", "€", "\n", " ", "bca", "cab", "aab", "xyz",
            "  ", "ca", "cb",
        ].map { Array($0.utf8) }
        let partial: [[UInt8]] = [
            [0xA9], [0xC3], [0xE2, 0x82], [0xAC], [0xF0, 0x9F, 0x98, 0x80], [0xC3, 0xA9, 0x61], [0xFF],
        ]
        return whole + partial
    }()

    /// Every bridge, and what is taken if none is named.
    static let bridges: [VocabularyBridge] = ([nil, .tli, .slem, .mixed, .slrs] as [BridgeKind?]).map { asked in
        do throws(BridgeRefusal) {
            return try VocabularyBridge(
                target: PieceTokenizer(
                    pieces: Language.pieces, end: Language.end, controls: [Language.control], digest: Language.digest),
                draft: PieceTokenizer(pieces: pieces, end: end), asked: asked)
        } catch {
            preconditionFailure("no bridge \(asked?.rawValue ?? "auto"): \(error)")
        }
    }

    /// A drafter that thinks of its next piece what `model`, one over `Language`, thinks of it, and of its own pieces
    /// what that thinks of some other.
    static func model(_ model: TabularModel) -> TabularModel {
        let partners = pieces.enumerated().map { id, piece in
            id == Int(end.rawValue) ? Int(Language.end.rawValue) : Language.pieces.firstIndex(of: piece) ?? id * 5 % 30
        }
        return TabularModel(vocabularySize: pieces.count, endOfGeneration: end) { context, row in
            var theirs: [Float] = []
            let known = context.suffix(3).map { TokenID(rawValue: UInt32(partners[Int($0.rawValue)])) }
            model.logits(after: known[...], into: &theirs)
            for id in row.indices { row[id] = theirs[partners[id]] }
        }
    }
}

extension Scenario {
    /// Drafters of another vocabulary, of a chance of their own.
    mutating func addBridges() {
        var chance = Chance(seed: seed ^ 0xD1A1)
        for index in drafters.indices where chance.happens(0.3) {
            let bridge = chance.pick(Dialect.bridges)
            if drafters[index].hasModel { drafters[index].bridge = bridge }
        }
    }
}

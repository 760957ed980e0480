import NacreCore
import NacreEngine
import NacreProtocol

/// The vocabulary of all simulated models: 32 pieces over few letters, so that stop strings are met, some of them
/// only part of a UTF-8 character.
enum Language {
    static let digest: UInt64 = 0x6E61_6372_6531
    static let size = pieces.count
    static let control: TokenID = 30
    static let end: TokenID = 31

    static let pieces: [[UInt8]] = {
        let whole = [
            "a", "b", "c", "ab", "bc", "d", "e", " ", "\n", "abc", "ca", "é", "€", "aa", "ba", "cb", "x", "y", "z",
            "xy", "yx",
        ].map { Array($0.utf8) }
        let partial: [[UInt8]] = [
            [0xC3], [0xA9], [0xE2], [0x82], [0xAC], [0x82, 0xAC], [0xF0, 0x9F], [0x98, 0x80], [0xFF],
        ]
        return whole + partial + [Array("<control>".utf8), Array("<end>".utf8)]
    }()

    /// The bytes that a token adds to a text.
    static func text(of token: TokenID) -> [UInt8] {
        token == control || token == end ? [] : pieces[Int(token.rawValue)]
    }

    /// One token for each byte: the simulation needs no better.
    static func tokenize(_ text: [UInt8]) -> [TokenID] {
        text.map { TokenID(rawValue: UInt32($0) % control.rawValue) }
    }

    /// The vocabulary as a node reports it, in so many parts.
    static func chunks(entriesMax: Int) -> [VocabularyChunk] {
        stride(from: 0, to: size, by: entriesMax).map { first in
            VocabularyChunk(
                digest: digest, total: size, first: first,
                entries: (first..<min(first + entriesMax, size)).map { id in
                    let token = TokenID(rawValue: UInt32(id))
                    return VocabularyChunk.Entry(
                        piece: pieces[id], endsGeneration: token == end, isControl: token == control)
                })
        }
    }
}

/// What a job must give: plain decoding with the target, one token at a time, nothing else.
struct Oracle {
    let tokens: [TokenID]
    let text: [UInt8]
    let outcome: JobOutcome

    init(_ specification: JobSpecification, model: TabularModel, contextMax: Int) {
        var context = Language.tokenize(specification.prompt)
        let prompt = context.count
        let lengthMax = min(prompt + specification.tokensMax, contextMax)
        var row: [Float] = []
        var scratch = CoupledScratch()
        var bytes: [UInt8] = []
        var outcome: JobOutcome?
        while outcome == nil {
            model.logits(after: context[...], into: &row)
            let request = ScoreRequest(
                key: specification.key, index: context.count - prompt, policy: specification.sampling)
            let token = CoupledRule.choose(row.span, request, scratch: &scratch).token
            context.append(token)
            bytes += Language.text(of: token)
            if let stop = Oracle.firstStop(in: bytes, specification.stops) {
                bytes.removeSubrange(stop...)
                outcome = .stopString
            } else if token == Language.end, !specification.ignoresEnds {
                outcome = .endOfGeneration
            } else if context.count == lengthMax {
                outcome = .length
            }
        }
        tokens = Array(context[prompt...])
        text = Array(String(decoding: bytes, as: UTF8.self).utf8)
        self.outcome = outcome ?? .length
    }

    private static func firstStop(in bytes: [UInt8], _ stops: [[UInt8]]) -> Int? {
        bytes.indices.first { start in stops.contains { bytes[start...].starts(with: $0) } }
    }
}

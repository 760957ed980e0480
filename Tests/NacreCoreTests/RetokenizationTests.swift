import Foundation
import NacreCore
import Testing

/// T9: one text in two vocabularies, whatever the text and wherever it is cut (ALGORITHMS 5.1, 11).
@Suite("Retokenization")
struct RetokenizationTests {
    struct Pair: Sendable, CustomTestStringConvertible {
        let name: String
        let target: ToyTokenizer
        let draft: ToyTokenizer
        var testDescription: String { name }
    }

    static let pairs: [Pair] = {
        let toys: [(String, ToyTokenizer)] = [
            ("bytes", .byteLevel), ("longest match", .longestMatch), ("word merges", .wordMerges),
            ("spaced merges", .spacedMerges),
        ]
        return toys.flatMap { target in
            toys.map { Pair(name: "\(target.0) with drafts of \($0.0)", target: target.1, draft: $0.1) }
        }
    }()

    /// Texts for each pair; NACRE_FUZZ_TEXTS asks for more.
    private static let texts = ProcessInfo.processInfo.environment["NACRE_FUZZ_TEXTS"].flatMap(UInt64.init) ?? 20

    private static let fragments: [[UInt8]] =
        [
            "the", " the", "thing", " ", "  ", "     ", "\n", "\n\n", "\t", " in", "12", "1234", " int", "日", "本語",
            "日本",
            "🙂", "👩‍👧", "é", "e\u{301}", ".", ",", "()", "<0x0A>", "</s>", "▁", "Ġ",
        ].map { Array($0.utf8) }
    private static let invalid: [[UInt8]] = [
        [0xFF], [0x80], [0xE6, 0x97], [0xF0, 0x9F, 0x99], [0xC0, 0xAF], [0xED, 0xA0, 0x80],
    ]

    private static func text(_ random: inout SplitMix) -> [UInt8] {
        let isClean = Bool.random(using: &random)
        return (0..<Int.random(in: 1...24, using: &random)).flatMap { _ -> [UInt8] in
            let isInvalid = !isClean && Int.random(in: 0..<6, using: &random) == 0
            return (isInvalid ? invalid : fragments).randomElement(using: &random) ?? []
        }
    }

    /// Tokens of `text`, often as the tokenizer has them, sometimes as it never would: cut anywhere.
    private static func tokens(_ text: [UInt8], _ exact: ByteExactTokenizer, _ random: inout SplitMix) -> [TokenID] {
        var cuts = [0, text.count]
        if Bool.random(using: &random) {
            cuts += (0..<3).map { _ in Int.random(in: 0...text.count, using: &random) }
        }
        cuts.sort()
        return zip(cuts, cuts.dropFirst()).flatMap { exact.tokens(of: text[$0..<$1]) ?? [] }
    }

    @Test("the tokens of two parts of any text join to the text", arguments: pairs.prefix(4))
    func joining(pair: Pair) {
        let exact = ByteExactTokenizer(pair.draft)
        for seed in 0..<100 as Range<UInt64> {
            var random = SplitMix(seed: seed)
            let text = Self.text(&random)
            let cut = Int.random(in: 0...text.count, using: &random)
            let tokens = [text[..<cut], text[cut...]].flatMap { exact.tokens(of: $0) ?? [] }
            #expect(pair.draft.bytes(of: tokens) == text, "seed \(seed), cut \(cut)")
        }
    }

    @Test("committed in any parts, a text stays aligned, and drafts say what was drafted", arguments: pairs)
    func fuzz(pair: Pair) {
        for seed in 0..<Self.texts {
            var random = SplitMix(seed: seed &+ 1000)
            let text = Self.text(&random)
            let tokens = Self.tokens(text, ByteExactTokenizer(pair.target), &random)
            #expect(pair.target.bytes(of: tokens) == text)
            let draft = ByteExactTokenizer(pair.draft)
            var aligned = AlignedText(pair.target, pair.draft, look: Int.random(in: 1...10, using: &random))
            let bridge = [BridgeKind.tli, .slem].randomElement(using: &random) ?? .slem
            var done = 0
            var cached: [TokenID] = []
            while done < tokens.count {
                let next = min(tokens.count, done + Int.random(in: 1...5, using: &random))
                let drafted = cached.dropFirst(aligned.draftTokens.count)
                let update = aligned.commit(Array(tokens[done..<next]), drafted: Array(drafted), by: bridge)
                done = next
                // The cache after the rewind and the new tokens is the drafter's text.
                cached = cached.prefix(update.kept) + update.tokens
                #expect(cached == aligned.draftTokens, "seed \(seed)")
                let known = pair.target.bytes(of: tokens[..<done])
                #expect(aligned.bytes == known && pair.target.bytes(of: aligned.targetTrack.tokens) == known)
                #expect(!aligned.isLost && (0...3).contains(aligned.held), "seed \(seed), \(aligned.held) held")
                #expect(pair.draft.bytes(of: cached) == Array(known.dropLast(aligned.held)), "seed \(seed)")
                // Half of the time the drafter is right about what comes.
                let coming = Array(text[(known.count - aligned.held)...].prefix(Int.random(in: 0...30, using: &random)))
                let guess = Bool.random(using: &random) ? coming : Self.text(&random)
                let path = (draft.tokens(of: guess) ?? []).map { Candidate(token: $0, probability: 0.9) }
                let matches = aligned.exactMatches(of: path)
                let said = known + pair.target.bytes(of: matches.map(\.token))
                #expect(
                    (known.dropLast(aligned.held) + guess).starts(with: matches.isEmpty ? [] : said), "seed \(seed)")
                #expect(
                    matches.isEmpty || known.dropLast(aligned.held) + guess != said, "seed \(seed): nothing held back")
                cached += path.map(\.token)
            }
        }
    }

    @Test("where the target writes as its tokenizer does, drafts of the same text are its tokens", arguments: pairs)
    func drafts(pair: Pair) {
        let text = Array("the thing  in 1234 the 日本語\n\n    int é🙂 (index) the".utf8)
        let tokens = ByteExactTokenizer(pair.target).tokens(of: text) ?? []
        let draft = ByteExactTokenizer(pair.draft)
        var drafted = 0
        for done in tokens.indices {
            var aligned = AlignedText(pair.target, pair.draft)
            _ = aligned.commit(Array(tokens[..<done]))
            let rest = text[(aligned.bytes.count - aligned.held)...]
            let path = (draft.tokens(of: rest) ?? []).map { Candidate(token: $0, probability: 0.5) }
            let matches = aligned.exactMatches(of: path).map(\.token)
            #expect(Array(tokens[done...].dropLast()).starts(with: matches), "\(done) tokens")
            drafted += matches.count
        }
        // All but the last, unstable token, behind every beginning.
        #expect(drafted == tokens.count * (tokens.count - 1) / 2)
    }

    @Test("a drafted end stands behind all of the drafted text, or is not drafted")
    func ends() {
        var text = AlignedText(.pieces(["a", "b", "</s>"], end: 2), .pieces(["a", "b", "c", "<end>"], end: 3))
        _ = text.commit([0])
        func drafts(_ path: [TokenID]) -> [TokenID] {
            text.exactMatches(of: path.map { Candidate(token: $0, probability: 0.5) }).map(\.token)
        }
        #expect(drafts([1, 3]) == [1, 2] && drafts([3]) == [2])
        // The target cannot say c.
        #expect(drafts([2, 3]).isEmpty && drafts([1, 2, 3]).isEmpty)
    }

    @Test("what a drafter says again of a character that is held back is no chance")
    func heldBytes() {
        var text = AlignedText(.byteLevel, .byteLevel)
        _ = text.commit([0xE6, 0x97])
        let path = [0xE6, 0x97, 0xA5, 0x41, 0x42].map { Candidate(token: $0, probability: 0.5) }
        #expect(text.held == 2 && text.exactMatches(of: path) == Array(path[2...3]))
        let end = Candidate(token: 257, probability: 0.25)
        #expect(text.exactMatches(of: Array(path[..<2]) + [end]) == [end])
    }

    @Test("characters that are not complete are held back, what is no UTF-8 is not")
    func utf8() {
        func incomplete(_ bytes: UInt8...) -> Int { UTF8Text.incomplete(bytes) }
        #expect(incomplete() == 0 && incomplete(0x41) == 0 && incomplete(0xC3) == 1 && incomplete(0xC3, 0xA9) == 0)
        #expect(incomplete(0x41, 0xE6, 0x97) == 2 && incomplete(0xF0, 0x9F, 0x99) == 3)
        #expect(incomplete(0xF0, 0x9F, 0x99, 0x82) == 0 && incomplete(0xFF) == 0 && incomplete(0x80) == 0)
        #expect(incomplete(0xE6, 0x41) == 0 && incomplete(0xED, 0xA0) == 0 && incomplete(0xC0) == 0)
        let runs = UTF8Text.runs(of: [0x41, 0xFF, 0x80, 0xC3, 0xA9])
        #expect(
            runs.map(\.run) == [[0x41], [0xFF, 0x80], [0xC3, 0xA9]] && runs.map(\.isText) == [true, false, true])
    }

    @Test(
        "a space that a tokenizer puts before a text is undone",
        arguments: ["thing", " the", "  the", "日本", "x", "\nthe"])
    func leadingSpace(text: String) {
        let toy = ToyTokenizer.spacedMerges
        let bytes = Array(text.utf8)
        #expect(toy.tokens(of: bytes).map { toy.bytes(of: $0) } == [0x20] + bytes)
        #expect(ByteExactTokenizer(toy).tokens(of: bytes).map { toy.bytes(of: $0) } == bytes)
    }
}

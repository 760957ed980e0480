import NacreCore
import Testing

/// Where one text's tokens of two vocabularies meet, on texts that can be seen through (ALGORITHMS 5.1).
@Suite("Alignment of two vocabularies")
struct AlignmentTests {
    private static func path(_ tokens: TokenID...) -> [Candidate] {
        tokens.map { Candidate(token: $0, probability: 0.9) }
    }

    @Test("the drafter's tokens are tokenized again from behind as many tokens of either")
    func lookBack() {
        // Two a of the target's are four of the drafter's, which are one with a b behind them.
        var text = AlignedText(.pieces(["aa", "b"]), .pieces(["a", "b", "aaaab"]), look: 2)
        _ = text.commit([0, 0])
        #expect(text.draftTokens == [0, 0, 0, 0])
        #expect(text.commit([1]) == AlignedText.Update(kept: 0, tokens: [2]))
        // And four of the target's two of the drafter's.
        var other = AlignedText(.pieces(["a", "b"]), .pieces(["aa", "b", "aaaab"]), look: 2)
        _ = other.commit([0, 0, 0, 0])
        #expect(other.draftTokens == [0, 0])
        #expect(other.commit([1]) == AlignedText.Update(kept: 0, tokens: [2]))
    }

    @Test(
        "where a word begins is the better seam: the drafter's tokens are those of the whole text",
        arguments: [1, 2, 3])
    func wordSeams(look: Int) {
        let draft = ToyTokenizer.wordMerges
        let bytes = Array("the thing in the ring, the king is in there 12 in the int the".utf8)
        var text = AlignedText(.byteLevel, draft, look: look)
        for (count, byte) in bytes.enumerated() {
            _ = text.commit([TokenID(rawValue: UInt32(byte))])
            #expect(text.draftTokens == draft.tokens(of: Array(bytes[...count])), "\(count + 1) bytes")
        }
    }

    @Test("no text is tokenized again from inside of a character")
    func cutCharacters() {
        // 日 and 語, of which the drafter has halves, and the end of the first with the beginning of the second.
        let halves: [[UInt8]] = [[0xE6, 0x97], [0xA5], [0xA5, 0xE8], [0xAA, 0x9E], [0xE8]]
        let target = ToyTokenizer(pieces: [[0xE6, 0x97], [0xA5], [0xE8, 0xAA, 0x9E]])
        var text = AlignedText(target, ToyTokenizer(pieces: halves), look: 1)
        _ = text.commit([0])
        #expect(text.held == 2 && text.draftTokens.isEmpty)
        #expect(text.commit([1]).tokens == [0, 1])
        // As both characters are together.
        #expect(text.commit([2]) == AlignedText.Update(kept: 1, tokens: [2, 3]))
    }

    @Test("TLI takes no token over while bytes before it are held back, however many come at once")
    func heldBack() {
        let target = ToyTokenizer(pieces: [[0xE6, 0x97], [0xA5], [0x61]])
        let draft = ToyTokenizer(pieces: [Array("日".utf8), [0xA5], [0x61]])
        var text = AlignedText(target, draft, look: 1)
        _ = text.commit([0], by: .tli)
        #expect(text.held == 2 && text.intersection.draftToken(of: 1) == 1)
        #expect(text.commit([1, 2, 2, 2, 2], by: .tli).tokens == [0, 2, 2, 2, 2] && text.held == 0)
    }

    @Test("a text that is taken back to where tokens of both end keeps the drafter's as they are")
    func takenBack() {
        let toy = ToyTokenizer.pieces(["a", "b", "ab"])
        var text = AlignedText(toy, toy)
        _ = text.commit([0, 1, 0], by: .tli)
        text.rewind(to: 2, by: .tli)
        #expect(text.draftTokens == [0, 1] && text.targetTrack.tokens == [0, 1])
    }

    @Test("a character that is drafted in part settles nothing: it may merge with what is before it")
    func partOfCharacter() {
        let draft = ToyTokenizer(pieces: [[0x61], [0x62], [0xC3], [0xA9]])
        let merging = AlignedText(.init(pieces: [[0x61], [0x62], [0xC3], [0xA9], Array("aé".utf8)]), draft)
        #expect(merging.exactMatches(of: Self.path(0, 2)).isEmpty)
        #expect(merging.exactMatches(of: Self.path(1, 0, 2)).map(\.token) == [1])
        #expect(merging.exactMatches(of: Self.path(0, 2, 3, 1)).map(\.token) == [4])
        // A target that has no token for the half still gets what comes before.
        let whole = AlignedText(.pieces(["a", "b", "é"]), draft)
        #expect(whole.exactMatches(of: Self.path(1, 0, 2)).map(\.token) == [1])
    }

    @Test("behind a command that the drafter lacks nothing is drafted until it begins anew")
    func lackedCommand() {
        var target = ToyTokenizer.pieces(["a", "b", "<x>"])
        target.controls = [2]
        var text = AlignedText(target, .pieces(["b", "a"]))
        _ = text.commit([0, 2])
        #expect(text.isLost && text.exactMatches(of: Self.path(1, 0, 1)).isEmpty)
        text.restart()
        #expect(!text.isLost && text.exactMatches(of: Self.path(1, 0, 1)).map(\.token) == [0, 1])
    }
}

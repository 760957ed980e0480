import NacreCore
import Testing

/// Digests as text, and what vocabularies share.
@Suite struct TokensTests {
    @Test(
        "digests have 16 digits, whatever they begin with",
        arguments: [
            (0, "0000000000000000"), (0xa, "000000000000000a"), (0x0123_4567_89ab_cdef, "0123456789abcdef"),
            (.max, "ffffffffffffffff"),
        ] as [(UInt64, String)])
    func hexadecimal(number: UInt64, text: String) {
        #expect(number.hexadecimal == text)
    }

    @Test("tokens are shared by bytes and role, each of the target's is counted, and none without bytes")
    func overlap() {
        func token(_ piece: String, isCommand: Bool = false) -> TokenMeaning {
            TokenMeaning(piece: Array(piece.utf8), isCommand: isCommand)
        }
        let target = [token("<s>", isCommand: true), token("a"), token("b"), token(""), token("a")]
        let draft = [token("a"), token("<s>"), token("b"), token("")]
        let overlap = VocabularyOverlap(target: target, draft: draft, isSame: false)
        #expect(overlap.shared == 2 && overlap.targetShared == 3 && overlap.draftShared == 2 && overlap.sameIds == 1)
        #expect(overlap.targetShare == 3.0 / 5 && overlap.draftShare == 2.0 / 4)
        let nothing = VocabularyOverlap(target: [], draft: draft, isSame: false)
        #expect(nothing.shared == 0 && nothing.targetShare == 0 && nothing.draftShare == 0)
    }
}

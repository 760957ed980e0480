import NacreCore
import Testing

/// Which bridge two vocabularies get, and what is said of it before anything runs (ALGORITHMS 5).
@Suite("Choice of a bridge")
struct BridgeChoiceTests {
    private static func survey(_ target: ToyTokenizer, _ draft: ToyTokenizer, isSame: Bool = false) -> BridgeSurvey {
        func meanings(_ toy: ToyTokenizer) -> [TokenMeaning] {
            toy.pieces.map { TokenMeaning(piece: $0, isCommand: false) }
        }
        let overlap = VocabularyOverlap(target: meanings(target), draft: meanings(draft), isSame: isSame)
        return BridgeSurvey(
            overlap: overlap, intersection: TokenLevelIntersection(target: target, draft: draft))
    }

    @Test("the bridge is chosen by overlap in tokens, in text, and by predicted acceptance")
    func choice() throws {
        let target = ToyTokenizer.pieces(["a", "b", "ab", "ba"])
        let draft = ToyTokenizer.pieces(["a", "b", "c"])
        var survey = Self.survey(target, draft)
        #expect(try survey.choice(asked: nil) == .mixed && survey.textShare == nil && survey.draftMass == nil)
        survey.observe(text: [0, 1, 0, 1, 0, 1, 0, 1, 0, 2])
        #expect(survey.textShare == 0.9)
        #expect(try survey.choice(asked: nil) == .mixed)
        survey.observe(text: Array(repeating: 0, count: 10))
        #expect(try survey.textShare == 0.95 && survey.choice(asked: nil) == .tli)
        var unlike = Self.survey(target, draft)
        unlike.observe(text: [2, 3, 2, 3, 0])
        #expect(try unlike.textShare == 0.2 && unlike.choice(asked: nil) == .slem)
        // Of sampled text TLI goes further down to a half.
        for (text, kind) in [([2, 3, 0, 1], .mixed), ([2, 3, 0, 1, 2], .slem)] as [([TokenID], BridgeKind)] {
            var half = Self.survey(target, draft)
            half.observe(text: text)
            #expect(try half.choice(asked: nil) == kind, "\(half.textShare ?? 0)")
        }
        // By the rows, if there are any.
        survey.observe(p: distribution(0.7, 0.3, 0, 0), q: distribution(0.45, 0.35, 0.2))
        #expect(survey.draftMass.map { abs($0 - 0.8) < 1e-12 } == true)
        #expect(survey.predictedAcceptance(.tli).map { abs($0 - (0.5625 + 0.3)) < 1e-12 } == true)
        #expect(survey.predictedAcceptance(.slem) == 0.7)
        #expect(try survey.choice(asked: nil) == .tli)
        var surer = Self.survey(target, draft)
        surer.observe(p: distribution(0.9, 0.1, 0, 0), q: distribution(0.4, 0.35, 0.25))
        #expect(surer.predictedAcceptance(.slem) == 0.9)
        #expect(try surer.choice(asked: nil) == .slem, "the text says it at once, what both have says less")
        #expect(try survey.choice(asked: .slem) == .slem && survey.choice(asked: .slrs) == .slrs)
        #expect(throws: BridgeRefusal.differentVocabularies) { try survey.choice(asked: BridgeKind.none) }
        let same = Self.survey(target, target, isSame: true)
        #expect(try same.choice(asked: nil) == BridgeKind.none)
        let apart = Self.survey(target, .pieces(["x"]))
        #expect(try apart.choice(asked: nil) == .slem)
        #expect(throws: BridgeRefusal.nothingInCommon) { try apart.choice(asked: .tli) }
    }
}

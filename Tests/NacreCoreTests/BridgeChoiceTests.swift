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

    /// What of a sample text's tokens the other vocabulary has, of twenty each, and the bridge.
    private static let shares: [(target: Int, draft: Int, kind: BridgeKind)] = [
        (20, 20, .tli), (19, 20, .tli), (20, 19, .tli),
        // What the drafter lacks TLI never proposes; what the target lacks it replaces by the beginning of something.
        (18, 20, .mixed), (20, 18, .mixed), (20, 1, .mixed), (10, 20, .mixed),
        // Also of sampled text SLEM goes further.
        (9, 20, .slem), (9, 1, .slem),
    ]

    @Test("auto takes TLI only where nearly all of a text's tokens are shared, either's", arguments: shares)
    func auto(target: Int, draft: Int, kind: BridgeKind) throws {
        var survey = Self.survey(.pieces(["a", "b", "ab", "ba"]), .pieces(["a", "b", "c"]))
        survey.observe(
            target: (0..<20).map { $0 < target ? 0 : 2 }, draft: (0..<20).map { $0 < draft ? 1 : 2 })
        #expect(survey.textShare == Double(target) / 20 && survey.draftTextShare == Double(draft) / 20)
        #expect(try survey.choice(asked: nil) == kind)
    }

    @Test("of bridges that were measured auto's own is taken unless another is a twentieth faster")
    func measured() {
        for (speeds, best) in [
            ([20], 0), ([20, 20.9], 0), ([20, 21.1], 1), ([20, 10], 0), ([20, 22, 25], 2), ([20, 25, 22], 1), ([], 0),
            ([0, 0], 0),
        ] as [([Double], Int)] {
            #expect(BridgeKind.fastest(speeds) == best, "\(speeds)")
        }
        // They differ in greedy text alone.
        #expect(BridgeKind.mixed.rival == .tli && BridgeKind.tli.rival == .mixed && BridgeKind.slem.rival == nil)
    }

    @Test("without a sample the bridge is chosen by the vocabularies, and by name as it is named")
    func choice() throws {
        let target = ToyTokenizer.pieces(["a", "b", "ab", "ba"])
        let survey = Self.survey(target, .pieces(["a", "b", "c"]))
        #expect(try survey.choice(asked: nil) == .mixed && survey.textShare == nil)
        // The drafter has all of the target's, and the target two thirds of the drafter's.
        let larger = Self.survey(.pieces(["a", "b"]), .pieces(["a", "b", "ab"]))
        #expect(try larger.choice(asked: nil) == .mixed)
        #expect(try survey.choice(asked: .slem) == .slem && survey.choice(asked: .slrs) == .slrs)
        #expect(throws: BridgeRefusal.differentVocabularies) { try survey.choice(asked: BridgeKind.none) }
        let same = Self.survey(target, target, isSame: true)
        #expect(try same.choice(asked: nil) == BridgeKind.none)
        let apart = Self.survey(target, .pieces(["x"]))
        #expect(try apart.choice(asked: nil) == .slem)
        #expect(throws: BridgeRefusal.nothingInCommon) { try apart.choice(asked: .tli) }
    }
}

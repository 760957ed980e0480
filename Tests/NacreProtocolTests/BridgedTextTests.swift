import NacreCore
import NacreEngine
import NacreProtocol
import RealModule
import Testing

/// What one sequence over a bridge holds, and what it says of its drafts, worked out by hand: all of these drafts are
/// legal, so that no law and no token tells a wrong one.
@Suite("What SLEM drafts, and how sure it says it is") struct BridgedTextTests {
    /// A sequence that grows by one token of the target's a pass.
    private struct Life: ~Copyable {
        private var engine: BridgedEngine<ReferenceEngine>
        private var length = 0

        init(
            _ kind: BridgeKind, target: ToyVocabulary, draft: ToyVocabulary,
            _ law: @escaping @Sendable (ArraySlice<TokenID>) -> [Double]
        ) throws {
            let bridge = try VocabularyBridge(target: target, draft: draft, asked: kind)
            let model = TabularModel(
                vocabularySize: draft.vocabularySize, endOfGeneration: draft.end ?? 0
            ) { context, row in
                for (id, probability) in law(context).enumerated() { row[id] = Float(Double.log(probability)) }
            }
            engine = BridgedEngine(
                ReferenceEngine(model: model, contextCells: 256, sequences: 2, nodesMax: 64), bridge: bridge,
                contextMax: 200)
        }

        /// The drafter's tokens of the text.
        var draft: [TokenID] { engine.held(0).draft }
        var passes: Int { engine.passes }

        mutating func measured(_ tokens: [TokenID], rewindingTo kept: Int? = nil) throws -> MeasuredCandidates? {
            if let kept { length = kept }
            let edits: [CacheEdit] = kept == nil ? [] : [.rewind(0, length: Position(rawValue: length))]
            let nodes = tokens.enumerated().map { place, token in
                ForestNode(
                    token: token, position: Position(rawValue: length + place), sequence: 0,
                    score: place < tokens.count - 1
                        ? nil : ScoreRequest(key: 0, index: 0, policy: .greedy, kind: .measured(3)))
            }
            length += tokens.count
            guard case .measured(let found)? = try engine.run(EnginePass(edits: edits, nodes: nodes)).first else {
                return nil
            }
            return found
        }
    }

    /// Nearly all of the probability on one of `count` tokens.
    private static func surely(_ token: Int, of count: Int) -> [Double] {
        (0..<count).map { $0 == token ? 0.97 : 0.03 / Double(count - 1) }
    }

    @Test("a draft is as sure as the drafter's tokens in it are together, siblings as sure as their first is")
    func probabilities() throws {
        // Behind an a comes a b, behind all else an a.
        var life = try Life(
            .slem, target: ToyVocabulary("a", "b", "ab", "$", end: "$"),
            draft: ToyVocabulary("b", "a", "#", "c", end: "#")
        ) { $0.last == 1 ? [0.9, 0.05, 0.03, 0.02] : [0.1, 0.85, 0.03, 0.02] }
        let found = try #require(try life.measured([1]))
        #expect(found.candidates.map(\.token) == [2, 1, 3])
        for (candidate, expected) in zip(found.candidates, [0.85 * 0.9, 0.1, 0.03]) {
            #expect(abs(candidate.probability - expected) < 1e-6, "\(found)")
        }
        // What a policy decides by, and a recording keeps.
        #expect(abs(found.probability - 0.765) < 1e-6)
        let entropy = [0.1, 0.85, 0.03, 0.02].reduce(0) { $0 - $1 * Double.log($1) }
        #expect(abs(found.statistics.entropy - entropy) < 1e-6)
        #expect(abs(found.statistics.topProbability - 0.85) < 1e-6)
        #expect(abs(found.statistics.margin - Double.log(8.5)) < 1e-5)
        // Nor is it cut where the drafter is very sure.
        var surer = try Life(.slem, target: ToyVocabulary("a", "b"), draft: ToyVocabulary("b", "a")) { _ in
            [0.005, 0.995]
        }
        #expect(try surer.measured([0]).map { abs($0.probability - 0.995) < 1e-6 } == true)
    }

    @Test("a long token takes as many passes as it has drafter's tokens; behind an end there are none")
    func long() throws {
        var life = try Life(
            .slem, target: ToyVocabulary("b", "aaaaaaaaaaaa"), draft: ToyVocabulary("b", "a")
        ) { Self.surely($0.count <= 12 ? 1 : 0, of: 2) }
        #expect(try life.measured([0])?.candidates.map(\.token) == [1] && life.passes == 13)
        // The target knows no end.
        var ended = try Life(
            .slem, target: ToyVocabulary("a", "b"), draft: ToyVocabulary("b", "a", "#", end: "#")
        ) { _ in Self.surely(2, of: 3) }
        #expect(try ended.measured([1]) == nil && ended.passes == 1)
    }

    @Test("in the middle of a token of the drafter's what comes is certain, and no row tells of it")
    func middle() throws {
        var life = try Life(
            .slem, target: ToyVocabulary("a", "b", "c", "$", end: "$"),
            draft: ToyVocabulary("aab", "a", "b", "c", "#", end: "#")
        ) { $0.last == 3 ? [0.6, 0.2, 0.1, 0.06, 0.04] : [0.1, 0.2, 0.6, 0.06, 0.04] }
        // c | aab | b: of the text a a b the first two tokens come from one choice.
        let first = try #require(try life.measured([2]))
        #expect(first.candidates.map(\.token) == [0, 1, 2])
        #expect(abs(first.probability - 0.6) < 1e-6 && abs(first.statistics.topProbability - 0.6) < 1e-6)
        _ = try life.measured([0])
        let third = try #require(try life.measured([0]))
        #expect(third.candidates.map(\.token) == [1] && third.probability == 1)
        #expect(third.statistics.entropy.isNaN && third.statistics.topProbability.isNaN)
    }

    @Test("where more text makes the tokenizer think again, drafts go on behind the text that is there")
    func thoughtAgain() throws {
        // Behind a a the drafter says c, which it does only if it has read them as such.
        var life = try Life(
            .slem, target: ToyVocabulary("a", "b", "c", "aabb"), draft: ToyVocabulary("aab", "a", "b", "c")
        ) { context in
            let next = context.suffix(2) == [1, 1] ? 3 : [2, 2, 1, 0][Int(context.last?.rawValue ?? 3)]
            return Self.surely(next, of: 4)
        }
        #expect(try life.measured([2])?.candidates.first?.token == 0)
        #expect(try life.measured([0])?.candidates.first?.token == 0)
        // aab and b are aabb in one, and the target has said a a.
        #expect(try life.measured([0])?.candidates.first?.token == 2)
        #expect(Array(life.draft.prefix(3)) == [3, 1, 1])
    }

    @Test("what was drafted behind a text that is taken back is forgotten with it")
    func takenBack() throws {
        // c a b c, but c b a.
        var life = try Life(
            .slem, target: ToyVocabulary("a", "b", "c"), draft: ToyVocabulary("c", "b", "a")
        ) { context in
            switch Array(context.suffix(2)) {
            case [0], [0, 1]: Self.surely(2, of: 3)
            case [0, 2]: Self.surely(1, of: 3)
            default: Self.surely(0, of: 3)
            }
        }
        #expect(try life.measured([2])?.candidates.first?.token == 0)
        #expect(try life.measured([0])?.candidates.first?.token == 1)
        #expect(try life.measured([1], rewindingTo: 1)?.candidates.first?.token == 0)
        #expect(Array(life.draft.prefix(2)) == [0, 1])
    }

    @Test("a drafter that spells a text as its tokenizer would not reads its own spelling on, but not for ever")
    func spelling() throws {
        // It says a and b where its tokenizer says ab, then c for ever.
        var life = try Life(
            .slem, target: ToyVocabulary("a", "b", "c"), draft: ToyVocabulary("a", "b", "ab", "c")
        ) { Self.surely($0.count == 1 ? 0 : $0.last == 0 ? 1 : 3, of: 4) }
        var next: TokenID = 2
        for length in 1...40 {
            next = try #require(try life.measured([next])?.candidates.first?.token)
            #expect(next == (length == 1 ? 0 : length == 2 ? 1 : 2))
            // Two tokens are taken over as they come, and 32 behind the b that is not.
            #expect(Array(life.draft.prefix(2)) == (length < 35 ? [3, 0] : [3, 2]), "\(length) tokens")
        }
    }

    @Test("TLI takes a few tokens over as they are, and reads more of them as the drafter's tokenizer has them")
    func prompts() throws {
        for (count, isTakenOver) in [(8, true), (10, false)] {
            var life = try Life(.tli, target: ToyVocabulary("a", "b"), draft: ToyVocabulary("b", "a", "ab")) { _ in
                [0.4, 0.5, 0.1]
            }
            let text = (0..<count).map { TokenID(rawValue: UInt32($0 % 2)) }
            _ = try life.measured(text)
            #expect(
                life.draft
                    == (isTakenOver ? text.map { 1 - $0.rawValue }.map(TokenID.init) : Array(repeating: 2, count: 5)))
        }
    }

    @Test("a text that is taken back to before what was left out begins anew")
    func takenBackFurther() throws {
        let target = ToyVocabulary("a", "b", "<x>", controls: ["<x>"])
        var life = try Life(.tli, target: target, draft: ToyVocabulary("b", "a")) { _ in [0.4, 0.6] }
        _ = try life.measured([0, 1, 2, 0])
        #expect(life.draft == [1, 0, 1])
        _ = try life.measured([1], rewindingTo: 1)
        #expect(life.draft == [1, 0])
    }

    @Test("what begins a text is there once, be it the same command in both vocabularies or not")
    func beginnings() throws {
        for name in ["<s>", "<bos>"] {
            var (target, draft) = (
                ToyVocabulary("<s>", "a", "b", controls: ["<s>"]), ToyVocabulary("b", "a", name, controls: [name])
            )
            (target.beginning, draft.beginning) = (0, 2)
            var life = try Life(.tli, target: target, draft: draft) { _ in [0.4, 0.5, 0.1] }
            _ = try life.measured([0, 1])
            #expect(life.draft == [2, 1], "\(name)")
        }
    }

    @Test(
        "what the drafter cannot read is left out, and nothing else, whatever comes with it",
        arguments: [BridgeKind.slem, .tli])
    func leftOut(kind: BridgeKind) throws {
        for target in [
            ToyVocabulary("a", "b", "<x>", controls: ["<x>"]), ToyVocabulary(pieces: [[0x61], [0x62], [0xFF]]),
        ] {
            for parts in [[[0, 1, 2, 0, 1]], [[0, 1], [2], [0, 1]], [[0, 1, 2], [0], [1]]] as [[[TokenID]]] {
                var life = try Life(kind, target: target, draft: ToyVocabulary("b", "a")) { _ in [0.4, 0.6] }
                var found: MeasuredCandidates?
                for part in parts { found = try life.measured(part) }
                #expect(found?.candidates.first?.token == 0, "\(parts)")
                #expect(Array(life.draft.prefix(4)) == [1, 0, 1, 0], "\(parts) of \(target.pieces)")
            }
        }
    }

    /// A token behind the beginning of a character, and what a drafter of such tokens is to have read in the end.
    struct Held: Sendable {
        let token: [UInt8]
        let isCommand: Bool
        let isShared: Bool
        let draft: [[UInt8]]
        let read: [TokenID]
    }

    private static let held: [Held] = {
        let (a, e2, x) = ([0x61], [0xE2], Array("<x>".utf8)) as ([UInt8], [UInt8], [UInt8])
        let cases: [(token: [UInt8], isCommand: Bool, isShared: Bool, draft: [[UInt8]], read: [TokenID])] = [
            // A byte that the drafter lacks: what was held back before it is read, as far as there are tokens.
            ([0xFF], false, false, [a, e2, [0x82]], [0, 1, 2, 0]), ([0xFF], false, false, [a, e2], [0, 1, 0]),
            ([0xFF], false, false, [a, [0x82]], [0, 1, 0]), ([0xFF], false, false, [a], [0, 0]),
            // A command that it lacks, and one that it has.
            (x, true, false, [a, e2, [0x82]], [0, 1, 2, 0]), (x, true, false, [a, e2], [0, 1, 0]),
            (x, true, true, [a, e2, x], [0, 1, 2, 0]), (x, true, true, [a, x], [0, 1, 0]),
            // A letter that it has, though not what it stands behind.
            ([0x62], false, false, [a, e2, [0x62]], [0, 1, 2, 0]), ([0x62], false, false, [a, [0x62]], [0, 1, 0]),
            // A character and the same byte in one token, and a text of which it has half.
            ([0xC3, 0xA9, 0xFF], false, false, [a, e2, [0xC3, 0xA9]], [0, 1, 2, 0]),
            ([0x62, 0x63, 0xFF], false, false, [a, [0x63]], [0, 1, 0]),
        ]
        return cases.map(Held.init)
    }()

    @Test(
        "bytes held back before what the drafter cannot read are read as far as it has them, as is what it has of that",
        arguments: held, [BridgeKind.slem, .tli])
    func heldBack(_ held: Held, kind: BridgeKind) throws {
        let draft = held.draft
        // a, two of the three bytes of a euro sign, the token in question, a.
        let target = ToyVocabulary(
            pieces: [[0x61], [0xE2], [0x82], held.token], controls: held.isCommand ? [3] : [])
        let command = draft.indices.last { held.isShared && draft[$0] == held.token }
        let commands = command.map { Set([TokenID(rawValue: UInt32($0))]) } ?? []
        let parts: [[[TokenID]]] = [
            [[0, 1, 2, 3, 0]], [[0], [1], [2], [3], [0]], [[0, 1, 2], [3, 0]], [[0, 1], [2, 3], [0]],
        ]
        for parts in parts {
            var life = try Life(kind, target: target, draft: ToyVocabulary(pieces: draft, controls: commands)) { _ in
                draft.map { _ in 1 / Double(draft.count) }
            }
            for part in parts { _ = try life.measured(part) }
            #expect(Array(life.draft.prefix(held.read.count)) == held.read, "\(parts)")
        }
    }
}

import NacreCore
import NacreEngine
import NacreProtocol
import RealModule
import Testing

/// The rows that a bridged engine gives, each by itself: no law and no token tells a draft that is legal but not meant.
@Suite struct BridgedEngineTests {
    private static let target = ToyVocabulary("a", "b", "ab", "$", end: "$")
    private static let draft = ToyVocabulary("b", "a", "#", "c", end: "#")

    /// What a bridge of `kind` scores behind `tokens`, by a drafter that thinks of its next token only what `law` says
    /// of it behind its last one.
    private static func score(
        _ kind: BridgeKind, behind tokens: [TokenID], _ request: ScoreRequest, target: ToyVocabulary = target,
        draft: ToyVocabulary = draft, contextMax: Int = 200, _ law: @escaping @Sendable (TokenID?) -> [Double]
    ) throws -> Score? {
        let bridge = try VocabularyBridge(target: target, draft: draft, asked: kind)
        let model = TabularModel(
            vocabularySize: draft.vocabularySize, endOfGeneration: draft.end ?? 0
        ) { context, row in
            for (id, probability) in law(context.last).enumerated() { row[id] = Float(Double.log(probability)) }
        }
        let inner = ReferenceEngine(model: model, contextCells: 256, sequences: 4, nodesMax: 64)
        var engine = BridgedEngine(inner, bridge: bridge, contextMax: contextMax)
        let nodes = tokens.enumerated().map { place, token in
            ForestNode(
                token: token, position: Position(rawValue: place), sequence: 0,
                score: place == tokens.count - 1 ? request : nil)
        }
        return try engine.run(EnginePass(nodes: nodes)).first
    }

    private static func request(_ kind: ScoreRequest.Kind, temperature: Double = 1) -> ScoreRequest {
        ScoreRequest(key: 0, index: 0, policy: SamplingPolicy(temperature: temperature), kind: kind)
    }

    private static func drafts(_ score: Score) -> [TokenID] {
        if case .candidates(let drafts) = score { drafts.map(\.token) } else { [] }
    }

    private static func probabilities(_ score: Score?) -> [Double]? {
        if case .law(let law)? = score { law.probabilities } else { nil }
    }

    /// Behind an a comes a b for the most part, behind all else an a.
    @Sendable private static func alternating(_ last: TokenID?) -> [Double] {
        last == 1 ? [0.9, 0.05, 0.03, 0.02] : [0.1, 0.85, 0.03, 0.02]
    }

    @Test("TLI gives q of the shared tokens, renormalised, at temperature 1")
    func intersection() throws {
        let row = try Self.probabilities(
            Self.score(.tli, behind: [1], Self.request(.law)) { _ in [0.5, 0.2, 0.1, 0.2] })
        let expected = [0.2 / 0.8, 0.5 / 0.8, 0, 0.1 / 0.8]
        #expect(row.map { zip($0, expected).allSatisfy { abs($0 - $1) < 1e-6 } } == true, "\(row ?? [])")
    }

    @Test("TLI drafts nothing where less than a tenth of q is shared", arguments: [(0.92, false), (0.88, true)])
    func smallMass(unshared: Double, isDrafted: Bool) throws {
        let rest = (1 - unshared) / 3
        let score = try Self.score(.tli, behind: [1], Self.request(.law)) { _ in [rest, rest, rest, unshared] }
        #expect((Self.probabilities(score) != nil) == isDrafted && (score == .candidates([])) == !isDrafted)
    }

    @Test("TLI drafts nothing inside of a character that the drafter has not seen")
    func insideOfCharacter() throws {
        let target = ToyVocabulary(pieces: [[0xC3], [0xA9], [0x61]])
        let draft = ToyVocabulary(pieces: [[0xC3, 0xA9], [0x61]])
        for (tokens, isDrafted) in [([2, 0], false), ([2, 0, 1], true)] as [([TokenID], Bool)] {
            let score = try Self.score(.tli, behind: tokens, Self.request(.law), target: target, draft: draft) { _ in
                [0.5, 0.5]
            }
            #expect((Self.probabilities(score) != nil) == isDrafted, "\(tokens)")
        }
    }

    @Test(
        "nothing is drafted at the end of the drafter's own context, be the target's longer",
        arguments: [(.tli, 4, false), (.tli, 5, true), (.slem, 5, false), (.slem, 6, true)]
            as [(BridgeKind, Int, Bool)])
    func contextEnd(kind: BridgeKind, contextMax: Int, isDrafted: Bool) throws {
        // Two of the target's tokens are four of the drafter's, and SLEM takes two rows to settle a token.
        let greedy = ScoreRequest(key: 0, index: 0, policy: .greedy, kind: .candidates(1))
        let score = try Self.score(kind, behind: [2, 2], greedy, contextMax: contextMax) { _ in
            [0.1, 0.85, 0.03, 0.02]
        }
        guard case .candidates(let drafts)? = score else {
            Issue.record("\(String(describing: score))")
            return
        }
        #expect(drafts.map(\.token) == (isDrafted ? [0] : []))
    }

    @Test("SLEM asks no further where the drafter does not go on with a character that it has seen nothing of")
    func astray() throws {
        let bridge = try VocabularyBridge(
            target: ToyVocabulary(pieces: [[0xC3], [0xA9], [0x61]]),
            draft: ToyVocabulary(pieces: [[0xC3, 0xA9], [0x61]]), asked: .slem)
        for (first, drafts) in [(1, []), (0, [1])] as [(Int, [TokenID])] {
            // Behind an a comes `first`, then a's.
            let model = TabularModel(vocabularySize: 2, endOfGeneration: 0) { context, row in
                row = context.count == 1 && first == 0 ? [1, 0] : [0, 1]
            }
            var engine = BridgedEngine(
                ReferenceEngine(model: model, contextCells: 64, sequences: 2, nodesMax: 8), bridge: bridge,
                contextMax: 60)
            let nodes = ([2, 0] as [TokenID]).enumerated().map { place, token in
                ForestNode(
                    token: token, position: Position(rawValue: place), sequence: 0,
                    score: place == 1
                        ? ScoreRequest(key: 0, index: 0, policy: .greedy, kind: .candidates(1)) : nil)
            }
            guard case .candidates(let found)? = try engine.run(EnginePass(nodes: nodes)).first else {
                Issue.record("no candidates")
                continue
            }
            #expect(found.map(\.token) == drafts && engine.passes == (first == 0 ? 2 : 1))
        }
    }

    @Test("slem+tli goes by the text where the request is greedy, and by shared tokens where it is drawn")
    func mixed() throws {
        for kind in [BridgeKind.mixed, .slem, .tli] {
            let greedy = try Self.score(
                kind, behind: [1], ScoreRequest(key: 0, index: 0, policy: .greedy, kind: .candidates(1)),
                Self.alternating)
            guard case .candidates(let drafts)? = greedy else {
                Issue.record("\(kind): \(String(describing: greedy))")
                continue
            }
            // "aba…" is ab and more in the target's tokens; of the drafter's own tokens an a comes next.
            #expect(drafts.first?.token == (kind == .tli ? 0 : 2), "\(kind)")
            let row = try Self.probabilities(Self.score(kind, behind: [1], Self.request(.law), Self.alternating))
            #expect(row?.first.map { $0 > 0.8 } == (kind != .slem), "\(kind): \(row ?? [])")
            #expect(row?[2] == (kind == .slem ? 1 : 0), "\(kind): \(row ?? [])")
        }
    }

    @Test(
        "slem+tli and auto go by text where less than a tenth of q is shared, until tokens of both end; tli does not",
        arguments: [nil, .mixed, .tli] as [BridgeKind?])
    func littleShared(_ asked: BridgeKind?) throws {
        // Behind a b the drafter means a text of several letters, behind that a b.
        let target = ToyVocabulary("a", "b")
        let draft = ToyVocabulary("b", "a", "aab")
        let bridge = try VocabularyBridge(target: target, draft: draft, asked: asked)
        #expect(bridge.kind == asked ?? .mixed)
        let model = TabularModel(vocabularySize: 3, endOfGeneration: 0) { context, row in
            let law = context.last == 0 ? [0.02, 0.06, 0.92] : [0.9, 0.06, 0.04]
            for (id, probability) in law.enumerated() { row[id] = Float(Double.log(probability)) }
        }
        var engine = BridgedEngine(
            ReferenceEngine(model: model, contextCells: 64, sequences: 2, nodesMax: 8), bridge: bridge,
            contextMax: 60)
        var rows: [[Double]] = []
        for (place, token) in ([1, 0, 0, 1] as [TokenID]).enumerated() {
            let node = ForestNode(
                token: token, position: Position(rawValue: place), sequence: 0, score: Self.request(.law))
            rows.append(try Self.probabilities(engine.run(EnginePass(nodes: [node])).first) ?? [])
        }
        let drawn = [0.06 / 0.96, 0.9 / 0.96]
        let expected = asked == .tli ? [[], drawn, drawn, []] : [[1, 0], [1, 0], [0, 1], drawn]
        for (row, own) in zip(rows, expected) {
            #expect(row.count == own.count && zip(row, own).allSatisfy { abs($0 - $1) < 1e-6 }, "\(rows)")
        }
        // The text costs no row where it is known already; then what was said is read, not spelled.
        #expect(engine.passes == (asked == .tli ? 4 : 3) && engine.mass.low == (asked == .tli ? 2 : 1))
        #expect(engine.held(0).draft == (asked == .tli ? [0, 1, 1, 0] : [0, 2]))
    }

    @Test("a row that is drawn from ends what slem+tli went on with for one that is not")
    func otherRequest() throws {
        let bridge = try VocabularyBridge(
            target: ToyVocabulary("a", "b"), draft: ToyVocabulary("b", "a", "aab"), asked: .mixed)
        let model = TabularModel(vocabularySize: 3, endOfGeneration: 0) { context, row in
            let law = context.last == 0 ? [0.1, 0.3, 0.6] : [0.5, 0.3, 0.2]
            for (id, probability) in law.enumerated() { row[id] = Float(Double.log(probability)) }
        }
        var engine = BridgedEngine(
            ReferenceEngine(model: model, contextCells: 64, sequences: 2, nodesMax: 8), bridge: bridge,
            contextMax: 60)
        let greedy = ScoreRequest(key: 0, index: 0, policy: .greedy, kind: .candidates(1))
        let said = try engine.run(
            EnginePass(nodes: [ForestNode(token: 1, position: 0, sequence: 0, score: greedy)]))
        #expect(said.count == 1 && said.first.map(Self.drafts) == [0])
        let drawn = try engine.run(
            EnginePass(nodes: [ForestNode(token: 0, position: 1, sequence: 0, score: Self.request(.law))]))
        let row = try #require(Self.probabilities(drawn.first))
        #expect(zip(row, [0.3 / 0.8, 0.5 / 0.8]).allSatisfy { abs($0 - $1) < 1e-6 }, "\(row)")
    }

    @Test("rows that one pass asks for are those of passes of their own", arguments: ToyBridge.all(.tli, .slem, .slrs))
    func together(_ toy: ToyBridge) throws {
        let text: [TokenID] = [0, 1, 1, 0, 1]
        func engine() -> BridgedEngine<ReferenceEngine> {
            BridgedEngine(
                ReferenceEngine(model: toy.model(0), contextCells: 256, sequences: 4, nodesMax: 64),
                bridge: toy.bridge, contextMax: 200)
        }
        let nodes = text.enumerated().map { place, token in
            ForestNode(
                token: token, position: Position(rawValue: place), sequence: 0,
                score: place < 2 ? nil : Self.request(.law))
        }
        var (one, several) = (engine(), engine())
        _ = try several.run(EnginePass(nodes: Array(nodes[..<2])))
        let alone = try nodes[2...].flatMap { try several.run(EnginePass(nodes: [$0])) }
        #expect(try one.run(EnginePass(nodes: nodes)) == alone && alone.count == 3)
    }

    @Test("SLRS goes on with a character whose beginning the drafter has not seen")
    func restOfCharacter() throws {
        let row = try Self.probabilities(
            Self.score(
                .slrs, behind: [2, 0], Self.request(.law), target: ToyVocabulary(pieces: [[0xC3], [0xA9], [0x61]]),
                draft: ToyVocabulary(pieces: [[0xC3, 0xA9], [0x61]])
            ) { _ in [0.6, 0.4] })
        #expect(row == [0, 1, 0])
    }

    @Test("where the drafter's tokenizer cannot spell what the target says nothing goes by text")
    func unspelled() throws {
        let (target, draft) = (ToyVocabulary("a", "b", "x", "y", "z"), ToyVocabulary("b", "a"))
        let bridge = try VocabularyBridge(target: target, draft: draft, asked: nil)
        #expect(bridge.kind == .tli && !bridge.goesByText)
        for asked in [BridgeKind.slem, .mixed, .slrs] {
            #expect(throws: BridgeRefusal.cannotSpell) {
                try VocabularyBridge(target: target, draft: draft, asked: asked)
            }
        }
    }

    @Test("SLEM puts beside its own text what else the drafter thought of there, each token once")
    func siblings() throws {
        let score = try Self.score(
            .slem, behind: [1], ScoreRequest(key: 0, index: 0, policy: .greedy, kind: .candidates(3)),
            Self.alternating)
        guard case .candidates(let drafts)? = score else {
            Issue.record("\(String(describing: score))")
            return
        }
        // Its text, the other letter, and the end.
        #expect(drafts.map(\.token) == [2, 1, 3])
    }

    @Test("a token that is cut and comes again has the row that it had", arguments: ToyBridge.all(.tli, .slem, .slrs))
    func again(_ toy: ToyBridge) throws {
        func nodes(_ tokens: [TokenID], from start: Int) -> [ForestNode] {
            tokens[start...].enumerated().map { offset, token in
                ForestNode(
                    token: token, position: Position(rawValue: start + offset), sequence: 0,
                    score: start + offset == tokens.count - 1 ? Self.request(.law) : nil)
            }
        }
        var drafted = 0
        for seed in 0..<8 as Range<UInt64> {
            var dice = Dice(seed: seed)
            let text = (0..<5).map { _ in TokenID(rawValue: UInt32(dice.next() % 2)) }
            var engine = BridgedEngine(
                ReferenceEngine(model: toy.model(0), contextCells: 256, sequences: 4, nodesMax: 64),
                bridge: toy.bridge, contextMax: 200)
            let first = try engine.run(EnginePass(nodes: nodes(text, from: 0)))
            // The drafter's cache has the token all the while.
            let edits: [CacheEdit] = [.rewind(0, length: Position(rawValue: text.count - 1))]
            let second = try engine.run(EnginePass(edits: edits, nodes: nodes(text, from: text.count - 1)))
            #expect(first == second, "\(text)")
            #expect(engine.inner.cached(0) == engine.held(0).draft)
            if first != [.candidates([])] { drafted += 1 }
        }
        #expect(drafted > 0, "no row to compare")
    }

    @Test("a fork holds the text up to its length, in the tokens of both, and the origin keeps its own")
    func forks() throws {
        let bridge = try VocabularyBridge(target: Self.target, draft: Self.draft, asked: .tli)
        let model = TabularModel(vocabularySize: 4, endOfGeneration: 2) { _, row in
            for id in row.indices { row[id] = 0 }
        }
        var engine = BridgedEngine(
            ReferenceEngine(model: model, contextCells: 256, sequences: 4, nodesMax: 64), bridge: bridge,
            contextMax: 200)
        func nodes(_ tokens: [TokenID], _ sequence: SequenceID, from start: Int) -> [ForestNode] {
            tokens.enumerated().map { place, token in
                ForestNode(
                    token: token, position: Position(rawValue: start + place), sequence: sequence,
                    score: place == tokens.count - 1 ? Self.request(.law) : nil)
            }
        }
        _ = try engine.run(EnginePass(nodes: nodes([0, 2, 1, 0], 0, from: 0)))
        _ = try engine.run(EnginePass(edits: [.fork(0, to: 1, length: 2)], nodes: nodes([0], 1, from: 2)))
        #expect(engine.held(0).target == [0, 2, 1, 0] && engine.held(0).draft == [1, 1, 0, 0, 1])
        #expect(engine.held(1).target == [0, 2, 0] && engine.held(1).draft == [1, 1, 0, 1])
        #expect(engine.inner.cached(1) == engine.held(1).draft)
        // Nor does its twin hold cells of more.
        _ = try engine.run(EnginePass(edits: [.fork(0, to: 2, length: 2)]))
        #expect(engine.held(2).target == [0, 2] && engine.inner.cached(2) == [1, 1, 0])
    }
}

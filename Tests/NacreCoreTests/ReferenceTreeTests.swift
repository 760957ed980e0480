import NacreCore
import NacreEngine
import Testing

@Suite("Trees in the reference engine")
struct ReferenceTreeTests {
    private static let model = TabularModel.hashed(vocabulary: 16, seed: 3)
    private let request = ScoreRequest(key: 1, index: 0, policy: .greedy)

    private func node(_ token: TokenID, _ position: Int, _ sequence: SequenceID, _ branches: [SequenceID] = [])
        -> ForestNode
    {
        ForestNode(
            token: token, position: Position(rawValue: position), sequence: sequence, score: request,
            branches: branches)
    }

    private func engine(cells: Int = 16) -> ReferenceEngine {
        ReferenceEngine(model: Self.model, contextCells: cells, sequences: 5, nodesMax: 10)
    }

    /// Text [1, 2]; the root 3; children 4 and 5; below 5 the tokens 6 and 7.
    private var tree: EnginePass {
        EnginePass(
            nodes: [
                node(1, 0, 0, [1, 2]), node(2, 1, 0, [1, 2]), node(3, 2, 0, [1, 2]), node(4, 3, 0),
                node(5, 3, 1, [2]), node(6, 4, 1), node(7, 4, 2),
            ])
    }

    @Test("A node's row is that of its path, and a shared node takes one cell")
    func rows() throws {
        var engine = engine()
        let scores = try engine.run(tree)
        let paths: [[TokenID]] = [
            [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 3, 5, 6], [1, 2, 3, 5, 7],
        ]
        var row: [Float] = []
        var scratch = CoupledScratch()
        for (score, path) in zip(scores, paths) {
            Self.model.logits(after: path[...], into: &row)
            #expect(score.choice == CoupledRule.choose(row.span, request, scratch: &scratch), "\(path)")
        }
        #expect(engine.cellsInUse == 7)
        #expect(engine.cached(0) == [1, 2, 3, 4] && engine.cached(1) == [1, 2, 3, 5, 6])
        #expect(engine.cached(2) == [1, 2, 3, 5, 7])
    }

    @Test("The winner's cells stay and those of the losers are free again")
    func adoption() throws {
        var engine = engine()
        _ = try engine.run(tree)
        _ = try engine.run(
            EnginePass(
                edits: [.release(1), .release(2)], nodes: [node(8, 5, 0)],
                adoptions: [.init(branch: 2, owner: 0, positions: 3..<5)]))
        #expect(engine.cached(0) == [1, 2, 3, 5, 7, 8] && engine.cached(1).isEmpty && engine.cached(2).isEmpty)
        #expect(engine.cellsInUse == 6)
        _ = try engine.run(EnginePass(edits: [.release(0)]))
        #expect(engine.cellsInUse == 0)
    }

    @Test("A fork shares the cells of a beginning, in the order of the edits, until either is cut below it")
    func fork() throws {
        var engine = engine()
        _ = try engine.run(EnginePass(nodes: [node(1, 0, 0), node(2, 1, 0), node(3, 2, 0)]))
        let scores = try engine.run(
            EnginePass(
                edits: [.release(3), .fork(0, to: 3, length: 2), .rewind(0, length: 1), .fork(3, to: 4, length: 2)],
                nodes: [node(9, 2, 3)]))
        #expect(engine.cached(0) == [1] && engine.cached(3) == [1, 2, 9] && engine.cached(4) == [1, 2])
        #expect(engine.cellsInUse == 3)
        var row: [Float] = []
        var scratch = CoupledScratch()
        Self.model.logits(after: [1, 2, 9], into: &row)
        #expect(scores == [.choice(CoupledRule.choose(row.span, request, scratch: &scratch))])
        _ = try engine.run(EnginePass(edits: [.release(3), .release(0)]))
        #expect(engine.cached(4) == [1, 2] && engine.cellsInUse == 2)
    }

    @Test("A tree that does not fit leaves no branch behind")
    func full() throws {
        var engine = engine(cells: 6)
        let error = #expect(throws: EngineError.self) { try engine.run(tree) }
        #expect(error?.code == .cacheFull && engine.cellsInUse == 0)
        #expect((0..<5).allSatisfy { engine.cached(SequenceID(rawValue: $0)).isEmpty })
    }

    @Test("Branches that are in use, join again or are none are refused, and nothing changes")
    func invalid() throws {
        var engine = engine()
        _ = try engine.run(tree)
        _ = try engine.run(EnginePass(nodes: [node(9, 0, 3)]))
        let passes: [EnginePass] = [
            EnginePass(nodes: [node(8, 4, 0, [1])]),
            EnginePass(nodes: [node(8, 4, 0, [4]), node(8, 5, 0), node(8, 5, 4), node(9, 6, 0, [4])]),
            EnginePass(nodes: [node(8, 4, 0, [0])]), EnginePass(nodes: [node(8, 4, 0, [4, 4])]),
            EnginePass(nodes: [node(8, 4, 0, [5])]), EnginePass(nodes: [node(8, 4, 0, [-1])]),
            EnginePass(nodes: [node(8, 0, 4), node(8, 4, 0, [4])]),
            EnginePass(adoptions: [.init(branch: 0, owner: 0, positions: 2..<4)]),
            EnginePass(adoptions: [.init(branch: 2, owner: 0, positions: 4..<5)]),
            EnginePass(adoptions: [.init(branch: 2, owner: 0, positions: 3..<6)]),
            EnginePass(adoptions: [.init(branch: 3, owner: 0, positions: 1..<1)]),
            EnginePass(adoptions: [.init(branch: 7, owner: 0, positions: 1..<1)]),
            EnginePass(adoptions: Array(repeating: .init(branch: 2, owner: 0, positions: 3..<5), count: 2)),
            EnginePass(edits: [.fork(0, to: 1, length: 1)]), EnginePass(edits: [.fork(0, to: 4, length: 5)]),
            EnginePass(edits: [.fork(0, to: 4, length: -1)]), EnginePass(edits: [.fork(0, to: 5, length: 1)]),
            EnginePass(edits: [.fork(5, to: 4, length: 0)]), EnginePass(edits: [.fork(4, to: 4, length: 0)]),
            EnginePass(edits: [.rewind(0, length: 2), .fork(0, to: 4, length: 3)]),
            EnginePass(nodes: [
                ForestNode(
                    token: 1, position: 4, sequence: 0,
                    score: ScoreRequest(key: 1, index: 0, policy: .greedy, kind: .candidates(0)))
            ]),
        ]
        for pass in passes {
            let error = #expect(throws: EngineError.self, "\(pass)") { try engine.run(pass) }
            #expect(error?.code == .invalidPass)
            #expect(engine.cellsInUse == 8 && engine.cached(0) == [1, 2, 3, 4] && engine.cached(4).isEmpty)
        }
    }
}

import NacreCore
import NacreEngine
import NacreLlama
import Testing

/// The audit for trees: a row is that of a plain decode of its path, whatever else is in the batch, whichever branches
/// won before, whoever came and went. With several threads: `SeveralThreadsTests`.
@Suite(.serialized) struct TreeExactnessTests {
    private static let target = try? LlamaModel(path: Fixture.target)
    private static let draft = try? LlamaModel(path: Fixture.draft)

    /// A life of trees in an engine; the audit of all of its rows.
    private func live(
        _ model: LlamaModel, _ settings: LlamaSettings, passes: Int = 60, seed: UInt64
    ) throws -> (audited: Int, different: Int, rebuilds: Int, compactions: Int) {
        var audited = try AuditedEngine(model, settings)
        var life = ForestLife(
            seed: seed, jobs: settings.sequences, branches: settings.branches, vocabulary: model.vocabularySize,
            lengthMax: settings.contextPerJob - 12, nodesMax: 10)
        for _ in 0..<passes { try audited.run(life.pass()) }
        #expect(life.sideBranches > 5 && life.ends > 0 && (settings.sequences == 1 || life.forks > 0))
        return (
            audited.rows.count, try audited.differences(model, sharingPrefixes: true), audited.engine.rebuilds,
            audited.engine.compactions
        )
    }

    @Test("one job's trees, side branches winning again and again")
    func oneJob() throws { try oneJob(threads: 1) }

    func oneJob(threads: Int) throws {
        let model = try #require(Self.target)
        let settings = LlamaSettings(threads: threads, contextPerJob: 80, branches: 10, nodesMax: 64)
        let found = try live(model, settings, seed: UInt64(threads))
        #expect(found.different == 0 && found.compactions > 5 && found.rebuilds == 0, "\(found)")
    }

    /// Without a cell that may move all gaps are filled, and the cache is rebuilt now and then. `contextPerJob` is
    /// short, so that jobs end, fork and are born in between.
    @Test("forests of jobs that join, leave and begin as others did", arguments: [64, 0, 8])
    func forest(movedCellsMax: Int) throws { try forest(threads: 1, movedCellsMax: movedCellsMax) }

    func forest(threads: Int, movedCellsMax: Int) throws {
        let model = try #require(Self.target)
        let settings = LlamaSettings(
            threads: threads, contextPerJob: 60, sequences: 4, branches: 24, nodesMax: 128, deadCellsMin: 10,
            movedCellsMax: movedCellsMax)
        let found = try live(model, settings, seed: UInt64(7 + threads + movedCellsMax))
        #expect(found.different == 0, "\(found)")
        #expect(movedCellsMax == 0 ? found.rebuilds > 5 && found.compactions == 0 : found.compactions > 5, "\(found)")
    }

    @Test("other number types", arguments: TinyGGUF.Format.allCases)
    func formats(format: TinyGGUF.Format) throws {
        let file = TemporaryFile(TinyGGUF(copying: Fixture.read(Fixture.draft)).converted(to: format).bytes)
        let model = try LlamaModel(path: file.path)
        let settings = LlamaSettings(threads: 1, contextPerJob: 60, sequences: 3, branches: 16, nodesMax: 64)
        let found = try live(model, settings, seed: 3)
        #expect(found.different == 0 && found.compactions > 5, "\(format): \(found)")
    }

    @Test("an engine that is not exact fails the same audit: the audit can see a difference")
    func auditHasTeeth() throws {
        let model = try #require(Self.target)
        let settings = LlamaSettings(
            threads: 1, contextPerJob: 60, sequences: 4, branches: 24, nodesMax: 128, exact: false)
        let found = try live(model, settings, seed: 8)
        #expect(found.different > 0 && found.compactions == 0, "\(found)")
    }

    /// A prompt in sequence 0 with `tokens` for two branches and its own end, some of them shared.
    private func tree(_ tokens: [TokenID], at start: Int, owner: SequenceID, _ one: SequenceID, _ two: SequenceID)
        -> [ForestNode]
    {
        let request = ScoreRequest(key: 1, index: start, policy: SamplingPolicy(temperature: 1))
        let shape: [(Int, SequenceID, [SequenceID])] = [
            (0, owner, [one, two]), (1, owner, []), (2, owner, []), (1, one, [two]), (2, one, []), (3, one, []),
            (2, two, []), (3, two, []),
        ]
        return zip(tokens, shape).map { token, place in
            ForestNode(
                token: token, position: Position(rawValue: start + place.0), sequence: place.1, score: request,
                branches: place.2)
        }
    }

    @Test("a branch may begin in the middle of a pass, behind nodes of the pass")
    func lateBranch() throws {
        let model = try #require(Self.draft)
        var audited = try AuditedEngine(
            model, LlamaSettings(threads: 1, contextPerJob: 64, branches: 2, nodesMax: 32))
        try audited.run(ForestNode.chain([5, 6, 7], from: 0, sequence: 0))
        var nodes = ForestNode.chain([8, 9], from: 3, sequence: 0)
        nodes += tree([10, 11, 12, 13, 14, 15, 16, 17], at: 5, owner: 0, 1, 2)
        try audited.run(nodes)
        let settled = EnginePass(
            edits: [.release(1), .release(2)], nodes: ForestNode.chain([20, 21], from: 9, sequence: 0),
            adoptions: [BranchAdoption(branch: 2, owner: 0, positions: 6..<9)])
        try audited.run(settled)
        #expect(try audited.differences(model) == 0)
    }

    @Test("a tree that does not fit leaves no branch, and its job goes on as if nothing had been")
    func full() throws {
        let model = try #require(Self.draft)
        var audited = try AuditedEngine(
            model, LlamaSettings(threads: 1, contextPerJob: 20, sequences: 2, branches: 2, nodesMax: 16))
        var random = TestRandom(seed: 4)
        let cells = audited.engine.shape.contextCells
        #expect(cells == 56 && audited.engine.shape.jobs == 2 && audited.engine.shape.sequences == 4)
        for (sequence, count) in [(SequenceID(rawValue: 0), 25), (1, 24)] {
            for start in stride(from: 0, to: count, by: 8) {
                try audited.run(
                    ForestNode.chain(
                        (start..<min(start + 8, count)).map { _ in random.token(model) }, from: start,
                        sequence: sequence))
            }
        }
        let nodes = tree((0..<8).map { _ in random.token(model) }, at: 25, owner: 0, 2, 3)
        let error = #expect(throws: EngineError.self) { try audited.run(nodes) }
        #expect(error?.code == .cacheFull)
        try audited.run(Array(nodes[..<3].map { ForestNode($0, branches: []) }))
        try audited.run(edits: [.rewind(0, length: 25), .rewind(1, length: 20)], nodes)
        try audited.run(
            EnginePass(
                edits: [.release(2), .release(3)], nodes: ForestNode.chain([1, 2], from: 29, sequence: 0),
                adoptions: [BranchAdoption(branch: 2, owner: 0, positions: 26..<29)]))
        #expect(try audited.differences(model) == 0)
    }

    @Test("a pass that stops in the middle leaves every sequence as it was before its nodes", arguments: [0, 1, 7, 30])
    func stopped(after operations: Int) throws {
        let model = try #require(Self.draft)
        var audited = try AuditedEngine(
            model, LlamaSettings(threads: 1, contextPerJob: 60, sequences: 3, branches: 16, nodesMax: 64))
        var life = ForestLife(
            seed: UInt64(operations), jobs: 3, branches: 16, vocabulary: model.vocabularySize, lengthMax: 48,
            nodesMax: 10)
        let stop = StopAfter(operations)
        for number in 0..<30 {
            let pass = life.pass()
            if number % 3 == 2, !pass.nodes.isEmpty {
                stop.rest = operations
                audited.engine.stopTap = stop.closure
                let error = #expect(throws: EngineError.self) { try audited.run(pass) }
                #expect(error?.code == .failed)
                audited.engine.stopTap = nil
                // The adoptions and edits stand.
                audited.note(pass)
                try audited.run(pass.nodes)
            } else {
                try audited.run(pass)
            }
        }
        #expect(try audited.differences(model, sharingPrefixes: true) == 0)
    }
}

/// Stops a pass after so many operations.
private final class StopAfter {
    var rest: Int

    init(_ operations: Int) { rest = operations }

    var closure: () -> Bool {
        { [self] in
            rest -= 1
            return rest < 0
        }
    }
}

extension ForestNode {
    fileprivate init(_ node: ForestNode, branches: [SequenceID]) {
        self = node
        self.branches = branches
    }
}

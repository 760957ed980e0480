import NacreCore
import NacreEngine
import NacreLlama
import Testing

/// What the engine promises beside exact rows.
@Suite(.serialized) struct EngineTests {
    static let model = try? LlamaModel(path: Fixture.draft)

    private func engine(_ settings: LlamaSettings) throws -> LlamaEngine {
        try LlamaEngine(model: try #require(Self.model), settings: settings)
    }

    /// The engine's code for a pass, `nil` if it ran.
    private func code(_ engine: inout LlamaEngine, _ pass: EnginePass) -> EngineError.Code? {
        do throws(EngineError) {
            _ = try engine.run(pass)
            return nil
        } catch { return error.code }
    }

    @Test("the shape says what was asked for")
    func shape() throws {
        let engine = try engine(LlamaSettings(threads: 1, contextPerJob: 100, sequences: 3, nodesMax: 64))
        let shape = EngineShape(
            vocabularySize: 4096, contextCells: 300, sequences: 3, nodesMax: 64, canRewind: true)
        #expect(engine.shape == shape)
    }

    @Test("branches have ids behind the jobs', and one tree more fits than the jobs need")
    func branches() throws {
        let engine = try engine(
            LlamaSettings(threads: 1, contextPerJob: 100, sequences: 3, branches: 4, nodesMax: 64))
        let shape = EngineShape(
            vocabularySize: 4096, contextCells: 364, sequences: 7, branches: 4, nodesMax: 64, canRewind: true)
        #expect(engine.shape == shape && shape.jobs == 3)
    }

    @Test("as many branches as can be had are had: all lie in one node, and each has its own end")
    func manyBranches() throws {
        var engine = try engine(LlamaSettings(threads: 1, contextPerJob: 300, branches: 253))
        let branches = (1..<Int32(254)).map { SequenceID(rawValue: $0) }
        var root = ForestNode.chain([7], from: 0, sequence: 0)
        root[0].branches = branches
        let leaves = branches.flatMap { ForestNode.chain([8], from: 1, sequence: $0) }
        let scores = try engine.run(EnginePass(nodes: root + leaves))
        let plain = try engine.run(
            EnginePass(
                edits: ([0] + branches).map { .release($0) }, nodes: ForestNode.chain([7, 8], from: 0, sequence: 0)))
        #expect(scores == plain[..<1] + Array(repeating: plain[1], count: 253))
    }

    @Test("a fork or a tree that breaks a rule is refused before anything changes")
    func invalidTrees() throws {
        var engine = try engine(LlamaSettings(threads: 1, contextPerJob: 64, branches: 4, nodesMax: 16))
        func node(_ position: Int, _ sequence: SequenceID, _ branches: [SequenceID] = []) -> ForestNode {
            ForestNode(token: 5, position: Position(rawValue: position), sequence: sequence, branches: branches)
        }
        let tree = EnginePass(nodes: [
            node(0, 0, [1, 2]), node(1, 0), node(1, 1, [2]), node(2, 1), node(2, 2), node(0, 3),
        ])
        _ = try engine.run(tree)
        let wrong: [EnginePass] = [
            EnginePass(nodes: [node(2, 0, [1])]),
            EnginePass(nodes: [node(2, 0, [4]), node(3, 0), node(3, 4), node(4, 0, [4])]),
            EnginePass(nodes: [node(2, 0, [0])]), EnginePass(nodes: [node(2, 0, [4, 4])]),
            EnginePass(nodes: [node(2, 0, [5])]), EnginePass(nodes: [node(2, 0, [-1])]),
            EnginePass(nodes: [node(0, 4), node(2, 0, [4])]),
            EnginePass(adoptions: [.init(branch: 0, owner: 0, positions: 1..<2)]),
            EnginePass(adoptions: [.init(branch: 2, owner: 0, positions: 2..<3)]),
            EnginePass(adoptions: [.init(branch: 2, owner: 0, positions: 1..<4)]),
            EnginePass(adoptions: [.init(branch: 3, owner: 0, positions: 1..<1)]),
            EnginePass(adoptions: [.init(branch: 9, owner: 0, positions: 0..<0)]),
            EnginePass(adoptions: Array(repeating: .init(branch: 2, owner: 0, positions: 1..<3), count: 2)),
            EnginePass(edits: [.fork(0, to: 1, length: 1)]), EnginePass(edits: [.fork(0, to: 4, length: 3)]),
            EnginePass(edits: [.fork(0, to: 4, length: -1)]), EnginePass(edits: [.fork(0, to: 5, length: 1)]),
            EnginePass(edits: [.fork(5, to: 4, length: 0)]), EnginePass(edits: [.fork(4, to: 4, length: 0)]),
            EnginePass(edits: [.rewind(0, length: 1), .fork(0, to: 4, length: 2)]),
        ]
        for pass in wrong { #expect(code(&engine, pass) == .invalidPass, "\(pass)") }
        let right = EnginePass(
            edits: [.release(1), .fork(0, to: 4, length: 2), .release(2)], nodes: [node(3, 0), node(2, 4)],
            adoptions: [.init(branch: 2, owner: 0, positions: 1..<3)])
        #expect(code(&engine, right) == nil)
    }

    @Test("only nodes that ask for a score get a choice, in node order; the others are free to be anything")
    func choices() throws {
        var engine = try engine(LlamaSettings(threads: 1, contextPerJob: 100))
        var nodes = ForestNode.chain([1, 2, 3, 4, 5], from: 0, sequence: 0, policy: .greedy)
        let all = try engine.run(EnginePass(nodes: nodes))
        #expect(all.count == 5)
        nodes[1].score = nil
        nodes[3].score = nil
        let some = try engine.run(EnginePass(edits: [.release(0)], nodes: nodes))
        #expect(some == [all[0], all[2], all[4]])
        #expect(try engine.run(EnginePass()) == [])
    }

    @Test("a full cache is reported, changes nothing but the edits, and is usable after a release", arguments: [1, 2])
    func cacheFull(sequences: Int) throws {
        var engine = try engine(LlamaSettings(threads: 1, contextPerJob: 60 / sequences, sequences: sequences))
        let tokens = (0..<50).map { TokenID(rawValue: UInt32($0)) }
        let before = try engine.run(EnginePass(nodes: ForestNode.chain(tokens, from: 0, sequence: 0)))
        #expect(code(&engine, EnginePass(nodes: ForestNode.chain(tokens[..<11], from: 50, sequence: 0))) == .cacheFull)
        // As many as there is room for still fit, at the same place.
        #expect(code(&engine, EnginePass(nodes: ForestNode.chain(tokens[..<10], from: 50, sequence: 0))) == nil)
        #expect(code(&engine, EnginePass(nodes: ForestNode.chain(tokens[..<1], from: 60, sequence: 0))) == .cacheFull)
        // The edits of a pass that does not fit stand.
        let tooMuch = EnginePass(
            edits: [.rewind(0, length: 40)], nodes: ForestNode.chain(tokens[..<21], from: 40, sequence: 0))
        #expect(code(&engine, tooMuch) == .cacheFull)
        #expect(code(&engine, EnginePass(nodes: ForestNode.chain(tokens[..<20], from: 40, sequence: 0))) == nil)
        let again = try engine.run(
            EnginePass(edits: [.release(0)], nodes: ForestNode.chain(tokens, from: 0, sequence: 0)))
        #expect(again == before)
    }

    @Test("a pass that libllama would trip over is refused before anything changes")
    func invalidPasses() throws {
        var engine = try engine(LlamaSettings(threads: 1, contextPerJob: 64, sequences: 2, nodesMax: 16))
        let first = ForestNode.chain([9, 8, 7, 6], from: 0, sequence: 0)
        let prefix = try engine.run(EnginePass(nodes: first))
        let node = ForestNode.chain([5], from: 4, sequence: 0)[0]
        func with(_ change: (inout ForestNode) -> Void) -> EnginePass {
            var bad = node
            change(&bad)
            // An edit that must not be done either.
            return EnginePass(edits: [.release(1), .rewind(0, length: 4)], nodes: [bad])
        }
        var wrong: [EnginePass] = [
            with { $0.position = 5 }, with { $0.position = 3 }, with { $0.position = -1 },
            with { $0.position = Position(rawValue: .max) }, with { $0.sequence = 2 }, with { $0.sequence = -1 },
            with { $0.token = 4096 }, with { $0.token = .init(rawValue: .max) },
            with { $0.score?.policy.temperature = -.infinity }, with { $0.score?.policy.topP = .nan },
            EnginePass(nodes: [node, node]), EnginePass(edits: [.release(2)]), EnginePass(edits: [.release(-1)]),
            EnginePass(edits: [.rewind(0, length: -1)]),
            EnginePass(edits: [.rewind(0, length: 2)], nodes: [node]),
            EnginePass(nodes: ForestNode.chain(Array(repeating: 1, count: 17), from: 4, sequence: 0)),
        ]
        // The rewind before a wrong node would be seen in the position that the sequence goes on at.
        wrong.append(EnginePass(edits: [.rewind(0, length: 1)], nodes: [node]))
        for pass in wrong { #expect(code(&engine, pass) == .invalidPass, "\(pass)") }
        // Nothing was touched: the sequence goes on where it was, with the rows it would have had.
        let after = try engine.run(EnginePass(nodes: [node]))
        let fresh = try engine.run(EnginePass(edits: [.release(0)], nodes: first + [node]))
        #expect(fresh == prefix + after)
    }

    @Test("rewinding to a length that is not reached, or twice, is harmless")
    func idempotent() throws {
        var engine = try engine(LlamaSettings(threads: 1, contextPerJob: 64))
        let nodes = ForestNode.chain([3, 1, 4, 1, 5], from: 0, sequence: 0)
        let rows = try engine.run(EnginePass(nodes: nodes))
        let edits: [CacheEdit] = [.rewind(0, length: 50), .rewind(0, length: 3), .rewind(0, length: 3)]
        #expect(try engine.run(EnginePass(edits: edits, nodes: Array(nodes[3...]))) == Array(rows[3...]))
    }

    @Test("settings that cannot be had are refused in words")
    func settings() throws {
        let wrong: [(LlamaSettings, String)] = [
            (LlamaSettings(threads: 0, contextPerJob: 10), "threads"),
            (LlamaSettings(threads: 1, contextPerJob: 0), "context"),
            (LlamaSettings(threads: 1, contextPerJob: 10, sequences: 256), "sequences"),
            (LlamaSettings(threads: 1, contextPerJob: 10, sequences: 200, branches: 55), "branches"),
            (LlamaSettings(threads: 1, contextPerJob: 10, branches: -1), "branches"),
            (LlamaSettings(threads: 1, contextPerJob: 10, movedCellsMax: -1), "move"),
            (LlamaSettings(threads: 1, contextPerJob: 10, nodesMax: 0), "nodes"),
            (LlamaSettings(threads: 1, contextPerJob: 10, sequences: 5, nodesMax: 6), "7 sequences"),
            (LlamaSettings(threads: 1, contextPerJob: 10, sequences: 3, branches: 2, nodesMax: 6), "2 of branches"),
            (LlamaSettings(threads: 1, contextPerJob: 10, sequences: 7, nodesMax: 6, exact: false), "7 sequences"),
            (LlamaSettings(threads: 2, cpus: [0], contextPerJob: 10), "pinned"),
            (LlamaSettings(threads: 2, cpus: [0, 0], contextPerJob: 10), "twice"),
            (LlamaSettings(threads: 1, cpus: [511], contextPerJob: 10), "core 511"),
        ]
        for (settings, word) in wrong {
            #expect(settings.complaint?.contains(word) == true)
            #expect(throws: EngineError.self) { _ = try engine(settings) }
        }
    }

    @Test("a pass may be as small as the number of sequences, not smaller", arguments: [false, true])
    func smallestPass(exact: Bool) throws {
        let nodesMax = exact ? 7 : 5
        var engine = try engine(
            LlamaSettings(threads: 1, contextPerJob: 10, sequences: 3, branches: 2, nodesMax: nodesMax, exact: exact))
        let nodes = ForestNode.chain([3, 1, 4, 1, 5], from: 0, sequence: 2)
        #expect(try engine.run(EnginePass(nodes: nodes)).count == 5)
    }

    @Test("calibration measures the sizes it can and leaves the cache empty", arguments: [512, 5])
    func calibration(nodesMax: Int) throws {
        var engine = try engine(LlamaSettings(threads: 1, contextPerJob: 100, sequences: 2, nodesMax: nodesMax))
        let costs = try engine.calibrate(budget: .milliseconds(200))
        let sizes = costs.map(\.nodes)
        #expect(Set(sizes).isSuperset(of: [1, 2, 4, 8].filter { $0 <= nodesMax }))
        #expect(sizes == sizes.sorted() && sizes.allSatisfy { $0 <= nodesMax })
        #expect(costs.allSatisfy { $0.microseconds > 0 })
        #expect(code(&engine, EnginePass(nodes: ForestNode.chain([1], from: 0, sequence: 0))) == nil)
    }

    @Test("an empty budget still measures the four sizes that a planner needs")
    func calibrationWithoutBudget() throws {
        var engine = try engine(LlamaSettings(threads: 1, contextPerJob: 100))
        #expect(try engine.calibrate(budget: .zero).map(\.nodes) == [1, 2, 4, 8])
    }
}

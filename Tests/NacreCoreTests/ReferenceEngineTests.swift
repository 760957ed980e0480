import NacreCore
import NacreEngine
import Testing

@Suite("The reference engine")
struct ReferenceEngineTests {
    private let model = TabularModel.hashed(vocabulary: 16, seed: 1)

    private func engine(cells: Int = 8, canRewind: Bool = true) -> ReferenceEngine {
        ReferenceEngine(model: model, contextCells: cells, sequences: 2, nodesMax: 6, canRewind: canRewind)
    }

    private func nodes(_ tokens: [TokenID], from start: Int = 0, sequence: SequenceID = 0, scored: Bool = false)
        -> [ForestNode]
    {
        tokens.enumerated().map { offset, token in
            ForestNode(
                token: token, position: Position(rawValue: start + offset), sequence: sequence,
                score: scored
                    ? ScoreRequest(key: 1, index: start + offset, policy: SamplingPolicy(temperature: 1)) : nil)
        }
    }

    /// Runs a pass that must be refused and returns why.
    private func refusal(_ engine: inout ReferenceEngine, _ pass: EnginePass) -> EngineError.Code? {
        do throws(EngineError) {
            _ = try engine.run(pass)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("One batch of two sequences gives the choices of decoding each token by token")
    func batchInvariance() throws {
        var whole = engine(cells: 64)
        var single = engine(cells: 64)
        let batch = nodes([1, 2, 3], scored: true) + nodes([4, 5], sequence: 1, scored: true)
        let mixed = [batch[0], batch[3], batch[1], batch[4], batch[2]]
        let choices = try whole.run(EnginePass(nodes: mixed))
        let alone = try mixed.map { try single.run(EnginePass(nodes: [$0]))[0] }
        #expect(choices == alone && choices.count == 5)
        #expect(whole.cached(0) == [1, 2, 3] && whole.cached(1) == [4, 5])
    }

    @Test("Only nodes that ask for a score get a choice, in node order")
    func scores() throws {
        var engine = engine()
        var pass = EnginePass(nodes: nodes([1, 2, 3]))
        #expect(try engine.run(pass).isEmpty)
        pass = EnginePass(nodes: nodes([4], from: 3) + nodes([5], from: 4, scored: true))
        #expect(try engine.run(pass).count == 1)
    }

    @Test("A rewind is idempotent, drops only what lies behind it, and goes before the nodes")
    func rewind() throws {
        var engine = engine()
        _ = try engine.run(EnginePass(nodes: nodes([1, 2, 3])))
        _ = try engine.run(
            EnginePass(edits: [.rewind(0, length: 1), .rewind(0, length: 1), .rewind(0, length: 5)], nodes: []))
        #expect(engine.cached(0) == [1])
        _ = try engine.run(EnginePass(edits: [.rewind(0, length: 0)], nodes: nodes([7, 8])))
        #expect(engine.cached(0) == [7, 8])
        _ = try engine.run(EnginePass(edits: [.release(0)], nodes: nodes([9])))
        #expect(engine.cached(0) == [9])
    }

    @Test("A full cache evaluates nothing, keeps the edits, and takes nodes again after a release")
    func cacheFull() throws {
        var engine = engine()
        _ = try engine.run(EnginePass(nodes: nodes([1, 2, 3, 4, 5])))
        let pass = EnginePass(edits: [.rewind(0, length: 4)], nodes: nodes([6, 7, 8, 9, 10], sequence: 1))
        #expect(refusal(&engine, pass) == .cacheFull)
        #expect(engine.cached(0) == [1, 2, 3, 4] && engine.cached(1).isEmpty)
        _ = try engine.run(EnginePass(edits: [.release(0)], nodes: pass.nodes))
        #expect(engine.cached(1).count == 5)
    }

    @Test("A pass that breaks a rule is refused whole")
    func invalidPasses() throws {
        var engine = engine()
        _ = try engine.run(EnginePass(nodes: nodes([1, 2])))
        let hot = ScoreRequest(key: 1, index: 0, policy: SamplingPolicy(temperature: -1))
        let early = ScoreRequest(key: 1, index: -1, policy: .greedy)
        let passes = [
            EnginePass(nodes: nodes([1], from: 1)),
            EnginePass(nodes: nodes([1], from: 3)),
            EnginePass(edits: [.rewind(0, length: 1)], nodes: nodes([1], from: 2)),
            EnginePass(nodes: nodes([1], from: 2) + nodes([1], from: 2)),
            EnginePass(nodes: nodes([16], from: 2)),
            EnginePass(nodes: nodes([1], sequence: 2)),
            EnginePass(nodes: nodes([1], sequence: -1)),
            EnginePass(nodes: nodes([1, 2, 3, 4, 5, 6, 7], from: 2)),
            EnginePass(edits: [.release(2)]),
            EnginePass(edits: [.rewind(3, length: 0)]),
            EnginePass(edits: [.rewind(0, length: -1)]),
            EnginePass(nodes: [ForestNode(token: 1, position: 2, sequence: 0, score: hot)]),
            EnginePass(nodes: [ForestNode(token: 1, position: 2, sequence: 0, score: early)]),
        ]
        for pass in passes {
            #expect(refusal(&engine, pass) == .invalidPass, "\(pass)")
            #expect(engine.cached(0) == [1, 2])
        }
    }

    @Test("A model that cannot rewind still forgets everything")
    func recurrent() throws {
        var engine = engine(canRewind: false)
        _ = try engine.run(EnginePass(nodes: nodes([1, 2])))
        #expect(refusal(&engine, EnginePass(edits: [.rewind(0, length: 1)])) == .invalidPass)
        _ = try engine.run(EnginePass(edits: [.rewind(0, length: 2), .rewind(0, length: 0)]))
        #expect(engine.cached(0).isEmpty)
    }

    @Test("The hashed language depends on its last tokens and seed alone, and ends with a modest probability")
    func hashedLanguage() throws {
        func row(_ model: TabularModel, _ context: [TokenID]) -> [Float] {
            var row: [Float] = []
            model.logits(after: context[...], into: &row)
            return row
        }
        #expect(row(model, [1, 2, 3, 4]) == row(model, [9, 2, 3, 4]))
        #expect(row(model, [1, 2, 3, 4]) != row(model, [1, 2, 4, 4]))
        #expect(row(model, [1]) != row(.hashed(vocabulary: 16, seed: 2), [1]))
        var lengths: [Int] = []
        for key in 0..<200 {
            var context: [TokenID] = [1]
            repeat {
                context.append(
                    choose(
                        row(model, context), SamplingPolicy(temperature: 1), key: StreamKey(rawValue: UInt64(key)),
                        index: context.count
                    ).token)
            } while context.last != model.endOfGeneration && context.count < 1000
            lengths.append(context.count)
        }
        let mean = Double(lengths.reduce(0, +)) / Double(lengths.count)
        #expect(mean > 20 && mean < 200, "mean length \(mean)")
    }

    @Test("A drafter gives the target's row in the share of contexts asked for", arguments: [0, 0.3, 0.8, 1])
    func agreement(share: Double) {
        let drafter = model.drafter(agreement: share, seed: 5)
        var own: [Float] = []
        var other: [Float] = []
        var equal = 0
        for context in 0..<2000 {
            let tokens = [TokenID(rawValue: UInt32(context % 16)), TokenID(rawValue: UInt32(context / 16))]
            model.logits(after: tokens[...], into: &own)
            drafter.logits(after: tokens[...], into: &other)
            if own == other { equal += 1 }
        }
        #expect(abs(Double(equal) / 2000 - share) < 0.04)
    }
}

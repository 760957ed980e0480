import NacreCore
import NacreEngine
import NacreLlama
import Testing

/// The promise under all others: what a row is does not depend on what else was in the batch or in the cache. With
/// several threads: `SeveralThreadsTests`.
@Suite(.serialized) struct ExactnessTests {
    static let target = try? LlamaModel(path: Fixture.target)
    static let draft = try? LlamaModel(path: Fixture.draft)

    @Test("a row has the same bits alone and in a batch")
    func batchInvariance() throws { try batchInvariance(threads: 1) }

    func batchInvariance(threads: Int) throws {
        for model in [try #require(Self.draft), try #require(Self.target)] {
            var random = TestRandom(seed: UInt64(threads))
            var audited = try AuditedEngine(model, LlamaSettings(threads: threads, contextPerJob: 160, nodesMax: 160))
            // One prompt in pieces of any size, none scored or all.
            for size in [1, 2, 3, 5, 7, 8, 16, 17, 31, 40] {
                let tokens = (0..<size).map { _ in random.token(model) }
                let length = audited.length(0)
                try audited.run(
                    ForestNode.chain(tokens, from: length, sequence: 0, policy: size == 5 ? nil : .init(temperature: 1))
                )
            }
            #expect(try audited.differences(model) == 0)
        }
    }

    @Test("speculation in one sequence, with every kind of rejection, gives the rows of a plain decode")
    func oneSequence() throws {
        let model = try #require(Self.target)
        let drafter = try #require(Self.draft)
        var target = try AuditedEngine(model, LlamaSettings(threads: 1, contextPerJob: 400))
        var draft = try AuditedEngine(drafter, LlamaSettings(threads: 1, contextPerJob: 400))
        var random = TestRandom(seed: 5)
        var text = try LlamaTokenizer(model).tokenize(
            Array("def add(a, b):\n".utf8), addSpecial: true, parseSpecial: false)
        let prompt = text.count
        while text.count < prompt + 60 {
            // The drafter goes on from what it has that is still right, one token per pass.
            var chain: [TokenID] = []
            let gamma = Int.random(in: 1...6, using: &random)
            var next = zip(draft.texts[0], text).prefix { $0 == $1 }.count
            next = min(next, text.count - 1)
            try draft.run(edits: [.rewind(0, length: Position(rawValue: next))])
            var choice = try draft.run(ForestNode.chain(text[next...], from: next, sequence: 0)).last
            while chain.count < gamma, let token = choice?.token {
                chain.append(token)
                choice = try draft.run(
                    ForestNode.chain([token], from: draft.length(0), sequence: 0)
                ).last
            }
            // The target evaluates the last committed token and the chain.
            let start = min(target.length(0), text.count - 1)
            let choices = try target.run(
                edits: [.rewind(0, length: Position(rawValue: start))],
                ForestNode.chain(text[start...] + chain, from: start, sequence: 0)
            ).suffix(chain.count + 1)
            let accepted = zip(choices, chain).prefix { $0.token == $1 }.count
            text += chain.prefix(accepted) + [Array(choices)[accepted].token]
        }
        #expect(try target.differences(model) == 0)
        #expect(try draft.differences(drafter) == 0)
    }

    /// Without a cell that may move, gaps are filled: then `deadCellsMin` 0 forces a rebuild whenever half of the cells
    /// are dead; with 100,000 the slack is all the room for dead ones, so that rebuilds come from need.
    @Test(
        "many sequences that grow, are rewound, released and reborn do not change each other's rows",
        arguments: [(0, 48), (256, 48), (100_000, 32)])
    func manySequences(deadCellsMin: Int, context: Int) throws {
        try manySequences(threads: 1, deadCellsMin: deadCellsMin, context: context)
    }

    func manySequences(threads: Int, deadCellsMin: Int, context: Int) throws {
        let movedCellsMax = deadCellsMin == 256 ? 64 : 0
        let model = try #require(Self.target)
        var audited = try AuditedEngine(
            model,
            LlamaSettings(
                threads: threads, contextPerJob: context, sequences: 4, nodesMax: 128, deadCellsMin: deadCellsMin,
                movedCellsMax: movedCellsMax))
        try churn(&audited, passes: 80, seed: UInt64(deadCellsMin + threads))
        #expect(movedCellsMax == 0 ? audited.engine.rebuilds > 0 : audited.engine.compactions > 0)
        let different = try audited.differences(model)
        #expect(different == 0, "\(different) of \(audited.rows.count) rows, \(audited.engine.rebuilds) rebuilds")
    }

    @Test("an engine that is not exact fails the same audit: the audit can see a difference")
    func auditHasTeeth() throws {
        let model = try #require(Self.target)
        var audited = try AuditedEngine(
            model, LlamaSettings(threads: 1, contextPerJob: 48, sequences: 4, nodesMax: 128, exact: false))
        try churn(&audited, passes: 80, seed: 1)
        let different = try audited.differences(model)
        #expect(different > 0, "of \(audited.rows.count) rows")
    }

    /// Random life of the engine's sequences: chains are added, rewound and released, in passes of several
    /// sequences in any order, whole or interleaved.
    private func churn(_ audited: inout AuditedEngine, passes: Int, seed: UInt64) throws {
        var random = TestRandom(seed: seed)
        let shape = audited.engine.shape
        let context = shape.contextCells / shape.sequences
        for _ in 0..<passes {
            var edits: [CacheEdit] = []
            var chains: [[ForestNode]] = []
            for id in 0..<shape.sequences where Bool.random(using: &random) {
                let sequence = SequenceID(rawValue: Int32(id))
                var length = audited.length(sequence)
                let dice = Int.random(in: 0..<10, using: &random)
                if dice < 5 && length > 0 {
                    length -= Int.random(in: 0...min(6, length), using: &random)
                    edits.append(.rewind(sequence, length: Position(rawValue: length)))
                } else if dice == 9 || length + 20 > context {
                    length = 0
                    edits.append(.release(sequence))
                }
                let size = Int.random(in: 0...(length == 0 ? 20 : 6), using: &random)
                let tokens = (0..<size).map { _ in random.token(audited.engine.model) }
                chains.append(
                    ForestNode.chain(
                        tokens, from: length, sequence: sequence, key: StreamKey(rawValue: UInt64(id)),
                        policy: Int.random(in: 0..<4, using: &random) == 0 ? nil : .init(temperature: 0.8, topK: 40)))
            }
            chains.shuffle(using: &random)
            try audited.run(
                edits: edits, Bool.random(using: &random) ? Array(chains.joined()) : interleave(chains))
        }
    }

    /// Takes the first node of each list, then the second of each, and so on.
    private func interleave(_ lists: [[ForestNode]]) -> [ForestNode] {
        (0..<(lists.map(\.count).max() ?? 0)).flatMap { index in
            lists.compactMap { index < $0.count ? $0[index] : nil }
        }
    }
}

extension TestRandom {
    /// Any token of the model's vocabulary.
    mutating func token(_ model: LlamaModel) -> TokenID {
        TokenID(rawValue: UInt32.random(in: 0..<UInt32(model.vocabularySize), using: &self))
    }
}

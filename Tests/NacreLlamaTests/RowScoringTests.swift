import NacreCore
import NacreEngine
import NacreLlama
import Testing

/// Rows of a pass are scored on the engine's threads.
@Suite("Scoring of rows") struct RowScoringTests {
    private static let policies = [
        SamplingPolicy.greedy, SamplingPolicy(temperature: 1), SamplingPolicy(temperature: 0.7, topK: 40, topP: 0.9),
        SamplingPolicy(temperature: 1, topP: 0.9), SamplingPolicy(temperature: 1.5, minP: 0.1),
    ]
    private static let kinds: [ScoreRequest.Kind] = [
        .choice, .candidates(5), .weights(entriesMax: 64), .law, .likelihood(of: [3, 900]),
    ]

    /// A chain in which every row has a request of its own, and some have none.
    private static func nodes(_ count: Int) -> [ForestNode] {
        (0..<count).map { index in
            let request = ScoreRequest(
                key: StreamKey(rawValue: UInt64(index)), index: index, policy: policies[index % policies.count],
                kind: kinds[index % kinds.count])
            return ForestNode(
                token: TokenID(rawValue: UInt32(index * 7)), position: Position(rawValue: index), sequence: 0,
                score: index % 6 == 5 ? nil : request)
        }
    }

    @Test("scores have the same bits on one thread and on several, pass after pass")
    func threads() throws {
        let model = try LlamaModel(path: Fixture.draft)
        let nodes = Self.nodes(41)
        func scores(threads: Int) throws -> [[Score]] {
            var engine = try LlamaEngine(
                model: model, settings: LlamaSettings(threads: threads, contextPerJob: 64, nodesMax: 64))
            return try (0..<3).map { round in
                try engine.run(EnginePass(edits: [.release(0)], nodes: Array(nodes.prefix(41 - 13 * round))))
            }
        }
        let alone = try scores(threads: 1)
        #expect(alone[0].count == nodes.count { $0.score != nil })
        for threads in [2, 3, 5] { #expect(try scores(threads: threads) == alone, "\(threads) threads") }
    }
}

import NacreCore
import NacreEngine
import NacreLlama
import Testing

/// Engines that divide threads, cores and sequences among themselves, over one copy of the weights.
@Suite(.serialized) struct DividedEngineTests {
    @Test("threads, sequences and cores are divided as evenly as they can be, and none is given twice")
    func division() {
        let whole = LlamaSettings(threads: 5, cpus: [1, 3, 5, 7, 9, 11], contextPerJob: 100, sequences: 7, branches: 4)
        #expect(whole.divided(into: 1) == [whole])
        let parts = whole.divided(into: 3)
        #expect(parts.map(\.threads) == [2, 2, 1])
        #expect(parts.map(\.sequences) == [3, 2, 2])
        #expect(parts.map(\.cpus) == [[1, 3], [5, 7], [9]])
        #expect(parts.allSatisfy { $0.contextPerJob == 100 && $0.branches == 4 && $0.exact })
        #expect(
            LlamaSettings(threads: 2, contextPerJob: 8, sequences: 2).divided(into: 2).allSatisfy { $0.cpus == nil })
    }

    @Test("more engines than threads or sequences are refused")
    func refused() async throws {
        let settings = LlamaSettings(threads: 2, contextPerJob: 64, sequences: 3)
        #expect(settings.complaint(aboutShards: 2) == nil)
        #expect(settings.complaint(aboutShards: 3)?.contains("3 shards need as many threads") == true)
        let narrow = LlamaSettings(threads: 4, contextPerJob: 64, sequences: 3)
        #expect(narrow.complaint(aboutShards: 4)?.contains("4 shards need as many slots") == true)
        let model = try LlamaModel(path: Fixture.draft)
        await #expect(throws: EngineError.self) {
            try await LoadedModel.start(model, settings: settings, shards: 3, name: "test")
        }
    }

    @Test("engines that compute at the same time give the rows of one alone")
    func rows() async throws {
        let model = try await LlamaModel.load(path: Fixture.draft, exact: true)
        let settings = LlamaSettings(threads: 2, contextPerJob: 64, sequences: 3, nodesMax: 64)
        let loaded = try await LoadedModel.start(model, settings: settings, shards: 2, name: "test")
        let alone = try await LoadedModel.start(
            model, settings: LlamaSettings(threads: 1, contextPerJob: 64), name: "test")
        #expect(loaded.hosts.map(\.shape.jobs) == [2, 1])
        let tokens = (10..<30).map { TokenID(rawValue: $0) }
        let pass = EnginePass(nodes: ForestNode.chain(tokens, from: 0, sequence: 0))
        let expected = try await alone.host.run(pass).scores
        let together = try await ShardCalibration.all(loaded.hosts) { (engine) throws(EngineError) in
            try (0..<5).map { (_) throws(EngineError) in
                try engine.run(EnginePass(edits: [.release(0)], nodes: pass.nodes))
            }
        }
        #expect(together.count == 2)
        for scores in together.joined() { #expect(scores == expected) }
        await loaded.shutdown()
        await alone.shutdown()
        await #expect(throws: EngineError.self) { try await loaded.hosts[1].run(pass) }
    }

    @Test("every way to divide them is measured")
    func measured() async throws {
        let model = try await LlamaModel.load(path: Fixture.draft, exact: true)
        let settings = LlamaSettings(threads: 2, contextPerJob: 4_096, sequences: 8, branches: 64)
        let divisions = try await LoadedModel.measure(model, settings: settings, candidates: [1, 2])
        #expect(divisions.map(\.shards) == [1, 2])
        #expect(divisions.allSatisfy { $0.costs.map(\.nodes) == ShardCalibration.sizes })
        #expect(divisions.flatMap(\.costs).allSatisfy { $0.microseconds > 0 && $0.microseconds.isFinite })
    }

    @Test("a model that cannot be read is an error of loading, on whatever thread")
    func unreadable() async {
        await #expect(throws: EngineError.self) { try await LlamaModel.load(path: "/nowhere.gguf", exact: true) }
    }
}

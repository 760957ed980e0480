import Glibc
import NacreCore
import NacreEngine
import NacreLlama
import Synchronization
import Testing

/// Engines on threads of their own.
struct EngineHostTests {
    private static let settings = LlamaSettings(threads: 1, contextPerJob: 600)

    private static func prefill(_ count: Int) -> EnginePass {
        EnginePass(
            edits: [.release(0)],
            nodes: ForestNode.chain((0..<count).map { TokenID(rawValue: UInt32($0)) }, from: 0, sequence: 0))
    }

    @Test("a model is loaded, measured, run and shut down on one thread that is not the pool's")
    func lifeCycle() async throws {
        let loaded = try await LoadedModel.start(path: Fixture.draft, settings: Self.settings, name: "engine-test")
        let threads = try await [
            loaded.host.withEngine { _ in UInt(pthread_self()) },
            loaded.host.withEngine { _ in UInt(pthread_self()) },
        ]
        #expect(threads[0] == threads[1])
        #expect(loaded.host.shape.vocabularySize == loaded.tokenizer.vocabularySize)
        #expect(try await loaded.host.calibrate(budget: .milliseconds(50)).count >= 4)
        let result = try await loaded.host.run(Self.prefill(8))
        #expect(result.scores.count == 8 && result.endedNanoseconds > result.startedNanoseconds)
        await loaded.host.shutdown()
        await #expect(throws: EngineError.self) { try await loaded.host.run(Self.prefill(8)) }
        // Twice is harmless.
        await loaded.host.shutdown()
    }

    @Test("passes handed over without a task run in turn with the others, on the engine's thread")
    func submitted() async throws {
        let loaded = try await LoadedModel.start(path: Fixture.draft, settings: Self.settings, name: "engine-test")
        let expected = try await loaded.host.run(Self.prefill(32)).scores
        let thread = try await loaded.host.withEngine { _ in UInt(pthread_self()) }
        let order = Order()
        let results = try await withThrowingTaskGroup(of: [Score].self) { group in
            for number in 0..<8 {
                group.addTask {
                    try await withCheckedThrowingContinuation { (waiting: CheckedContinuation<[Score], any Error>) in
                        loaded.host.submit(Self.prefill(32)) { result in
                            #expect(UInt(pthread_self()) == thread)
                            order.numbers.withLock { $0.append(number) }
                            waiting.resume(with: result.map(\.scores).mapError { $0 as any Error })
                        }
                    }
                }
                group.addTask { try await loaded.host.run(Self.prefill(32)).scores }
            }
            return try await group.reduce(into: [[Score]]()) { $0.append($1) }
        }
        #expect(results == Array(repeating: expected, count: 16))
        #expect(order.numbers.withLock { $0.sorted() } == Array(0..<8))
        await loaded.host.shutdown()
        let late = await withCheckedContinuation { waiting in
            loaded.host.submit(Self.prefill(8)) { waiting.resume(returning: $0) }
        }
        #expect(throws: EngineError.self) { try late.get() }
    }

    @Test("a model that cannot be loaded is an error at the start, with the thread gone")
    func failedStart() async throws {
        await #expect(throws: EngineError.self) {
            _ = try await LoadedModel.start(path: "/nowhere.gguf", settings: Self.settings, name: "engine-test")
        }
        await #expect(throws: EngineError.self) {
            let wrong = LlamaSettings(threads: 0, contextPerJob: 10)
            _ = try await LoadedModel.start(path: Fixture.draft, settings: wrong, name: "engine-test")
        }
    }

    @Test("while more engines compute than there are cores, the shared pool goes on working")
    func sharedPool() async throws {
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        var hosts: [EngineHost<LlamaEngine>] = []
        for index in 0...cores {
            hosts.append(
                try await LoadedModel.start(path: Fixture.draft, settings: Self.settings, name: "engine-\(index)").host)
        }
        let engines = hosts
        let running = Running(engines.count)
        // Were the passes on the pool, they would take all its threads, and a turn would come back only when one of
        // them ends.
        let turns = try await withThrowingTaskGroup(of: Void.self) { group in
            for engine in engines {
                group.addTask {
                    for _ in 0..<4 { _ = try await engine.run(Self.prefill(512)) }
                    running.count.subtract(1, ordering: .relaxed)
                }
            }
            var turns = 0
            while running.count.load(ordering: .relaxed) > 0 {
                await Task.yield()
                turns += 1
            }
            try await group.waitForAll()
            return turns
        }
        #expect(turns > 100)
        for engine in engines { await engine.shutdown() }
    }

    @Test("passes of many callers run one at a time, each with its own result")
    func serial() async throws {
        let loaded = try await LoadedModel.start(path: Fixture.draft, settings: Self.settings, name: "engine-test")
        let expected = try await loaded.host.run(Self.prefill(32)).scores
        try await withThrowingTaskGroup(of: [Score].self) { group in
            for _ in 0..<20 { group.addTask { try await loaded.host.run(Self.prefill(32)).scores } }
            for try await choices in group { #expect(choices == expected) }
        }
        await loaded.host.shutdown()
    }
}

/// Passes in the order of their ends.
private final class Order: Sendable {
    let numbers = Mutex<[Int]>([])
}

/// How many tasks are at work.
private final class Running: Sendable {
    let count: Atomic<Int>
    init(_ count: Int) { self.count = Atomic(count) }
}

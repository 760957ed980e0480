import Foundation
import Logging
import NIOCore
import NIOPosix
import NacreCoordinator
import NacreCore
import NacreProtocol
import Testing

/// What `auto` finds reaches the file without holding up the event loop, also if that fails at first.
@Suite struct TuningKeeperTests {
    private struct Log: LogHandler {
        let warnings: Warnings
        var logLevel = Logger.Level.warning
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { warnings.add("\(event.message)") }
    }

    private static func tuning(_ draft: String, _ policy: PolicySpecification.Name = .ema) -> KeptTuning {
        KeptTuning(
            key: KeptTuning.Key(target: "t", draft: draft, method: "stream", places: []),
            incumbent: PolicySpecification(policy), arms: [:])
    }

    private static func kept(_ tunings: KeptTuning...) -> [KeptTuning.Key: KeptTuning] {
        Dictionary(uniqueKeysWithValues: tunings.map { ($0.key, $0) })
    }

    private func with(
        _ pool: NIOThreadPool = .singleton, _ body: (TuningKeeper, TuningStore, Warnings) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "nacre-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let warnings = Warnings()
        let store = TuningStore(path: folder.appending(path: "policies.json").path, warn: warnings.add)
        let log = Logger(label: "test") { _ in Log(warnings: warnings) }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        try await body(TuningKeeper(on: loop, pool: pool, store: store, log: log), store, warnings)
    }

    @Test("what was found is kept, the latest of each pair")
    func kept() async throws {
        try await with { keeper, store, warnings in
            try await keeper.keep().get()
            #expect(!FileManager.default.fileExists(atPath: store.path), "nothing was found")
            await keeper.add(Self.tuning("a"))
            await keeper.add(Self.tuning("a", .svip))
            try await keeper.keep().get()
            #expect(store.read() == Self.kept(Self.tuning("a", .svip)))
            // What is kept is not written again.
            try FileManager.default.removeItem(atPath: store.path)
            await keeper.finish()
            #expect(store.read().isEmpty && warnings.all.isEmpty)
            // No more wait than are kept, of those the latest.
            for number in 0..<300 { await keeper.add(Self.tuning("d\(number)")) }
            await keeper.add(Self.tuning("d0", .svip))
            await keeper.finish()
            let all = store.read()
            #expect(all.count == 256 && all[Self.tuning("d0").key]?.incumbent.name == .svip)
            #expect(all[Self.tuning("d44").key] == nil && all[Self.tuning("d45").key] != nil)
        }
    }

    @Test("what could not be written is tried again with what came since; one warning, until that works")
    func retried() async throws {
        try await with { keeper, store, warnings in
            let folder = URL(filePath: store.path).deletingLastPathComponent()
            try Data("a file in the folder's place".utf8).write(to: folder)
            await keeper.add(Self.tuning("a"))
            try await keeper.keep().get()
            try await keeper.keep().get()
            await keeper.add(Self.tuning("b"))
            await keeper.finish()
            #expect(warnings.all == ["cannot keep what was found of policies, will try again"])
            try FileManager.default.removeItem(at: folder)
            try await keeper.keep().get()
            #expect(store.read() == Self.kept(Self.tuning("a"), Self.tuning("b")))
            try FileManager.default.removeItem(at: folder)
            try Data("again".utf8).write(to: folder)
            await keeper.add(Self.tuning("c"))
            try await keeper.keep().get()
            #expect(warnings.all.count == 2)
        }
    }

    @Test("a file that cannot be read or replaced is one warning, however often that is tried")
    func unusable() async throws {
        try await with { keeper, store, warnings in
            try FileManager.default.createDirectory(atPath: "\(store.path)/x", withIntermediateDirectories: true)
            await keeper.add(Self.tuning("a"))
            for _ in 0..<3 { try await keeper.keep().get() }
            #expect(warnings.all == ["cannot keep what was found of policies, will try again"])
        }
    }

    @Test("threads that are gone are a failure like any, and nobody waits for them")
    func gone() async throws {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        try await pool.shutdownGracefully()
        try await with(pool) { keeper, store, warnings in
            await keeper.add(Self.tuning("a"))
            try await keeper.keep().get()
            try await keeper.keep().get()
            await keeper.finish()
            #expect(warnings.all.count == 1 && store.read().isEmpty)
        }
    }

    @Test("a disk that is slow holds up nobody; what comes meanwhile is kept in its turn")
    func slow() async throws {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        try await with(pool) { keeper, store, warnings in
            // The one thread that may write is held for as long as the test likes.
            let disk = DispatchSemaphore(value: 0)
            pool.submit { _ in disk.wait() }
            await keeper.add(Self.tuning("a"))
            await keeper.add(Self.tuning("b"))
            let first = await keeper.keep()
            await keeper.add(Self.tuning("b", .svip))
            #expect(store.read().isEmpty, "the event loop has written it")
            // Two writes at once might each read what the other has not written yet.
            let second = await keeper.keep()
            disk.signal()
            try await first.get()
            try await second.get()
            #expect(store.read() == Self.kept(Self.tuning("a"), Self.tuning("b")))
            await keeper.finish()
            #expect(store.read() == Self.kept(Self.tuning("a"), Self.tuning("b", .svip)) && warnings.all.isEmpty)
        }
        try await pool.shutdownGracefully()
    }

    @Test("the end of the process waits for the write under way and for what came since")
    func finished() async throws {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        try await with(pool) { keeper, store, _ in
            let disk = DispatchSemaphore(value: 0)
            pool.submit { _ in disk.wait() }
            await keeper.add(Self.tuning("a"))
            let first = await keeper.keep()
            await keeper.add(Self.tuning("b"))
            async let end: Void = keeper.finish()
            disk.signal()
            await end
            try await first.get()
            #expect(store.read() == Self.kept(Self.tuning("a"), Self.tuning("b")))
        }
        try await pool.shutdownGracefully()
    }
}

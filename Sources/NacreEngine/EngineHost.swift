import Glibc
package import NacreCore

/// What a pass gave, and what it cost.
package struct PassResult: Sendable, Hashable {
    /// One score per node that asked for one, in node order.
    package var scores: [Score]
    /// When the engine began and ended, edits included, on the host's monotonic clock; waiting for the engine's
    /// thread is not in it.
    package var startedNanoseconds: UInt64
    package var endedNanoseconds: UInt64

    package init(scores: [Score], startedNanoseconds: UInt64, endedNanoseconds: UInt64) {
        self.scores = scores
        self.startedNanoseconds = startedNanoseconds
        self.endedNanoseconds = endedNanoseconds
    }
}

/// An engine on a thread of its own.
///
/// The engine is made, used and freed on that thread, so its owner may tie state to it (libllama's thread pool pins
/// the thread that makes it). Passes run one at a time, in the order of the calls.
///
///     let host = try await EngineHost.start(name: "target") { try LlamaEngine(model: model, settings: settings) }
///     let result = try await host.run(pass)
///     await host.shutdown()
package actor EngineHost<E: Engine & SendableMetatype & ~Copyable> {
    /// What the engine can do; fixed, so it needs no `await`.
    package nonisolated let shape: EngineShape
    private let executor: ThreadExecutor
    private var engine: E?

    /// The engine's own thread.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Makes the engine on a new thread called `name` and hosts it there.
    ///
    /// - Throws: what `make` throws; the thread has then ended.
    package static func start(
        name: String, make: @escaping @Sendable () throws(EngineError) -> sending E
    ) async throws(EngineError) -> EngineHost {
        let executor = ThreadExecutor(name: name)
        do {
            return try await EngineMaker(executor).make(make)
        } catch {
            executor.stop()
            throw error
        }
    }

    fileprivate init(_ executor: ThreadExecutor, _ engine: consuming sending E) {
        self.executor = executor
        shape = engine.shape
        self.engine = consume engine
    }

    /// Runs one pass.
    ///
    /// - Throws: what `Engine.run` throws, and `.failed` after `shutdown`.
    package func run(_ pass: EnginePass) throws(EngineError) -> PassResult {
        let started = EngineHost.monotonicNanoseconds()
        let scores = try withEngine { (engine) throws(EngineError) in try engine.run(pass) }
        return PassResult(
            scores: scores, startedNanoseconds: started, endedNanoseconds: EngineHost.monotonicNanoseconds())
    }

    /// Runs one pass and tells `done` on the engine's thread: as `run`, without a task.
    package nonisolated func submit(
        _ pass: EnginePass, done: @escaping @Sendable (Result<PassResult, EngineError>) -> Void
    ) {
        executor.call {
            done(self.assumeIsolated { host in Result { () throws(EngineError) in try host.run(pass) } })
        }
    }

    /// Measures the engine; see `Engine.calibrate`.
    package func calibrate(budget: Duration = .seconds(1)) throws(EngineError) -> [PassCost] {
        try withEngine { (engine) throws(EngineError) in try engine.calibrate(budget: budget) }
    }

    /// Does `body` with the engine, on its thread.
    ///
    /// - Throws: what `body` throws, and `.failed` after `shutdown`.
    package func withEngine<Result: Sendable>(
        _ body: @Sendable (inout E) throws(EngineError) -> Result
    ) throws(EngineError) -> Result {
        guard var taken = engine.take() else {
            throw EngineError(.failed, "the engine was shut down")
        }
        do {
            let result = try body(&taken)
            engine = consume taken
            return result
        } catch {
            engine = consume taken
            throw error
        }
    }

    /// Frees the engine, on its thread, and ends the thread. Calls that come later throw `.failed`.
    package func shutdown() {
        engine = nil
        executor.stop()
    }

    deinit { executor.stop() }

    private static func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// Gives `EngineHost.start` a place on the engine's thread before there is a host.
private actor EngineMaker {
    private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ executor: ThreadExecutor) { self.executor = executor }

    func make<E: Engine & SendableMetatype & ~Copyable>(
        _ make: @Sendable () throws(EngineError) -> sending E
    ) throws(EngineError) -> EngineHost<E> {
        EngineHost(executor, try make())
    }
}

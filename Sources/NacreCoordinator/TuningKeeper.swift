package import Logging
package import NIOCore
package import NIOPosix
package import NacreProtocol
import NacreTransport

/// Puts what `auto` finds into a `TuningStore` without holding up the event loop: files are written on a thread for
/// calls that block. What could not be written is tried again with what has come since.
package actor TuningKeeper: EventLoopActor {
    package nonisolated let eventLoop: any EventLoop
    private let pool: NIOThreadPool
    private let store: TuningStore
    private let log: Logger
    /// What is not in the store.
    private var unkept: [KeptTuning.Key: KeptTuning] = [:]
    /// The write under way.
    private var writing: EventLoopFuture<Void>?
    /// The last write failed, and that was said.
    private var isFailing = false

    /// - Parameter pool: threads for calls that block; it runs.
    package init(
        on eventLoop: any EventLoop, pool: NIOThreadPool = .singleton, store: TuningStore, log: Logger
    ) {
        self.eventLoop = eventLoop
        self.pool = pool
        self.store = store
        self.log = log
    }

    /// Takes one in, unless so many wait already that no more would be kept: where nothing can be written for long.
    package func add(_ tuning: KeptTuning) {
        guard unkept.count < TuningStore.pairsMax || unkept[tuning.key] != nil else { return }
        unkept[tuning.key] = tuning
    }

    /// Begins to write what is not in the store, unless a write is under way.
    ///
    /// - Returns: the end of that write, also of one that fails.
    @discardableResult
    package func keep() -> EventLoopFuture<Void> {
        if let writing { return writing }
        guard !unkept.isEmpty else { return eventLoop.makeSucceededVoidFuture() }
        let (store, batch) = (store, unkept)
        let end = pool.runIfActive(eventLoop: eventLoop) { Result { try store.write(batch.values) } }
            .recover { .failure($0) }
            .map { result in self.assumeIsolated { keeper in keeper.ended(batch, result) } }
        writing = end
        return end
    }

    /// Writes all there is. A failure is logged, like any.
    package func finish() async {
        // A write under way may have begun before the latest came.
        for _ in 0..<2 {
            do { try await keep().get() } catch { log.debug("no end of a write", metadata: ["reason": "\(error)"]) }
        }
    }

    private func ended(_ batch: [KeptTuning.Key: KeptTuning], _ result: Result<Void, any Error>) {
        writing = nil
        switch result {
        case .success:
            isFailing = false
            // What came meanwhile is not in the store.
            for (key, tuning) in batch where unkept[key] == tuning { unkept[key] = nil }
        case .failure(let error):
            guard !isFailing else { return }
            isFailing = true
            log.warning(
                "cannot keep what was found of policies, will try again",
                metadata: ["file": "\(store.path)", "reason": "\(error)"])
        }
    }
}

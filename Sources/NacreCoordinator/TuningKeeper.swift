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
    /// What is not in the store, the latest last.
    private var unkept: [KeptTuning] = []
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

    /// Takes one in. Where nothing can be written for long, the latest wait, as many as are kept.
    package func add(_ tuning: KeptTuning) {
        unkept.removeAll { $0.key == tuning.key }
        unkept.append(tuning)
        if unkept.count > TuningStore.pairsMax { unkept.removeFirst() }
    }

    /// Begins to write what is not in the store, unless a write is under way.
    ///
    /// - Returns: the end of that write, also of one that fails.
    @discardableResult
    package func keep() -> EventLoopFuture<Void> {
        if let writing { return writing }
        guard !unkept.isEmpty else { return eventLoop.makeSucceededVoidFuture() }
        let (store, batch, end) = (store, unkept, eventLoop.makePromise(of: Void.self))
        // Before it begins: a pool that does not run ends it at once.
        writing = end.futureResult
        pool.runIfActive(eventLoop: eventLoop) { try store.write(batch) }
            .whenComplete { result in
                self.assumeIsolated { keeper in keeper.ended(batch, result) }
                end.succeed()
            }
        return end.futureResult
    }

    /// Writes all there is. A failure is logged, like any.
    package func finish() async {
        // A write under way may have begun before the latest came.
        for _ in 0..<2 {
            do { try await keep().get() } catch { log.debug("no end of a write", metadata: ["reason": "\(error)"]) }
        }
    }

    private func ended(_ batch: [KeptTuning], _ result: Result<Void, any Error>) {
        writing = nil
        switch result {
        case .success:
            isFailing = false
            // What came meanwhile is not in the store.
            unkept.removeAll(where: batch.contains)
        case .failure(let error):
            guard !isFailing else { return }
            isFailing = true
            log.warning(
                "cannot keep what was found of policies, will try again",
                metadata: ["file": "\(store.path)", "reason": "\(error)"])
        }
    }
}

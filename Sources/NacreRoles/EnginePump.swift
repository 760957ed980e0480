package import Logging
package import NacreCore
package import NacreEngine
package import NacreProtocol

/// Hands a machine's passes to its engine, one at a time. Part of a node, on the node's event loop.
///
/// No task takes part in it: a pass goes from the event loop's thread to the engine's and back, and every further
/// thread to wake would be time in which the engine does nothing.
package struct EnginePump {
    /// Starts a pass; the closure is called when it is over, on any thread.
    package typealias Submit =
        @Sendable (EnginePass, @escaping @Sendable (Result<PassResult, EngineError>) -> Void) -> Void

    private let submit: Submit
    private let log: Logger
    private var isRunning = false
    private var isFinished = false
    private var waiting: CheckedContinuation<Void, Never>?

    package init(log: Logger, submit: @escaping Submit) {
        self.log = log
        self.submit = submit
    }

    /// Starts a pass. `done` is called on the engine's thread with what came of it: an engine's failure is an outcome
    /// like others, for the machine to decide about. After `finish` nothing is started.
    ///
    /// - Parameter lost: called in place of `done`, with the reason, when there is no engine any more.
    package mutating func start(
        _ pass: EnginePass, lost: (@Sendable (String) -> Void)? = nil, done: @escaping @Sendable (PassOutcome) -> Void
    ) {
        guard !isFinished else { return }
        isRunning = true
        submit(pass) { [log] result in
            if case .failure(let error) = result, error.code == .lost, let lost {
                lost("\(error)")
            } else {
                done(EnginePump.outcome(of: result, log: log))
            }
        }
    }

    /// To be called when `done` or `lost` has arrived, before the machine hears of it.
    package mutating func passEnded() {
        isRunning = false
        release()
    }

    /// Starts no more passes.
    package mutating func finish() {
        isFinished = true
        release()
    }

    /// Resumes `continuation` once `finish` was called and no pass is in flight.
    package mutating func wait(_ continuation: CheckedContinuation<Void, Never>) {
        waiting = continuation
        release()
    }

    private mutating func release() {
        guard isFinished, !isRunning else { return }
        waiting.take()?.resume()
    }

    private static func outcome(of result: Result<PassResult, EngineError>, log: Logger) -> PassOutcome {
        switch result {
        case .success(let result):
            return .done(
                result.scores, started: Instant(rawValue: Int(result.startedNanoseconds / 1_000)),
                ended: Instant(rawValue: Int(result.endedNanoseconds / 1_000)))
        case .failure(let error) where error.code == .cacheFull:
            return .cacheFull
        case .failure(let error):
            log.error("the engine failed", metadata: ["error": "\(error)"])
            return .failed("\(error)")
        }
    }
}

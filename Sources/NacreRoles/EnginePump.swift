import Logging
package import NacreCore
package import NacreEngine
import NacreProtocol

/// Runs a machine's passes on its engine, one at a time, and keeps count of the time.
package struct EnginePump: Sendable {
    package typealias RunPass = @Sendable (EnginePass) async throws -> PassResult

    let passes: AsyncStream<EnginePass>
    private let queue: AsyncStream<EnginePass>.Continuation
    private let runPass: RunPass
    private let log: Logger

    init(log: Logger, runPass: @escaping RunPass) {
        // A machine keeps one pass in flight.
        (passes, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
        self.log = log
        self.runPass = runPass
    }

    func enqueue(_ pass: EnginePass) { queue.yield(pass) }

    /// Ends `passes` after the one in flight.
    func finish() { queue.finish() }

    /// What came of a pass; an engine's failure is an outcome like others, for the machine to decide about.
    func outcome(of pass: EnginePass) async -> PassOutcome {
        do {
            let result = try await runPass(pass)
            return .done(
                result.choices, started: Instant(rawValue: Int(result.startedNanoseconds / 1_000)),
                ended: Instant(rawValue: Int(result.endedNanoseconds / 1_000)))
        } catch let error as EngineError where error.code == .cacheFull {
            return .cacheFull
        } catch {
            log.error("the engine failed", metadata: ["error": "\(error)"])
            return .failed("\(error)")
        }
    }
}

/// A node's load between two heartbeats.
struct LoadMeter: Sendable {
    private var since: Instant
    private var busy = 0
    private var passes = 0
    private var last = Load(jobs: 0, busy: 0, stepMicroseconds: 0)

    /// Shortest span that a share of busy time is taken over, in microseconds.
    private static let span = Instant.milliseconds(400)

    init(now: Instant) { since = now }

    mutating func count(_ outcome: PassOutcome) {
        guard case .done(_, let started, let ended) = outcome else { return }
        busy += ended - started
        passes += 1
    }

    mutating func read(jobs: Int, at now: Instant) -> Load {
        last.jobs = jobs
        let elapsed = now - since
        guard elapsed >= LoadMeter.span else { return last }
        last.busy = min(1, Float(busy) / Float(elapsed))
        last.stepMicroseconds = passes == 0 ? 0 : UInt32(clamping: busy / passes)
        since = now
        busy = 0
        passes = 0
        return last
    }
}

/// The coordinator will never take this node.
package struct NodeRefused: Error, Sendable, CustomStringConvertible {
    package let reason: String
    package var description: String { reason }
}

import UnixSignals

/// Ctrl-C and SIGTERM as task cancellation, for commands that have something to put away first.
package enum Interruption {
    /// Runs `body`; a signal cancels it, waits for its clean-up and then throws `.interrupted`.
    package static func guarding<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await _ in signals { throw NacreError(.interrupted, "") }
                return nil
            }
            defer { group.cancelAll() }
            while let outcome = try await group.next() {
                if let outcome { return outcome }
            }
            throw CancellationError()
        }
    }

    /// Runs clean-up to its end even if the calling task has been cancelled.
    package static func shielding(_ cleanUp: @escaping @Sendable () async -> Void) async {
        // An unstructured task does not inherit the cancellation; it is awaited right here.
        await Task { await cleanUp() }.value
    }
}

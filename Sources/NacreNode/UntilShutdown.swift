import ServiceLifecycle

/// A service that does nothing until shutdown is asked for, and then ends what was started before it.
package struct UntilShutdown: Service {
    private let stop: @Sendable () async -> Void

    package init(stop: @escaping @Sendable () async -> Void) { self.stop = stop }

    package func run() async throws {
        try? await gracefulShutdown()
        await stop()
    }
}

/// A service whose work ends by itself once it has been told to stop.
package struct UntilStopped: Service {
    private let work: @Sendable () async throws -> Void
    private let stop: @Sendable () async -> Void

    /// - Parameters:
    ///   - work: returns soon after `stop` was called.
    ///   - stop: called once shutdown is asked for.
    package init(work: @escaping @Sendable () async throws -> Void, stop: @escaping @Sendable () async -> Void) {
        self.work = work
        self.stop = stop
    }

    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await gracefulShutdown()
                await stop()
            }
            try await work()
            group.cancelAll()
        }
    }
}

import Foundation
package import Logging
package import ServiceLifecycle
import UnixSignals

/// Runs the long-running parts of a daemon until one of them ends, or SIGTERM or SIGINT asks for the end.
package enum Lifecycle {
    // Peers are told and sockets closed in milliseconds; what takes longer than this hangs.
    private static let shutdownMax = Duration.seconds(4)

    /// Returns after a graceful shutdown, which any service starts by returning.
    ///
    /// - Parameter endsWithStandardInput: also shut down when stdin reaches its end, see `ParentWatch`.
    /// - Throws: what the first failing service threw.
    package static func run(
        _ services: [any Service], logger: Logger, endsWithStandardInput: Bool = false
    ) async throws {
        var services = services
        if endsWithStandardInput { services.append(ParentWatch()) }
        // The group narrates every part's start and end; what matters of it is in the daemons' own lines.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        configuration.maximumGracefulShutdownDuration = shutdownMax
        try await ServiceGroup(configuration: configuration).run()
    }
}

/// Ends when stdin does: the read end of a pipe whose only write end the launcher holds reaches its end however the
/// launcher dies, so its daemons never outlive it.
package struct ParentWatch: Service {
    package init() {}

    package func run() async throws {
        let (ends, end) = AsyncStream<Void>.makeStream()
        // A blocking read cannot be interrupted, so the thread is left to the end of the process.
        Thread.detachNewThread {
            var buffer = [UInt8](repeating: 0, count: 256)
            while true {
                let count = read(STDIN_FILENO, &buffer, buffer.count)
                if count == 0 || count < 0 && errno != EINTR { break }
            }
            end.finish()
        }
        await cancelWhenGracefulShutdown {
            for await _ in ends {}
        }
    }
}

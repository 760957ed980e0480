import ArgumentParser
import Foundation
import NacreAPI
import NacreClient
import NacreNode

/// Where the coordinator is, and how results are written.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The coordinator's HTTP address; without it NACRE_COORDINATOR_HTTP, the cluster of `nacre up`, or "
                + "127.0.0.1:7401.",
            valueName: "host:port"))
    var coordinator: String?

    @Flag(help: "Write the result as JSON.")
    var json = false

    /// The coordinator to talk to.
    func address() throws -> HostPort {
        if let coordinator { return try HostPort(coordinator) }
        if let variable = ProcessInfo.processInfo.environment["NACRE_COORDINATOR_HTTP"], !variable.isEmpty {
            return try HostPort(variable)
        }
        // A record that cannot be read is `nacre down`'s affair; the default address is as good a guess as any.
        if let record = try? ClusterFolder.standard().running() { return try HostPort(record.http) }
        return HostPort(host: "127.0.0.1", port: 7401)
    }

    /// Connects, runs `body` and closes; Ctrl-C cancels it.
    func withCoordinator<Result: Sendable>(
        _ body: @escaping @Sendable (CoordinatorClient) async throws -> Result
    ) async throws -> Result {
        let address = try address()
        return try await Interruption.guarding { try await CoordinatorClient.with(address, body) }
    }
}

extension Terminal {
    /// Writes a document as JSON, over several lines for people.
    func write(json document: some Encodable) throws {
        try line(String(decoding: try JSON.encode(document, pretty: isInteractive), as: UTF8.self))
    }
}

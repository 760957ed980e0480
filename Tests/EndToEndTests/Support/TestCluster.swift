import Foundation
import NacreAPI
import NacreClient
import NacreNode
import Synchronization
import Testing

/// Real daemons on free ports, started and killed one by one by a test, and all gone after it.
///
/// ```swift
/// try await TestCluster.with(verifiers: 2, drafters: 1) { cluster in
///     cluster["verifier-1"].signal(SIGKILL)
///     try await cluster.until("one verifier is left") { try await $0.status().verifiers == 1 }
/// }
/// ```
final class TestCluster {
    /// Where the daemons lie: the test bundle is built beside them.
    static let installation = Installation.current()
    static let patience = Duration.seconds(60)

    let http: HostPort
    let control: HostPort
    private let network: HostNetwork?
    private var children: [String: ChildProcess] = [:]

    private init(coordinator: ChildProcess, http: HostPort, control: HostPort, network: HostNetwork?) {
        children = ["coordinator": coordinator]
        self.http = http
        self.control = control
        self.network = network
    }

    /// A cluster whose nodes are all registered, for as long as `body` runs.
    ///
    /// - Parameter network: where each process runs on a host of its own, that of its name; `nil`: all run on this one.
    static func with<Result>(
        verifiers: Int = 1, drafters: Int = 1, on network: HostNetwork? = nil,
        _ body: (TestCluster) async throws -> Result
    ) async throws -> Result {
        let cluster = try await start(on: network)
        do {
            for number in 1...max(1, verifiers) where verifiers > 0 { try cluster.startVerifier("verifier-\(number)") }
            for number in 1...max(1, drafters) where drafters > 0 { try cluster.startDrafter("drafter-\(number)") }
            try await cluster.until("all nodes are registered") { coordinator in
                let status = try await coordinator.status()
                return (status.ready || verifiers == 0) && status.verifiers == verifiers && status.drafters == drafters
            }
            let result = try await body(cluster)
            await cluster.end()
            return result
        } catch {
            await cluster.end()
            throw error
        }
    }

    /// The process called `name`, running or not.
    subscript(name: String) -> ChildProcess {
        guard let child = children[name] else { preconditionFailure("no process '\(name)' was started") }
        return child
    }

    /// Starts a verifier; it registers by itself.
    func startVerifier(_ name: String, model: String? = nil, arguments: [String] = []) throws {
        let model = try model ?? Self.installation.model(Installation.defaultTarget)
        try startNode(name, "nacre-verifier", model: model, arguments)
    }

    /// Starts a drafter; it registers by itself.
    func startDrafter(_ name: String, model: String? = nil, arguments: [String] = []) throws {
        let model = try model ?? Self.installation.model(Installation.defaultDraft)
        try startNode(name, "nacre-drafter", model: model, arguments)
    }

    /// Runs `body` with a connection to the coordinator.
    func withClient<Result>(_ body: (CoordinatorClient) async throws -> Result) async throws -> Result {
        try await CoordinatorClient.with(http, body)
    }

    /// Waits for a condition of the coordinator's.
    ///
    /// - Throws: a failure that names `what`, with the last words of every process, when patience is at its end.
    func until(_ what: String, _ condition: (CoordinatorClient) async throws -> Bool) async throws {
        try await withClient { client in
            try await Deadline.wait(for: what, details: lastWords()) { try await condition(client) }
        }
    }

    /// Kills the process, waits until it is gone and forgets it, so that its name can be used again.
    func kill(_ name: String) async throws {
        let child = self[name]
        child.signal(SIGKILL)
        try #require(await child.waitForEnd(within: Self.patience), "\(name) survived SIGKILL")
        children[name] = nil
    }

    /// Runs `nacre` against this cluster to its end.
    func nacre(_ arguments: String..., input: String = "") async throws -> CommandResult {
        try await Command.run("nacre", arguments + ["--coordinator", "\(http)"], input: input)
    }

    func nacre(arguments: [String]) async throws -> CommandResult {
        try await Command.run("nacre", arguments + ["--coordinator", "\(http)"])
    }

    /// Starts `nacre` against this cluster. It is killed with the last use of what is returned.
    func start(_ arguments: String...) throws -> Command {
        try Command("nacre", arguments + ["--coordinator", "\(http)"])
    }

    /// The processes that have ended, of those not killed by `kill`.
    var casualties: [String] { children.values.filter { $0.ending != nil }.map(\.name).sorted() }

    // MARK: jobs

    /// Submits a job that goes on by itself; its id.
    func submit(_ request: JobRequest) async throws -> String {
        try await withClient { try await $0.submit(request).id }
    }

    /// The job at its end.
    func end(of id: String) async throws -> JobDocument {
        try await withClient { try await $0.end(of: id, within: Self.patience) }
    }

    /// The same job as plain decoding has it, with nothing in its way. The first test that asks runs it on its cluster,
    /// whose verifiers have the default target; the others need not do that again, since a seed has one text.
    func whole(_ request: JobRequest) async throws -> JobDocument {
        let plain = request.with(method: Jobs.plain)
        if let known = Self.wholes.withLock({ $0.first { $0.request == plain } }) { return known.job }
        let job = try await withClient { try await $0.run(plain).document }
        try #require(job.state == "done")
        Self.wholes.withLock { $0.append((plain, job)) }
        return job
    }

    private static let wholes = Mutex<[(request: JobRequest, job: JobDocument)]>([])

    /// The verifier that a job runs on, or ran on last.
    func verifier(of id: String) async throws -> String {
        try await until("the job has a verifier") { try await !$0.job(id).verifiers.isEmpty }
        return try #require(try await withClient { try await $0.job(id).verifiers.last })
    }

    /// How often other verifiers scored for a job that is over.
    func helped(_ id: String) async throws -> Int {
        try JSON.decode(TraceDocument.self, from: try await withClient { try await $0.trace(id) }).helped
    }

    // MARK: processes

    private static func start(on network: HostNetwork?) async throws -> TestCluster {
        let listen = network?.address(of: "coordinator") ?? "127.0.0.1"
        let child = try start(
            "coordinator", "nacre-coordinator", on: network,
            // Hosts of a network are one machine here, and stand for several: nobody waits for another's cores.
            ["--listen", "\(listen):0", "--http", "\(network?.console ?? "127.0.0.1"):0", "--exit-with-stdin"]
                + (network == nil ? [] : ["--shared-cores", "overlap"]))
        do {
            var ready: ReadyLine?
            try await Deadline.wait(for: "the coordinator is ready", details: child.errors.joined(separator: "\n")) {
                ready = child.output.lazy.compactMap { ReadyLine($0) }.first
                return ready != nil
            }
            let line = try #require(ready)
            return TestCluster(
                coordinator: child, http: try #require(line.addresses["http"]),
                control: try #require(line.addresses["control"]), network: network)
        } catch {
            child.signal(SIGKILL)
            throw error
        }
    }

    private func startNode(_ name: String, _ executable: String, model: String, _ arguments: [String]) throws {
        precondition(children[name] == nil, "'\(name)' is running already")
        let own = [
            "--model", model, "--coordinator", "\(control)", "--name", name, "--threads", "1", "--exit-with-stdin",
            "--listen", "\(network?.address(of: name) ?? "127.0.0.1"):0",
        ]
        children[name] = try Self.start(name, executable, on: network, own + arguments)
    }

    private static func start(
        _ name: String, _ executable: String, on network: HostNetwork?, _ arguments: [String]
    ) throws -> ChildProcess {
        let words = (network?.launcher(on: name) ?? []) + [try installation.executable(executable)] + arguments
        return try ChildProcess(
            name, executable: words[0], arguments: Array(words.dropFirst()), attachment: .attached { _ in })
    }

    // With force: a test may have stopped a process, and how processes end by themselves is tested elsewhere.
    private func end() async {
        for child in children.values { child.signal(SIGKILL) }
        for child in children.values { _ = await child.waitForEnd(within: Self.patience) }
    }

    private func lastWords() -> String {
        children.values.sorted { $0.name < $1.name }.map { child in
            let state = child.ending.map { "ended: \($0)" } ?? "running"
            return "\(child.name) (\(state)):\n" + child.errors.suffix(10).joined(separator: "\n")
        }.joined(separator: "\n")
    }
}

/// Waiting for conditions, never for time.
enum Deadline {
    struct Missed: Error, CustomStringConvertible {
        let description: String
    }

    /// Asks for the condition again and again until it holds.
    ///
    /// - Throws: `Missed` after a minute, or what the condition throws.
    static func wait(
        for what: String, details: @autoclosure () -> String = "", _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + TestCluster.patience
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                throw Missed(description: "waited in vain until \(what)\n\(details())")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

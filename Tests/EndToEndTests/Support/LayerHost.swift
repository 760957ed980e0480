import Foundation
import NacreClient
import NacreNode
import Testing

/// A `nacre-layers` process, for as long as this is in use.
final class LayerHost {
    let address: HostPort
    private var child: ChildProcess

    /// Starts one on a free port.
    init() async throws {
        let name = "layers"
        (child, address) = try await Self.start(name, at: HostPort(host: "127.0.0.1", port: 0))
    }

    deinit { child.signal(SIGKILL) }

    /// Kills it and waits until it is gone.
    func kill() async throws {
        child.signal(SIGKILL)
        try #require(await child.waitForEnd(within: TestCluster.patience), "nacre-layers survived SIGKILL")
    }

    /// Starts it again where it was.
    func restart() async throws { (child, _) = try await Self.start("layers", at: address) }

    private static func start(_ name: String, at address: HostPort) async throws -> (ChildProcess, HostPort) {
        let child = try ChildProcess(
            name, executable: try TestCluster.installation.executable("nacre-layers"),
            arguments: ["--listen", "\(address)", "--threads", "1", "--exit-with-stdin"], attachment: .attached { _ in }
        )
        var ready: ReadyLine?
        try await Deadline.wait(for: "layers are served", details: child.errors.joined(separator: "\n")) {
            ready = child.output.lazy.compactMap { ReadyLine($0) }.first
            return ready != nil
        }
        return (child, try #require(ready?.addresses["listen"]))
    }
}

/// The system's processes, from outside.
enum Processes {
    /// Children of a process that are alive.
    static func children(of parent: Int32) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { fields(of: $0).map { $0.parent == parent } ?? false }
    }

    /// Whether a process runs; one that has ended and was not reaped does not.
    static func isAlive(_ process: Int32) -> Bool { fields(of: process) != nil }

    private static func fields(of process: Int32) -> (state: Substring, parent: Int32)? {
        let data = FileManager.default.contents(atPath: "/proc/\(process)/stat")
        let line = data.map { String(decoding: $0, as: UTF8.self) }
        // The name in brackets may hold anything.
        guard let line, let bracket = line.lastIndex(of: ")") else { return nil }
        let rest = line[bracket...].dropFirst().split(separator: " ")
        guard rest.count > 1, rest[0] != "Z", let parent = Int32(rest[1]) else { return nil }
        return (rest[0], parent)
    }
}

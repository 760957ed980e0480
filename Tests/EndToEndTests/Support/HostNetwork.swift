import Foundation
import NacreClient
import NacreNode
import Synchronization

/// Hosts for a cluster: network namespaces with addresses of their own, each on a cable of its own to one slow switch
/// (`Scripts/slow-switch`), and gone afterwards.
///
/// ```swift
/// try await HostNetwork.with(verifiers: 1, drafters: 1, delay: .milliseconds(2)) { network in
///     try await TestCluster.with(on: network) { cluster in
///         try await network.unplug("drafter-1")                // no packet from now on, and no goodbye
///     }
/// }
/// ```
final class HostNetwork {
    /// Why there are none here; `nil` where there are.
    static let obstacle: String? = {
        let name = "\(ours)-try"
        let script = """
            ip netns add \(name) && ip -n \(name) link add name one type veth peer name two
            status=$?; ip netns del \(name); command -v taskset && command -v python3 && exit $status
            """
        guard system("(\(script)) >/dev/null 2>&1") != 0 else { return nil }
        return "no network namespaces here: they need root with CAP_NET_ADMIN, iproute2, util-linux and python3"
    }()

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// This process's namespaces begin with it; so those of a process that was killed are known.
    private static let ours = "nacre-\(ProcessInfo.processInfo.processIdentifier)"
    private static let count = Mutex(0)
    private static let coordinator = "coordinator"

    let verifiers: Int
    let drafters: Int
    /// Where this process reaches the coordinator: a cable past the switch, the one address outside of the hosts.
    let console: String
    private let ownConsole: String
    private let ownCable: String
    private let prefix: String
    /// In the order of their ports and addresses.
    private let hosts: [String]
    /// The core of each host that computes.
    private let cores: [String: CPUList]
    private var wire: ChildProcess?

    /// Hosts named as `TestCluster` names its processes, for as long as `body` runs.
    ///
    /// - Parameter delay: of each packet from one host to another.
    static func with<Result>(
        verifiers: Int, drafters: Int, delay: Duration, _ body: (HostNetwork) async throws -> Result
    ) async throws -> Result {
        let network = try HostNetwork(verifiers: verifiers, drafters: drafters)
        do {
            try await network.connect(delay: delay)
            let result = try await body(network)
            await network.remove()
            return result
        } catch {
            await network.remove()
            throw error
        }
    }

    private init(verifiers: Int, drafters: Int) throws {
        let number = Self.count.withLock { count in
            count += 1
            return count
        }
        (self.verifiers, self.drafters) = (verifiers, drafters)
        prefix = "\(Self.ours)-\(number)"
        // An interface's name has at most 15 characters.
        ownCable = "nacre\(ProcessInfo.processInfo.processIdentifier)-\(number % 100)"
        // 198.18.0.0/15 is for measurements inside of networks (RFC 2544): nobody's address is among them. The first
        // half is cut into cables for processes that test at the same time, the second half is every network's own.
        let block = (Int(ProcessInfo.processInfo.processIdentifier) * 8 + number) % 16_384
        ownConsole = "198.18.\(block / 64).\(block % 64 * 4 + 1)"
        console = "198.18.\(block / 64).\(block % 64 * 4 + 2)"
        let names = (0..<verifiers).map { "verifier-\($0 + 1)" } + (0..<drafters).map { "drafter-\($0 + 1)" }
        hosts = [Self.coordinator] + names
        let cores = CoreAssignment(
            available: try .available(), verifiers: verifiers, drafters: drafters, coresMax: 1)
        self.cores = Dictionary(uniqueKeysWithValues: zip(names, (cores.verifiers + cores.drafters).map(\.cores)))
    }

    /// The address of a host.
    func address(of host: String) -> String { "198.19.0.\(port(of: host))" }

    /// The command that runs a command on a host, without that command.
    func launcher(on host: String) -> [String] {
        let pin = cores[host].map { ["taskset", "-c", "\($0)"] } ?? []
        return ["/usr/bin/env", "ip", "netns", "exec", "\(prefix)-\(host)"] + pin
    }

    /// Cuts a host off: no packet comes or goes, and nobody is told.
    func unplug(_ host: String) async throws { try await run("ip -n \(prefix)-\(host) link set eth0 down") }

    /// Connects it again.
    func plug(_ host: String) async throws { try await run("ip -n \(prefix)-\(host) link set eth0 up") }

    private func port(of host: String) -> Int {
        guard let place = hosts.firstIndex(of: host) else { preconditionFailure("there is no host '\(host)'") }
        return place + 1
    }

    // MARK: making and removing

    private func connect(delay: Duration) async throws {
        let wire = "\(prefix)-wire"
        var script = [
            // What a process that was killed has left.
            """
            for left in $(ip netns list | sed -n 's/^\\(nacre-[0-9]*-[^ ]*\\).*/\\1/p'); do
                owner=${left#nacre-}
                [ -d "/proc/${owner%%-*}" ] || ip netns del "$left"
            done
            """,
            "ip netns add \(wire)",
        ]
        for host in hosts {
            let space = "\(prefix)-\(host)"
            script += [
                "ip netns add \(space)",
                "ip -n \(wire) link add name port\(port(of: host)) type veth peer name eth0 netns \(space)",
                "ip -n \(wire) link set port\(port(of: host)) up",
                "ip -n \(space) address add \(address(of: host))/24 dev eth0",
                "ip -n \(space) link set lo up",
                "ip -n \(space) link set eth0 up",
            ]
        }
        let coordinator = "\(prefix)-\(Self.coordinator)"
        script += [
            "ip link add name \(ownCable) type veth peer name console netns \(coordinator)",
            "ip address add \(ownConsole)/30 dev \(ownCable)", "ip link set \(ownCable) up",
            "ip -n \(coordinator) address add \(console)/30 dev console",
            "ip -n \(coordinator) link set console up",
        ]
        try await run(script.joined(separator: "\n"))
        let options = ["--delay-ms", "\(delay / .milliseconds(1))", "--mbit", "200"]
        let child = try ChildProcess(
            "slow-switch", executable: "/usr/bin/env",
            arguments: ["ip", "netns", "exec", wire, Jobs.root + "Scripts/slow-switch"] + options
                + hosts.map { "port\(port(of: $0))" }, attachment: .attached { _ in })
        self.wire = child
        try await Deadline.wait(for: "the switch is ready", details: child.errors.joined(separator: "\n")) {
            child.output.contains("ready")
        }
    }

    /// Also what was made in part only.
    private func remove() async {
        wire?.signal(SIGKILL)
        _ = await wire?.waitForEnd(within: TestCluster.patience)
        let spaces = (hosts + ["wire"]).map { "ip netns del \(prefix)-\($0)" }
        let script = (["ip link del \(ownCable)"] + spaces).joined(separator: " || true\n")
        // What cannot be removed is left to the next process.
        try? await run("\(script) || true")
    }

    private func run(_ script: String) async throws {
        let child = try ChildProcess(
            "ip", executable: "/bin/sh", arguments: ["-ec", script], attachment: .attached { _ in })
        _ = await child.waitForEnd(within: TestCluster.patience)
        guard child.ending == .exited(0) else {
            throw Failure(description: "\(script)\n\(child.errors.joined(separator: "\n"))")
        }
    }
}

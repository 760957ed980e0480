import ArgumentParser
import Foundation
import Logging
import NIOPosix
import NacreCoordinator
import NacreHTTP
import NacreNode
import NacreTransport
import ServiceLifecycle

@main
enum Main {
    static func main() async { await CommandLineMain.run(CoordinatorCommand.self) }
}

struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nacre-coordinator",
        abstract: "Takes jobs, places them on verifiers, hands out accepted tokens.",
        discussion: """
            Examples:
              nacre-coordinator
              nacre-coordinator --listen 0.0.0.0:7400 --http 127.0.0.1:7401
            Every setting can also stand in a YAML file (--config) or in the environment (NACRE_LISTEN, ...).
            """,
        version: "nacre-coordinator \(NacreVersion.current)")

    private static let listen = Setting("listen", default: HostPort(host: "127.0.0.1", port: 7400))
    private static let http = Setting("http", default: HostPort(host: "127.0.0.1", port: 7401))

    private static let sharedCores = Setting("shared-cores", default: SharedCores.turns)

    private static let policy = Setting("policy", default: "goodput", check: PolicyIntake.complaint(about:))
    private static let pairPolicies = OptionalSetting<String>(
        "pair-policies", check: PolicyIntake.complaint(aboutPairs:))
    // How jobs are decoded that say nothing about it.
    private static let method = OptionalSetting<String>("method") { JobDefaults(method: $0).complaint }
    private static let gamma = OptionalSetting<Int>("gamma") { JobDefaults(gamma: $0).complaint }
    private static let tree = OptionalSetting<String>("tree") { JobDefaults(tree: $0).complaint }
    private static let branches = OptionalSetting<Int>("branches") { JobDefaults(branches: $0).complaint }

    @Option(
        help: ArgumentHelp(
            "Where nodes register (default 127.0.0.1:7400; port 0: any free one).", valueName: "host:port"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "Where clients talk HTTP/2 (default 127.0.0.1:7401; port 0: any free one).", valueName: "host:port"))
    var http: String?

    @Option(
        help: ArgumentHelp(
            "How draft lengths are chosen where nobody says otherwise, as in adaedl:lambda=0.4 (default goodput; "
                + "`nacre policy list` knows more).",
            valueName: "policy"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "What a drafter and a verifier on the same cores do: take turns, or overlap and disturb each other "
                + "(default turns).", valueName: "turns|overlap"))
    var sharedCores: String?

    @Option(
        help: ArgumentHelp(
            "Policies of pairs of models, as in 'T.gguf/D.gguf svip:h=0.6', between semicolons.", valueName: "list"))
    var pairPolicies: String?

    @Option(
        help: ArgumentHelp(
            "The method of jobs that say nothing about how to speculate (default stream); so too the next three.",
            valueName: "name"))
    var method: String?

    @Option(help: ArgumentHelp("Their draft length γ (default: the policy's).", valueName: "n"))
    var gamma: Int?

    @Option(help: ArgumentHelp("The shape of their drafts (default chain).", valueName: "shape"))
    var tree: String?

    @Option(help: ArgumentHelp("Their drafts for likely outcomes of a pass (default 0).", valueName: "n"))
    var branches: Int?

    @OptionGroup var common: SettingsOptions

    func run() async throws {
        let settings = try common.settings(
            [
                Self.listen, Self.http, Self.policy, Self.sharedCores, Self.pairPolicies, Self.method, Self.gamma,
                Self.tree, Self.branches,
            ],
            flags: [
                "listen": listen, "http": http, "policy": policy, "shared-cores": sharedCores,
                "pair-policies": pairPolicies, "method": method, "gamma": gamma.map(String.init), "tree": tree,
                "branches": branches.map(String.init),
            ])
        let defaults = JobDefaults(
            method: settings[Self.method], gamma: settings[Self.gamma], tree: settings[Self.tree],
            branches: settings[Self.branches])
        if let complaint = defaults.complaint {
            throw NacreError(.badUsage, "method, gamma, tree and branches do not go together: \(complaint)")
        }
        let log = Telemetry.logger("nacre-coordinator", level: settings[Settings.logLevel])
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        func source(_ name: String) -> String { settings.lines.first { $0.name == name }?.source ?? "default" }
        let tunings = TuningStore(environment: ProcessInfo.processInfo.environment) { reason in
            log.warning("what was found of policies earlier is of no use", metadata: ["reason": "\(reason)"])
        }
        if tunings == nil {
            log.warning(
                "what policy auto finds is not kept from one start to the next: no variable names a folder for it",
                metadata: ["remedy": "\(TuningStore.remedy)"])
        }
        let node = CoordinatorNode(
            on: loop, log: log, policy: try PolicyIntake.entry(settings[Self.policy], source: source("policy")),
            pairs: try PolicyIntake.pairs(settings[Self.pairPolicies] ?? "", source: source("pair-policies")),
            alternates: settings[Self.sharedCores] == .turns, tunings: tunings)
        let api = CoordinatorAPI(node: node, version: NacreVersion.current, defaults: defaults)
        let listener = try await PeerListener.listen(
            at: PeerAddress(settings[Self.listen]), on: loop, handler: node.handle)
        let server = try await HTTPServer.start(
            host: settings[Self.http].host, port: settings[Self.http].port, handler: api.answer)
        await node.start()
        ReadyLine(
            role: "coordinator",
            addresses: [
                "control": HostPort(host: listener.address.host, port: listener.address.port),
                "http": HostPort(host: settings[Self.http].host, port: server.port),
            ]
        ).announce()
        let stopping = UntilShutdown {
            await listener.close()
            await node.stop()
            await server.shutdown(grace: .seconds(1))
        }
        try await Lifecycle.run([stopping], logger: log, endsWithStandardInput: common.exitWithStdin)
    }
}

/// What becomes of cores that a drafter and a verifier have in common.
private enum SharedCores: String, SettingValue {
    case turns, overlap

    init(settingText: String) throws(NacreError) {
        guard let value = SharedCores(rawValue: settingText) else {
            throw NacreError(.badUsage, "must be turns or overlap, not '\(settingText)'")
        }
        self = value
    }

    var settingText: String { rawValue }
}

extension PeerAddress {
    init(_ address: HostPort) { self.init(host: address.host, port: address.port) }
}

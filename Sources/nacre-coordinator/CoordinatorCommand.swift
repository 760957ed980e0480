import ArgumentParser
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

    @OptionGroup var common: SettingsOptions

    func run() async throws {
        let settings = try common.settings(
            [Self.listen, Self.http, Self.policy, Self.sharedCores],
            flags: ["listen": listen, "http": http, "policy": policy, "shared-cores": sharedCores])
        let log = Telemetry.logger("nacre-coordinator", level: settings[Settings.logLevel])
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let source = settings.lines.first { $0.name == "policy" }?.source ?? "default"
        let node = CoordinatorNode(
            on: loop, log: log, policy: try PolicyIntake.entry(settings[Self.policy], source: source),
            alternates: settings[Self.sharedCores] == .turns)
        let api = CoordinatorAPI(node: node, version: NacreVersion.current)
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

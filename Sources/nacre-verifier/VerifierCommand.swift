import ArgumentParser
import Logging
import NIOPosix
import NacreCore
import NacreEngine
import NacreLlama
import NacreModelNode
import NacreNode
import NacreProtocol
import NacreRoles
import NacreTransport

@main
enum Main {
    static func main() async { await CommandLineMain.run(VerifierCommand.self) }
}

struct VerifierCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nacre-verifier",
        abstract: "Runs the target model over what drafters guessed; many guesses in one forward pass.",
        discussion: """
            Examples:
              nacre-verifier --model target.gguf --coordinator 127.0.0.1:7400
              nacre-verifier --model target.gguf --coordinator 10.0.0.1:7400 --cpus 0-3 --slots 16 --context 4096
            Give verifier and drafter cores of their own: on shared ones both run several times slower.
            A target that is larger than this host, its layers on others, each of which runs nacre-layers:
              nacre-verifier --model large.gguf --rpc 10.0.0.2:7420,10.0.0.3:7420
            The links to these have neither authentication nor encryption: for a trusted network only.
            """,
        version: "nacre-verifier \(NacreVersion.current), \(LlamaBackend.title)")

    private static let listen = Setting("listen", default: HostPort(host: "127.0.0.1", port: 0))
    private static let advertise = OptionalSetting<HostPort>("advertise")
    private static let inexactRounding = Setting("inexact-rounding", default: false)
    private static let rpc = OptionalSetting<LayerAddresses>("rpc")

    @OptionGroup var options: ModelOptions
    @OptionGroup var sharding: ShardOptions
    @OptionGroup var common: SettingsOptions

    @Option(
        help: ArgumentHelp(
            "Where other verifiers of the same target connect to have drafts scored (default 127.0.0.1, any port).",
            valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("The address to tell them, if it is not that of --listen.", valueName: "host:port"))
    var advertise: String?

    @Option(
        help: ArgumentHelp(
            "Hosts that run nacre-layers and hold the model's layers. Trusted networks only.",
            valueName: "host:port,..."))
    var rpc: String?

    @Flag(
        help: ArgumentHelp(
            "Faster passes at long contexts, but rounding depends on what else a pass holds: the output may differ "
                + "from plain decoding where two tokens are almost tied."))
    var inexactRounding = false

    @Flag(name: .customLong(EngineChild.flag), help: .hidden)
    var isEngineChild = false

    func run() async throws {
        guard !isEngineChild else { await EngineChild.run() }
        let settings = try common.settings(
            ModelOptions.declarations + ShardOptions.declarations + [
                Self.listen, Self.advertise, Self.rpc, Self.inexactRounding,
            ],
            flags: options.flags.merging(sharding.flags) { $1 }
                .merging([
                    "listen": listen, "advertise": advertise, "rpc": rpc,
                    "inexact-rounding": inexactRounding ? true.settingText : nil,
                ]) { $1 })
        let log = Telemetry.logger("nacre-verifier", level: settings[Settings.logLevel])
        let addresses = VerifierAddresses(listen: settings[Self.listen], advertise: settings[Self.advertise])
        guard !["0.0.0.0", "::"].contains(addresses.listen.host) || addresses.advertise != nil else {
            throw NacreError(
                .badUsage, "verifiers cannot connect to \(addresses.listen.host)",
                remedy: "add --advertise with this host's own address")
        }
        // A port that cannot be had shall be known before the model is loaded, which can take minutes.
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        try await PeerListener.listen(at: PeerAddress(addresses.listen), on: loop) { _, _ in }.close()
        let serving =
            if let layers = settings[Self.rpc] {
                try await remote(settings, layers, at: addresses, log: log)
            } else {
                try await local(settings, at: addresses, log: log)
            }
        try await Lifecycle.run([serving], logger: log, endsWithStandardInput: common.exitWithStdin)
    }

    /// The target in this process.
    private func local(_ settings: Settings, at addresses: VerifierAddresses, log: Logger) async throws -> UntilStopped
    {
        var plan: ShardOptions.Plan?
        let loaded = try await options.load(
            settings, role: .verifier, exact: !settings[Self.inexactRounding], log: log
        ) { model, engine in
            let made = try await sharding.plan(settings, model, engine, log: log)
            plan = made
            return made.shards
        }
        let shards = zip(loaded.hosts, try await loaded.calibrate()).map { host, costs in
            VerifierShard(shape: host.shape, costs: costs) { host.submit($0, done: $1) }
        }
        let service = try await VerifierService(
            ServedModel(loaded), hello: options.hello(settings, loaded, role: .verifier, dataAddress: ""),
            shards: shards, plan: plan, at: addresses, log: log)
        service.announce()
        let coordinator = PeerAddress(settings[ModelOptions.coordinator])
        return UntilStopped(
            work: {
                try await service.run(coordinator: coordinator)
                await loaded.shutdown()
            }, stop: { await service.stop() })
    }

    /// The target in a process of its own, its layers on other hosts.
    private func remote(
        _ settings: Settings, _ layers: LayerAddresses, at addresses: VerifierAddresses, log: Logger
    ) async throws -> UntilStopped {
        try sharding.requireOne(settings)
        let start = try options.remoteStart(settings, layers: layers, exact: !settings[Self.inexactRounding])
        let target = try RemoteTarget(start, log: log)
        let first = try await target.begin()
        let verifier = RemoteVerifier(target, coordinator: PeerAddress(settings[ModelOptions.coordinator]), log: log) {
            [options] model, costs, submit in
            try await VerifierService(
                model, hello: options.hello(settings, model, role: .verifier, dataAddress: ""),
                shards: [VerifierShard(shape: model.shape, costs: costs, submit: submit)], at: addresses, log: log)
        }
        return UntilStopped(work: { try await verifier.run(first) }, stop: { await verifier.stop() })
    }
}

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
            """,
        version: "nacre-verifier \(NacreVersion.current), \(LlamaBackend.title)")

    private static let listen = Setting("listen", default: HostPort(host: "127.0.0.1", port: 0))
    private static let advertise = OptionalSetting<HostPort>("advertise")

    @OptionGroup var options: ModelOptions
    @OptionGroup var sharding: ShardOptions
    @OptionGroup var common: SettingsOptions

    @Option(
        help: ArgumentHelp(
            "Where other verifiers of the same target connect to have drafts scored (default 127.0.0.1, any free port).",
            valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("The address to tell them, if it is not that of --listen.", valueName: "host:port"))
    var advertise: String?

    func run() async throws {
        let settings = try common.settings(
            ModelOptions.declarations + ShardOptions.declarations + [Self.listen, Self.advertise],
            flags: options.flags.merging(sharding.flags) { $1 }
                .merging(["listen": listen, "advertise": advertise]) { $1 })
        let log = Telemetry.logger("nacre-verifier", level: settings[Settings.logLevel])
        let isWildcard = ["0.0.0.0", "::"].contains(settings[Self.listen].host)
        guard !isWildcard || settings[Self.advertise] != nil else {
            throw NacreError(
                .badUsage, "verifiers cannot connect to \(settings[Self.listen].host)",
                remedy: "add --advertise with this host's own address")
        }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        // A port that cannot be had shall be known before the model is loaded, which can take minutes.
        try await PeerListener.listen(at: PeerAddress(settings[Self.listen]), on: loop) { _, _ in }.close()
        var tried: [ShardDivision] = []
        let loaded = try await options.load(settings, role: .verifier, log: log) { model, engine in
            let plan = try await sharding.plan(settings, model, engine, log: log)
            tried = plan.measured
            return plan.shards
        }
        let costs = try await loaded.calibrate()
        for cost in costs {
            log.notice("calibrated", metadata: ["pass.us": "\(options.describe(StepCostModel(cost)))"])
        }
        var hello = options.hello(settings, loaded, role: .verifier, dataAddress: "")
        hello.passTimes = ShardOptions.passTimes(of: costs, tried: tried)
        let node = VerifierNode(
            Self.shards(of: loaded, costs, hello), tokenizer: loaded.tokenizer, on: loop, log: log)
        let listener = try await PeerListener.listen(
            at: PeerAddress(settings[Self.listen]), on: loop, handler: node.handle)
        let data =
            settings[Self.advertise] ?? HostPort(host: listener.address.host, port: listener.address.port)
        hello.dataAddress = data.description
        let greeting = hello
        ReadyLine(role: "verifier", addresses: ["data": data]).announce()
        let coordinator = PeerAddress(settings[ModelOptions.coordinator])
        let serving = UntilStopped(
            work: { try await node.run(coordinator: coordinator, hello: greeting) },
            stop: {
                await listener.close()
                await node.stop()
            })
        try await Lifecycle.run([serving], logger: log, endsWithStandardInput: common.exitWithStdin)
        await loaded.shutdown()
    }

    /// One for each engine.
    private static func shards(of loaded: LoadedModel, _ costs: [[PassCost]], _ hello: Hello) -> [VerifierNode.Shard] {
        zip(loaded.hosts, costs).map { host, cost in
            let shape = host.shape
            let configuration = VerifierMachine.Configuration(
                node: hello.node, incarnation: hello.incarnation, vocabularyDigest: hello.vocabularyDigest,
                modelDigest: hello.modelDigest, vocabularySize: shape.vocabularySize, sequences: shape.jobs,
                contextMax: loaded.contextPerJob, nodesMax: shape.nodesMax, endTokens: loaded.tokenizer.endTokens,
                canRewind: shape.canRewind, branches: shape.branches, cost: StepCostModel(cost))
            return VerifierNode.Shard(configuration) { host.submit($0, done: $1) }
        }
    }
}

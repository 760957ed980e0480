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
    @OptionGroup var common: SettingsOptions

    @Option(
        help: ArgumentHelp(
            "Where other verifiers of the same target connect to have drafts scored (default 127.0.0.1, any port).",
            valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("The address to tell them, if it is not that of --listen.", valueName: "host:port"))
    var advertise: String?

    func run() async throws {
        let settings = try common.settings(
            ModelOptions.declarations + [Self.listen, Self.advertise],
            flags: options.flags.merging(["listen": listen, "advertise": advertise]) { $1 })
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
        let loaded = try await options.load(settings, role: .verifier, log: log)
        let shape = loaded.host.shape
        var cost = StepCostModel(nodesMax: 64, priorFixed: 1_000, perNode: 100)
        for measured in try await loaded.host.calibrate() {
            cost.record(nodes: measured.nodes, microseconds: measured.microseconds)
        }
        log.notice("calibrated", metadata: ["pass.us": "\(options.describe(cost))"])
        var hello = options.hello(settings, loaded, role: .verifier, dataAddress: "")
        let node = VerifierNode(
            VerifierMachine.Configuration(
                node: hello.node, incarnation: hello.incarnation, vocabularyDigest: hello.vocabularyDigest,
                modelDigest: hello.modelDigest, vocabularySize: shape.vocabularySize, sequences: shape.jobs,
                contextMax: loaded.contextPerJob,
                nodesMax: shape.nodesMax, endTokens: loaded.tokenizer.endTokens, canRewind: shape.canRewind,
                branches: shape.branches, cost: cost),
            tokenizer: loaded.tokenizer, on: loop, log: log, submit: { loaded.host.submit($0, done: $1) })
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
        await loaded.host.shutdown()
    }
}

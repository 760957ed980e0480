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
              nacre-verifier --model large.gguf --rpc 10.0.0.2:7410,10.0.0.3:7410
            The links to these have neither authentication nor encryption: for a trusted network only.
            """,
        version: "nacre-verifier \(NacreVersion.current), \(LlamaBackend.title)")

    private static let listen = OptionalSetting<HostPort>("listen")
    private static let rpc = OptionalSetting<LayerAddresses>("rpc")

    @OptionGroup var options: ModelOptions
    @OptionGroup var common: SettingsOptions

    @Option(help: ArgumentHelp("Kept for verifiers that score for each other; not used yet.", valueName: "host:port"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "Hosts that run nacre-layers and hold the model's layers. Trusted networks only.",
            valueName: "host:port,..."))
    var rpc: String?

    @Flag(name: .customLong(EngineChild.flag), help: .hidden)
    var isEngineChild = false

    func run() async throws {
        guard !isEngineChild else { await EngineChild.run() }
        let settings = try common.settings(
            ModelOptions.declarations + [Self.listen, Self.rpc],
            flags: options.flags.merging(["listen": listen, "rpc": rpc]) { $1 })
        let log = Telemetry.logger("nacre-verifier", level: settings[Settings.logLevel])
        if settings[Self.listen] != nil { log.warning("--listen has no use yet: nothing connects to a verifier") }
        let coordinator = PeerAddress(settings[ModelOptions.coordinator])
        let serving: UntilStopped
        if let layers = settings[Self.rpc] {
            let target = try RemoteTarget(options.remoteStart(settings, layers: layers), log: log)
            let first = try await target.begin()
            let verifier = RemoteVerifier(target, coordinator: coordinator, log: log) { [self] model, costs, submit in
                node(settings, model, costs, log: log, submit: submit)
            }
            serving = UntilStopped(work: { try await verifier.run(first) }, stop: { await verifier.stop() })
        } else {
            let loaded = try await options.load(settings, role: .verifier, log: log)
            let (node, hello) = node(
                settings, ServedModel(loaded), try await loaded.host.calibrate(), log: log,
                submit: { loaded.host.submit($0, done: $1) })
            serving = UntilStopped(
                work: {
                    try await node.run(coordinator: coordinator, hello: hello)
                    await loaded.host.shutdown()
                }, stop: { await node.stop() })
        }
        ReadyLine(role: "verifier").announce()
        try await Lifecycle.run([serving], logger: log, endsWithStandardInput: common.exitWithStdin)
    }

    /// The node that serves a model whose passes cost so much, and how it introduces itself.
    private func node(
        _ settings: Settings, _ model: ServedModel, _ costs: [PassCost], log: Logger,
        submit: @escaping EnginePump.Submit
    ) -> (node: VerifierNode, hello: Hello) {
        var cost = StepCostModel(nodesMax: 64, priorFixed: 1_000, perNode: 100)
        for measured in costs { cost.record(nodes: measured.nodes, microseconds: measured.microseconds) }
        log.notice("calibrated", metadata: ["pass.us": "\(options.describe(cost))"])
        let hello = options.hello(settings, model, role: .verifier, dataAddress: "")
        let (shape, tokenizer) = (model.shape, model.tokenizer)
        let node = VerifierNode(
            VerifierMachine.Configuration(
                node: hello.node, incarnation: hello.incarnation, vocabularyDigest: hello.vocabularyDigest,
                vocabularySize: shape.vocabularySize, sequences: shape.jobs, contextMax: model.contextPerJob,
                nodesMax: shape.nodesMax, endTokens: tokenizer.endTokens, canRewind: shape.canRewind,
                branches: shape.branches, cost: cost),
            tokenizer: tokenizer, on: MultiThreadedEventLoopGroup.singleton.next(), log: log, submit: submit)
        return (node, hello)
    }
}

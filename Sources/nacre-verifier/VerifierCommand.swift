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

    private static let listen = OptionalSetting<HostPort>("listen")

    @OptionGroup var options: ModelOptions
    @OptionGroup var common: SettingsOptions

    @Option(help: ArgumentHelp("Kept for verifiers that score for each other; not used yet.", valueName: "host:port"))
    var listen: String?

    func run() async throws {
        let settings = try common.settings(
            ModelOptions.declarations + [Self.listen], flags: options.flags.merging(["listen": listen]) { $1 })
        let log = Telemetry.logger("nacre-verifier", level: settings[Settings.logLevel])
        if settings[Self.listen] != nil { log.warning("--listen has no use yet: nothing connects to a verifier") }
        let loaded = try await options.load(settings, role: .verifier, log: log)
        let shape = loaded.host.shape
        var cost = StepCostModel(nodesMax: 64, priorFixed: 1_000, perNode: 100)
        for measured in try await loaded.host.calibrate() {
            cost.record(nodes: measured.nodes, microseconds: measured.microseconds)
        }
        log.notice("calibrated", metadata: ["pass.us": "\(options.describe(cost))"])
        let hello = options.hello(settings, loaded, role: .verifier, dataAddress: "")
        let node = VerifierNode(
            VerifierMachine.Configuration(
                node: hello.node, incarnation: hello.incarnation, vocabularyDigest: hello.vocabularyDigest,
                vocabularySize: shape.vocabularySize, sequences: shape.jobs, contextMax: loaded.contextPerJob,
                nodesMax: shape.nodesMax, endTokens: loaded.tokenizer.endTokens, canRewind: shape.canRewind,
                branches: shape.branches, cost: cost),
            tokenizer: loaded.tokenizer, on: MultiThreadedEventLoopGroup.singleton.next(), log: log,
            submit: { loaded.host.submit($0, done: $1) })
        ReadyLine(role: "verifier").announce()
        let coordinator = PeerAddress(settings[ModelOptions.coordinator])
        let serving = UntilStopped(
            work: { try await node.run(coordinator: coordinator, hello: hello) }, stop: { await node.stop() })
        try await Lifecycle.run([serving], logger: log, endsWithStandardInput: common.exitWithStdin)
        await loaded.host.shutdown()
    }
}

import ArgumentParser
import Logging
import NIOPosix
import NacreEngine
import NacreLlama
import NacreModelNode
import NacreNode
import NacreProtocol
import NacreRoles
import NacreTransport

@main
enum Main {
    static func main() async { await CommandLineMain.run(DrafterCommand.self) }
}

struct DrafterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nacre-drafter",
        abstract: "Runs a small model ahead of the target and streams its guesses to verifiers.",
        discussion: """
            Examples:
              nacre-drafter --model draft.gguf --coordinator 127.0.0.1:7400
              nacre-drafter --model draft.gguf --coordinator 10.0.0.1:7400 --listen 10.0.0.2:7410 --cpus 4
            The draft model must have the target's vocabulary. Verifiers connect to the address of --listen.
            """,
        version: "nacre-drafter \(NacreVersion.current), \(LlamaBackend.title)")

    private static let listen = Setting("listen", default: HostPort(host: "127.0.0.1", port: 0))
    private static let advertise = OptionalSetting<HostPort>("advertise")

    @OptionGroup var options: ModelOptions
    @OptionGroup var common: SettingsOptions

    @Option(help: ArgumentHelp("Where verifiers connect (default 127.0.0.1, any free port).", valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("The address to tell verifiers, if it is not that of --listen.", valueName: "host:port"))
    var advertise: String?

    func run() async throws {
        let settings = try common.settings(
            ModelOptions.declarations + [Self.listen, Self.advertise],
            flags: options.flags.merging(["listen": listen, "advertise": advertise]) { $1 })
        let log = Telemetry.logger("nacre-drafter", level: settings[Settings.logLevel])
        let isWildcard = ["0.0.0.0", "::"].contains(settings[Self.listen].host)
        guard !isWildcard || settings[Self.advertise] != nil else {
            throw NacreError(
                .badUsage, "verifiers cannot connect to \(settings[Self.listen].host)",
                remedy: "add --advertise with this host's own address")
        }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        // A port that cannot be had shall be known before the model is loaded, which can take minutes.
        try await PeerListener.listen(at: PeerAddress(settings[Self.listen]), on: loop) { _, _ in }.close()
        // What a drafter proposes is a hint: its last bits may depend on what else it computes.
        let loaded = try await options.load(settings, role: .drafter, exact: false, log: log)
        let shape = loaded.host.shape
        guard shape.canRewind else {
            throw NacreError(
                .failed, "this model's cache cannot be rewound, so it cannot draft",
                remedy: "use a draft model without recurrent layers")
        }
        // The first passes touch memory for the first time; better now than in a job.
        _ = try await loaded.host.calibrate(budget: .milliseconds(100))
        let incarnation = Incarnation(rawValue: .random(in: 1 ... .max))
        let name = options.nodeName(settings, role: .drafter)
        var configuration = DrafterMachine.Configuration(
            node: name, incarnation: incarnation, vocabularyDigest: loaded.tokenizer.vocabularyDigest,
            vocabularySize: shape.vocabularySize, sequences: shape.jobs, contextMax: loaded.contextPerJob,
            nodesMax: shape.nodesMax, endTokens: loaded.tokenizer.endTokens, branches: shape.branches)
        configuration.modelDigest = loaded.model.digest
        let node = DrafterNode(
            configuration, on: loop, log: log, submit: { loaded.host.submit($0, done: $1) })
        let listener = try await PeerListener.listen(
            at: PeerAddress(settings[Self.listen]), on: loop, handler: node.handle)
        let data =
            settings[Self.advertise] ?? HostPort(host: listener.address.host, port: listener.address.port)
        var hello = options.hello(settings, loaded, role: .drafter, dataAddress: data.description)
        hello.node = name
        hello.incarnation = incarnation
        ReadyLine(role: "drafter", addresses: ["data": data]).announce()
        let coordinator = PeerAddress(settings[ModelOptions.coordinator])
        let (greeting, vocabulary) = (hello, loaded.tokenizer.vocabularyChunks())
        let serving = UntilStopped(
            work: { try await node.run(coordinator: coordinator, hello: greeting, vocabulary: vocabulary) },
            stop: {
                await listener.close()
                await node.stop()
            })
        try await Lifecycle.run([serving], logger: log, endsWithStandardInput: common.exitWithStdin)
        await loaded.host.shutdown()
    }
}

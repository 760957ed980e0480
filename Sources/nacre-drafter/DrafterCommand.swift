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
              nacre-drafter --model draft.gguf --lookup suffix             what was said before, beside the model
              nacre-drafter --model target.gguf --vocabulary-only --lookup suffix,phrases        without a model
            The draft model must have the target's vocabulary. Verifiers connect to the address of --listen.
            """,
        version: "nacre-drafter \(NacreVersion.current), \(LlamaBackend.title)")

    private static let listen = Setting("listen", default: HostPort(host: "127.0.0.1", port: 0))
    private static let advertise = OptionalSetting<HostPort>("advertise")
    private static let lookup = OptionalSetting<LookupNames>("lookup")
    private static let vocabularyOnly = Setting("vocabulary-only", default: false)

    @OptionGroup var options: ModelOptions
    @OptionGroup var common: SettingsOptions

    @Option(help: ArgumentHelp("Where verifiers connect (default 127.0.0.1, any free port).", valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("The address to tell verifiers, if it is not that of --listen.", valueName: "host:port"))
    var advertise: String?

    @Option(
        help: ArgumentHelp(
            "Draft without a model too, the most trusted first: ngram (what followed the same few tokens in the "
                + "prompt), suffix (the longest match in prompt, output and past outputs), phrases (phrases met "
                + "before). Prompts and outputs of one job are drafted to others: give tenants drafters of their own.",
            valueName: "kind,..."))
    var lookup: String?

    @Flag(help: "Read the vocabulary of --model and not its weights; --lookup alone drafts.")
    var vocabularyOnly = false

    func run() async throws {
        let settings = try common.settings(
            ModelOptions.declarations + [Self.listen, Self.advertise, Self.lookup, Self.vocabularyOnly],
            flags: options.flags.merging([
                "listen": listen, "advertise": advertise, "lookup": lookup,
                "vocabulary-only": vocabularyOnly ? true.settingText : nil,
            ]) { $1 })
        let lookups = settings[Self.lookup]?.kinds ?? []
        let hasModel = !settings[Self.vocabularyOnly]
        guard hasModel || !lookups.isEmpty else {
            throw NacreError(
                .badUsage, "with --vocabulary-only there is nothing that drafts",
                remedy: "add --lookup suffix, or leave it out to draft with the model")
        }
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
        let source =
            hasModel
            ? try await DraftSource(options, settings, log: log)
            : DraftSource(try options.loadVocabulary(settings, for: lookups, log: log))
        let served = source.served
        let incarnation = Incarnation(rawValue: .random(in: 1 ... .max))
        let name = options.nodeName(settings, role: .drafter)
        var configuration = DrafterMachine.Configuration(
            node: name, incarnation: incarnation, vocabularyDigest: served.tokenizer.vocabularyDigest,
            vocabularySize: served.shape.vocabularySize, sequences: served.shape.jobs,
            contextMax: served.contextPerJob, nodesMax: served.shape.nodesMax, endTokens: served.tokenizer.endTokens,
            branches: served.shape.branches)
        configuration.modelDigest = served.digest(with: lookups)
        configuration.lookups = lookups
        configuration.hasModel = hasModel
        let node = DrafterNode(configuration, on: loop, log: log, submit: source.submit)
        let listener = try await PeerListener.listen(
            at: PeerAddress(settings[Self.listen]), on: loop, handler: node.handle)
        let data =
            settings[Self.advertise] ?? HostPort(host: listener.address.host, port: listener.address.port)
        var hello = options.hello(
            settings, served, lookups: lookups, hasModel: hasModel, dataAddress: data.description)
        hello.node = name
        hello.incarnation = incarnation
        ReadyLine(role: "drafter", addresses: ["data": data]).announce()
        let coordinator = PeerAddress(settings[ModelOptions.coordinator])
        let (greeting, vocabulary) = (hello, served.tokenizer.vocabularyChunks())
        let serving = UntilStopped(
            work: { try await node.run(coordinator: coordinator, hello: greeting, vocabulary: vocabulary) },
            stop: {
                await listener.close()
                await node.stop()
            })
        try await Lifecycle.run([serving], logger: log, endsWithStandardInput: common.exitWithStdin)
        await source.shutdown()
    }
}

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
              nacre-drafter --model other.gguf --target-vocabulary target.gguf             of another vocabulary
            The draft model has the target's vocabulary, or --target-vocabulary names the target's file, of which the
            tokenizer alone is read: then drafts cross a bridge (docs/methods.md, `nacre models check`). Verifiers
            connect to the address of --listen.
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
                + "before). Prompts and outputs of one job are drafted to others: give tenants drafters of their own. "
                + "Memory, computed from the structures: of each stream 160 bytes a token of its text for ngram and "
                + "200 for suffix, 24 MB at the longest (65,536 tokens, both); of all streams together at most 50 MB "
                + "for suffix and 40 MB for phrases.",
            valueName: "kind,..."))
    var lookup: String?

    @Flag(help: "Read the vocabulary of --model and not its weights; --lookup alone drafts.")
    var vocabularyOnly = false

    @Option(
        help: ArgumentHelp(
            "The target's GGUF file, for a draft model of another vocabulary; its weights are not read.",
            valueName: "file"))
    var targetVocabulary: String?

    @Option(
        help: ArgumentHelp(
            "How drafts become the target's tokens: auto, tli (tokens that both have), slem (by way of the text), "
                + "slem+tli (slem for greedy text, tli for sampled), slrs (by the text's probability, for tiny "
                + "vocabularies; never chosen by auto). Default auto.",
            valueName: "kind"))
    var bridge: String?

    func run() async throws {
        let settings = try common.settings(
            ModelOptions.declarations + [
                Self.listen, Self.advertise, Self.lookup, Self.vocabularyOnly, ModelOptions.targetVocabulary,
                ModelOptions.bridge,
            ],
            flags: options.flags.merging([
                "listen": listen, "advertise": advertise, "lookup": lookup,
                "vocabulary-only": vocabularyOnly ? true.settingText : nil,
                "target-vocabulary": targetVocabulary, "bridge": bridge,
            ]) { $1 })
        let lookups = settings[Self.lookup]?.kinds ?? []
        let hasModel = !settings[Self.vocabularyOnly]
        guard hasModel || !lookups.isEmpty else {
            throw NacreError(
                .badUsage, "with --vocabulary-only there is nothing that drafts",
                remedy: "add --lookup suffix, or leave it out to draft with the model")
        }
        try Self.checkBridge(settings, hasModel: hasModel)
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
        let source = try await source(settings, lookups, hasModel: hasModel, log)
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
        hello.passTimes = ShardOptions.passTimes(of: [source.costs], tried: [])
        hello.disturbance = source.costs.disturbance ?? ""
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

    private static func checkBridge(_ settings: Settings, hasModel: Bool) throws(NacreError) {
        let path = settings[ModelOptions.targetVocabulary]
        if path == nil, settings[ModelOptions.bridge]?.kind != nil {
            throw NacreError(
                .badUsage, "--bridge needs the target's vocabulary", remedy: "add --target-vocabulary target.gguf")
        }
        if path != nil, !hasModel {
            throw NacreError(
                .badUsage, "with --vocabulary-only there is no model that a bridge would be for",
                remedy: "leave --target-vocabulary out: lookups draft in the tokens of --model")
        }
    }

    private func source(
        _ settings: Settings, _ lookups: [LookupKind], hasModel: Bool, _ log: Logger
    ) async throws -> DraftSource {
        guard hasModel else { return DraftSource(try options.loadVocabulary(settings, for: lookups, log: log)) }
        if let path = settings[ModelOptions.targetVocabulary],
            let bridged = try await options.loadBridged(settings, path: path, log: log)
        {
            return try DraftSource(bridged)
        }
        return try await DraftSource(options, settings, log: log)
    }
}

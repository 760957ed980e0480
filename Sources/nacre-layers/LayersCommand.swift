import ArgumentParser
import Foundation
import Logging
import NacreEngine
import NacreLlama
import NacreNode

@main
enum Main {
    static func main() async { await CommandLineMain.run(LayersCommand.self) }
}

struct LayersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nacre-layers",
        abstract: "Holds layers of a target that is larger than one host, and computes them for its verifier.",
        discussion: """
            Examples, on two hosts that hold the layers, then on the verifier's:
              nacre-layers --listen 10.0.0.2:7420 --cpus 0-15
              nacre-layers --listen 10.0.0.3:7420 --cpus 0-15
              nacre-verifier --model large.gguf --rpc 10.0.0.2:7420,10.0.0.3:7420
            FOR A TRUSTED NETWORK ONLY: this is llama.cpp's RPC server. It asks nobody who they are, encrypts nothing,
            and whoever reaches it can make it crash or worse. By default only this host reaches it. It serves one
            verifier at a time; the weights come from that verifier, so no model file is needed here.
            """,
        version: "nacre-layers \(NacreVersion.current), \(LlamaBackend.title)")

    private static let listen = Setting("listen", default: HostPort(host: "127.0.0.1", port: 7420))
    private static let threads = OptionalSetting<Int>("threads", in: 1...512)
    private static let cpus = OptionalSetting<CPUList>("cpus")

    @OptionGroup var common: SettingsOptions

    @Option(help: ArgumentHelp("Where to listen, an IPv4 address (default 127.0.0.1:7420).", valueName: "host:port"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "Threads that compute (default: as many as --cpus names, else all cores).", valueName: "n"))
    var threads: String?

    @Option(help: ArgumentHelp("Cores to stay on, for instance 0-3,6.", valueName: "list"))
    var cpus: String?

    func run() async throws {
        let settings = try common.settings(
            [Self.listen, Self.threads, Self.cpus], flags: ["listen": listen, "threads": threads, "cpus": cpus])
        let log = Telemetry.logger("nacre-layers", level: settings[Settings.logLevel])
        let (address, cores) = (settings[Self.listen], settings[Self.cpus])
        let threads = try CPUList.threads(settings[Self.threads], on: cores)
        // llama.cpp talks on stdout, where the one line for whoever launched this process belongs.
        let output = dup(STDOUT_FILENO)
        if let quiet = fopen("/dev/null", "w") { dup2(fileno(quiet), STDOUT_FILENO) }
        let port = try await LayerServer.start(
            host: address.host, port: address.port, threads: threads, cpus: cores?.cores)
        log.notice("listening", metadata: ["address": "\(address.host):\(port)", "threads": "\(threads)"])
        let listening = HostPort(host: address.host, port: port)
        ReadyLine(role: "layers", addresses: ["listen": listening]).announce(to: output)
        try await Lifecycle.run(
            [UntilShutdown(stop: {})], logger: log, endsWithStandardInput: common.exitWithStdin)
        // The server has no end; an orderly exit would take away under it what it works with.
        _exit(EXIT_SUCCESS)
    }
}

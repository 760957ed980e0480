import ArgumentParser
import Foundation
import NacreClient
import NacreModels
import NacreNode

struct ModelsSpeedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "speed", abstract: "Time passes of a model, and what bit-exactness costs there.",
        discussion: """
            Runs an exact engine and one that is not in turns, with the model loaded twice, and gives the fastest time
            of each pass in milliseconds, its size in nodes and the tokens before it. "adopt" is what follows on the
            victory of a side branch of 4 tokens. In a pipe: context, nodes, exact, inexact, ratio, separated by tabs.

            Examples:
              nacre models speed T.gguf
              nacre models speed T.gguf --contexts 64,1024 --nodes 1,8 --threads 2 --json
            """)

    @Argument(help: ArgumentHelp("A model, a GGUF file.", valueName: "path"))
    var model: String
    @Option(help: "Tokens before the passes, separated by commas.")
    var contexts = "64,1024,3000"
    @Option(help: "Nodes of the passes, separated by commas.")
    var nodes = "1,4,8,16"
    @Option(help: "Threads that compute (default: all cores).")
    var threads: Int?
    @Flag(help: "Write the result as JSON.") var json = false

    func run() async throws {
        let contexts = try numbers(contexts, "--contexts", in: 1...100_000)
        let sizes = try numbers(nodes, "--nodes", in: 1...256)
        guard FileManager.default.fileExists(atPath: model) else {
            throw NacreError(.badUsage, "there is no model file \(model)", remedy: "check the path")
        }
        let available = try CPUList.available().cores.count
        let threads = threads ?? available
        guard (1...available).contains(threads) else {
            throw NacreError(
                .badUsage, "\(threads) threads on \(available) cores", remedy: "use --threads \(available)")
        }
        let speed = try await PassSpeed.run(path: model, threads: threads, contexts: contexts, sizes: sizes)
        let terminal = Terminal.standard()
        if json { return try terminal.write(json: speed) }
        var table = Table("context", "nodes", "exact", "inexact", "ratio")
        for row in speed.rows {
            table.add(
                "\(row.context)", row.nodes.map(String.init) ?? "adopt",
                Figures.decimal(row.exactMicroseconds / 1000, digits: 3),
                Figures.decimal(row.inexactMicroseconds / 1000, digits: 3), Figures.decimal(row.ratio, digits: 2))
        }
        try table.write(to: terminal)
    }

    private func numbers(_ list: String, _ name: String, in range: ClosedRange<Int>) throws(NacreError) -> [Int] {
        let numbers = list.split(separator: ",").compactMap { Int($0) }
        guard !numbers.isEmpty, numbers.count == list.split(separator: ",").count, numbers.allSatisfy(range.contains)
        else {
            throw NacreError(
                .badUsage, "\(name) \(list) is no list of numbers from \(range.lowerBound) to \(range.upperBound)")
        }
        return numbers.sorted()
    }
}

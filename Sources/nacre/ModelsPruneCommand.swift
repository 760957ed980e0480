import ArgumentParser
import Foundation
import NacreClient
import NacreLlama
import NacreModels
import NacreNode

struct ModelsPruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune-layers", abstract: "Make a drafter from a target by dropping layers.",
        discussion: """
            Writes a GGUF with some of the target's layers and all else as it is: a drafter of the target's vocabulary,
            for any nacre-drafter (self-speculation; Draft & Verify, Zhang et al. 2024). Layers are counted from 0.
            --exit 4 keeps the first four, an early exit. --search tries sets of layers on texts that the target
            continues, for as long as --budget says, and keeps the set with the best predicted speed-up; it needs room
            for one more such file while it runs. A drafter made before is written over, another file is not. In a
            pipe: names and values separated by tabs. Exit status 1 for a model that cannot be taken apart, 2 for one
            that is not there, a wrong list of layers and a place that cannot be written.

            Examples:
              nacre models prune-layers T.gguf --keep 0-3,7 -o D.gguf
              nacre models prune-layers T.gguf --exit 4
              nacre models prune-layers T.gguf --search --budget 5m --json
            """)

    @Argument(help: ArgumentHelp("The target, a GGUF file.", valueName: "path"))
    var model: String
    @Option(help: ArgumentHelp("The layers to keep, for instance 0-3,7.", valueName: "list"))
    var keep: String?
    @Option(help: ArgumentHelp("Keep so many of the first layers.", valueName: "layers"))
    var exit: Int?
    @Flag(help: "Search for the layers to keep.") var search = false
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The file to write (default: named after the target and the layers, in this folder).", valueName: "path"))
    var output: String?
    @Option(help: ArgumentHelp("With --search: time for it, such as 90s or 10m (default: 5m).", valueName: "time"))
    var budget: String?
    @Option(
        help: ArgumentHelp(
            "With --search: prompts that the target continues (default: some that Nacre comes with).", valueName: "path"
        ))
    var prompts: String?
    @Option(help: "With --search: threads that compute (default: all cores).")
    var threads: Int?
    @Flag(help: "Write the result as JSON.") var json = false

    func validate() throws {
        guard [keep != nil, exit != nil, search].count(where: { $0 }) == 1 else {
            throw ValidationError("Give one of --keep, --exit and --search.")
        }
        if !search && (budget != nil || prompts != nil || threads != nil) {
            throw ValidationError("--budget, --prompts and --threads go with --search.")
        }
    }

    /// What `--json` prints.
    private struct Report: Encodable {
        let output: String
        let bytes: Int
        let layers: String
        let layersKept: Int
        let layersOfTarget: Int
        let target: String
        let targetDigest: String
        let search: PruningReport?
    }

    func run() async throws {
        guard FileManager.default.fileExists(atPath: model) else {
            throw NacreError(
                .badUsage, "there is no model file \(model)",
                remedy: "check the path; relative ones start at the working directory")
        }
        let limit = try TimeSpan(budget ?? "5m", flag: "--budget").duration
        if let output { try check(output) }
        let pruning = try LayerPruning(path: model)
        let terminal = Terminal.standard()
        var found: PruningReport?
        let kept: LayerSet
        if search {
            let place = try OutputFile(output ?? pruning.fileName(nil))
            var search = try PruningSearch(
                target: pruning, threads: threadCount(),
                prompts: PromptFile.forAgreement(prompts, of: .current()), budget: limit,
                folder: URL(fileURLWithPath: place.path).deletingLastPathComponent().path)
            search.cpus = try Array(CPUList.available().cores.prefix(search.threads))
            let (line, start) = (ProgressLine(terminal), ContinuousClock.now)
            defer { line.clear() }
            let result = try await search.run { line.show(start.duration(to: .now) / limit, $0) }
            (found, kept) = (result.report, result.keep)
        } else {
            kept = try layers(of: pruning)
        }
        let path = output ?? pruning.fileName(kept)
        try check(path)
        let bytes = try pruning.write(kept, to: path)
        let report = Report(
            output: path, bytes: bytes, layers: "\(kept)", layersKept: kept.layers.count,
            layersOfTarget: kept.count, target: model, targetDigest: pruning.digestText, search: found)
        if json { return try terminal.write(json: report) }
        var rows = [
            ("file", path), ("bytes", "\(bytes)"), ("layers", "\(kept) of \(kept.count)"),
            ("made_from", "\(pruning.name) (digest \(pruning.digestText))"),
        ]
        if let found { rows += found.rows }
        try JobText.write(rows, to: terminal)
        if kept.layers.count == kept.count {
            terminal.note("all layers are kept: this drafter is as slow as its target; leave some out")
        }
        if found?.verdict == .doesNotPay {
            terminal.note("the drafter was written, but drafting with it would be slower than not drafting")
        }
    }

    /// A drafter that was made before is replaced, nothing else: models are large, and long in coming.
    private func check(_ output: String) throws {
        _ = try OutputFile(output)
        guard !FileManager.default.fileExists(atPath: output) || LayerPruning.isDrafter(output) else {
            throw NacreError(
                .badUsage, "\(output) is there already, and is no drafter that prune-layers made",
                remedy: "name another file with --output, or take that one away")
        }
    }

    private func layers(of pruning: LayerPruning) throws -> LayerSet {
        do {
            if let keep { return try LayerSet(keep, of: pruning.layers) }
            let count = exit ?? 0
            guard (1...pruning.layers).contains(count) else {
                throw NacreError(
                    .badUsage, "--exit \(count) of a model with \(pruning.layers) layers",
                    remedy: "keep 1 to \(pruning.layers)")
            }
            return try LayerSet(Array(0..<count), of: pruning.layers)
        } catch let error as LayerSet.Refusal {
            throw NacreError(.badUsage, "--keep: \(error.message)", remedy: error.remedy)
        }
    }

    private func threadCount() throws -> Int {
        let available = try CPUList.available().cores.count
        let threads = threads ?? available
        guard (1...available).contains(threads) else {
            throw NacreError(
                .badUsage, "\(threads) threads on \(available) cores", remedy: "use --threads \(available)")
        }
        return threads
    }
}

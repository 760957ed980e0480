import ArgumentParser
import Foundation
import NacreAPI
import NacreClient
import NacreLlama
import NacreModels
import NacreNode

struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "Look at model files before pairing them, and make drafters from targets.",
        discussion: """
            Needs no coordinator and no cluster.

            Examples:
              nacre models info T.gguf
              nacre models check T.gguf D.gguf
              nacre models prune-layers T.gguf --search
            """,
        subcommands: [
            ModelsInfoCommand.self, ModelsCheckCommand.self, ModelsSpeedCommand.self, ModelsPruneCommand.self,
        ])
}

/// One file, or a target and a draft.
struct ModelFiles: ParsableArguments {
    @Argument(help: ArgumentHelp("A model, a GGUF file; of two the target.", valueName: "path"))
    var model: String
    @Argument(help: ArgumentHelp("The draft model that is to be paired with it.", valueName: "draft"))
    var draft: String?
    @Flag(help: "Write the result as JSON.") var json = false

    /// The files, which are there.
    func paths() throws(NacreError) -> [String] {
        let paths = [model] + (draft.map { [$0] } ?? [])
        for path in paths where !FileManager.default.fileExists(atPath: path) {
            throw NacreError(
                .badUsage, "there is no model file \(path)",
                remedy: "check the path; relative ones start at the working directory")
        }
        return paths
    }
}

struct ModelsInfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Say what a model file holds, without loading its weights.",
        discussion: """
            Of two files the first is taken for the target: it is said what their vocabularies share, and by which
            bridge one could draft for the other. In a pipe: names and values separated by tabs; of two files the names
            start with target., draft. and pair. Exit status 1 for a file that is damaged or no model, 2 for one that is
            not there.

            Examples:
              nacre models info T.gguf
              nacre models info T.gguf D.gguf --json
            """)

    @OptionGroup var files: ModelFiles

    /// What `--json` prints.
    private struct Report: Encodable {
        let models: [ModelFacts]
        let pair: ModelPair?
    }

    func run() async throws {
        let outlines = try files.paths().map { try ModelOutline(path: $0) }
        let facts = outlines.map(ModelFacts.init)
        let pair =
            facts.count == 2
            ? ModelPair(
                target: outlines[0].tokenizer, draft: outlines[1].tokenizer,
                unfit: ModelPair.unfitness(target: facts[0], draft: facts[1])) : nil
        let terminal = Terminal.standard()
        if files.json { return try terminal.write(json: Report(models: facts, pair: pair)) }
        guard let pair else { return try JobText.write(facts[0].rows, to: terminal) }
        let parts = zip(["target", "draft", "pair"], facts.map(\.rows) + [pair.rows])
        for (part, rows) in parts {
            if terminal.isInteractive { try terminal.line(part, isBold: true) }
            try JobText.write(
                terminal.isInteractive ? rows : rows.map { ("\(part).\($0.0)", $0.1) }, to: terminal)
            if terminal.isInteractive && part != "pair" { try terminal.line("") }
        }
    }
}

struct ModelsCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Try a model file: all of its weights, its tokenizer, a token.",
        discussion: """
            Loads the whole file: it takes the memory that a node takes. Of two files the first is taken for the target,
            and, if both are sound, it is checked that the other can draft for it. Models of two vocabularies go over a
            bridge: it is said which one is taken, how much the vocabularies share, in tokens, in the tokens of a text
            and in the draft's probability, and how many drafts are expected to be accepted, of greedy and of sampled
            decoding. In a pipe: result, file, step and detail separated by tabs. Exit status 0 if all steps passed, 1
            if one failed, 2 for a file that is not there.

            Examples:
              nacre models check T.gguf
              nacre models check T.gguf D.gguf --json
            """)

    @OptionGroup var files: ModelFiles

    /// What `--json` prints.
    private struct Report: Encodable {
        let passed: Bool
        let models: [ModelCheck]
        let pair: ModelPair?
    }

    func run() async throws {
        let threads = try min(CPUList.available().cores.count, 8)
        var checks: [ModelCheck] = []
        for path in try files.paths() { checks.append(await ModelCheck.run(path: path, threads: threads)) }
        var pair = checks.count == 2 ? ModelPair(target: checks[0], draft: checks[1]) : nil
        if let sound = pair, sound.isUsable {
            pair?.prediction = try await BridgePrediction.run(
                target: checks[0].path, draft: checks[1].path, bridges: sound.bridges, threads: threads)
        }
        var failures = checks.flatMap(\.steps).filter { !$0.passed }.map(\.detail)
        if let refusal = pair?.refusal { failures.append("the two cannot be paired: \(refusal)") }
        let terminal = Terminal.standard()
        if files.json {
            try terminal.write(json: Report(passed: failures.isEmpty, models: checks, pair: pair))
        } else {
            try write(checks, pair, to: terminal)
        }
        if !failures.isEmpty { throw NacreError(.failed, failures.joined(separator: "\n")) }
    }

    private func write(_ checks: [ModelCheck], _ pair: ModelPair?, to terminal: Terminal) throws {
        var table = Table("result", "file", "step", "detail")
        for check in checks {
            for step in check.steps {
                table.add(
                    step.passed ? "PASS" : "FAIL", URL(filePath: check.path).lastPathComponent, step.name, step.detail)
            }
        }
        if let pair { table.add(pair.isUsable ? "PASS" : "FAIL", "both", "pair", pair.summary) }
        try table.write(to: terminal)
    }
}

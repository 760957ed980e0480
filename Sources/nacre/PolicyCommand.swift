import ArgumentParser
import Foundation
import NacreAPI
import NacreClient
import NacreNode

struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "See and choose how draft lengths are decided.",
        discussion: """
            Examples:
              nacre policy list
              nacre policy show adaedl
              nacre policy set default svip
              nacre policy set pycode-8m-q8_0.gguf/pycode-3m-q8_0.gguf adaedl lambda=0.4
              nacre policy reset default
            """,
        subcommands: [List.self, Show.self, Set.self, Reset.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what is set, by whom, and the policies there are.",
            discussion: "In a pipe: scope, policy, who set it, separated by tabs, for what is set.")

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let (terminal, json) = (Terminal.standard(), connection.json)
            try await connection.withCoordinator { coordinator in
                let list = try await coordinator.policies()
                if json { return try terminal.write(json: list) }
                var table = Table("scope", "policy", "set_by")
                for entry in list.policies { table.add(entry.scope, entry.policy, entry.setBy) }
                try table.write(to: terminal)
                guard terminal.isInteractive else { return }
                var known = Table("known", "meaning")
                for manual in list.known { known.add(manual.name, manual.summary) }
                try terminal.line("")
                try known.write(to: terminal)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what a policy does and its parameters.",
            discussion: "In a pipe: parameter, default, least, most, llama.cpp's name, meaning, separated by tabs.")

        @Argument(help: "A policy's name.") var name: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let (terminal, json, name) = (Terminal.standard(), connection.json, name)
            try await connection.withCoordinator { coordinator in
                let known = try await coordinator.policies().known
                guard let manual = known.first(where: { $0.name == name }) else {
                    throw NacreError(
                        .badUsage, NearestName.complaint(about: name, kind: "policy", among: known.map(\.name)))
                }
                if json { return try terminal.write(json: manual) }
                if terminal.isInteractive {
                    let place = manual.decidesPerToken ? "for each token, in the drafter" : "once per round"
                    try terminal.line("\(manual.name): \(manual.summary). It decides \(place).")
                }
                var table = Table("parameter", "default", "least", "most", "llama.cpp", "meaning")
                for one in manual.parameters {
                    table.add(
                        one.name, "\(one.initial)", "\(one.least)", "\(one.most)", one.llama ?? "-", one.meaning)
                }
                try table.write(to: terminal)
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Choose the policy of a pair of models, or of all that have none.",
            discussion: """
                Running jobs go on under it from their next round; jobs that name a policy keep theirs, and so do those
                with a tree, branches or a fixed draft length.
                """)

        @Argument(help: "default, or TARGET/DRAFT: names of models as `nacre nodes` shows them.") var scope: String
        @Argument(help: "A policy, also with its parameters: adaedl:lambda=0.4.") var policy: String
        @Argument(help: ArgumentHelp("Parameters.", valueName: "name=value")) var parameters: [String] = []
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let separator = policy.contains(":") ? "," : ":"
            let text = parameters.isEmpty ? policy : policy + separator + parameters.joined(separator: ",")
            try await PolicyCommand.change(scope, to: text, connection)
        }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take back what was set.")

        @Argument(help: "default, or TARGET/DRAFT.") var scope: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await PolicyCommand.change(scope, to: nil, connection) }
    }

    private static func change(_ scope: String, to policy: String?, _ connection: ConnectionOptions) async throws {
        let (terminal, json) = (Terminal.standard(), connection.json)
        let change = PolicyChange(
            scope: scope, policy: policy, setBy: "\(NSUserName())@\(ProcessInfo.processInfo.hostName)")
        try await connection.withCoordinator { coordinator in
            let list = try await coordinator.setPolicy(change)
            if json { return try terminal.write(json: list) }
            for entry in list.policies where entry.scope == scope || policy == nil && entry.scope == "default" {
                try terminal.line("\(entry.scope): \(entry.policy) (set by \(Table.escaped(entry.setBy)))")
            }
        }
    }
}

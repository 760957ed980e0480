import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct NodesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "List the registered verifiers and drafters.",
        discussion: """
            In a pipe: name, role, model, cores, slots, context, jobs, busy share, microseconds per step, address,
            problem, shards, what passes of 1, 2, 4 and 8 tokens took at start in microseconds, rounding, what
            disturbed that measurement, and the bridge of a drafter of another vocabulary, separated by tabs. A
            verifier's cores are divided into shards, each with an engine of its own; with --json there are the times of
            every division that was tried. The output of a verifier with inexact rounding may differ from plain decoding
            where two tokens are almost tied.

            Examples:
              nacre nodes
              nacre nodes --json
            """)

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let (terminal, json) = (Terminal.standard(), connection.json)
        try await connection.withCoordinator { coordinator in
            let nodes = try await coordinator.nodes()
            if json { return try terminal.write(json: NodeListDocument(nodes: nodes)) }
            var table = Table(
                "name", "role", "model", "cores", "slots", "context", "jobs", "busy", "step_us", "address", "problem",
                "shards", "pass_us", "rounding", "disturbance", "bridge")
            for node in nodes {
                // People see the file's name; what the model is stands behind it in parentheses.
                let file = node.model.split(separator: " (").first.map(String.init) ?? node.model
                table.add(
                    node.name, node.role, terminal.isInteractive ? file : node.model, node.cores, "\(node.slots)",
                    "\(node.context)", "\(node.jobs)",
                    Figures.decimal(node.busy, digits: 2), "\(node.stepMicroseconds)", node.address ?? "-",
                    node.problem ?? "-", "\(node.shards)", Self.passTimes(of: node),
                    node.exact.map { $0 ? "exact" : "inexact" } ?? "-", node.disturbance ?? "-",
                    node.bridge ?? "-")
            }
            try table.write(to: terminal)
        }
    }

    /// Of the division in use, for instance "1:4120 2:5900 4:6080 8:7700".
    private static func passTimes(of node: NodeDocument) -> String {
        let times = node.passTimes.filter { $0.shards == node.shards && [1, 2, 4, 8].contains($0.nodes) }
        return times.isEmpty ? "-" : times.map { "\($0.nodes):\($0.microseconds)" }.joined(separator: " ")
    }
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show whether the cluster decodes, and what it does.",
        discussion: """
            Below the cluster's own figures a line for each pair of models: what is done about drafts (drafting,
            shortened, resting, probing, checking, no drafter, plain, fixed), since when, with how many jobs, tokens per
            second, how many times as fast as plain decoding drafts were measured to be, and why. In a pipe these
            lines begin with "pair", separated by tabs: verifier, target, drafter, method, policy, tree, state, seconds,
            jobs, tokens per second, ratio, reason.

            Exit status 3 if no coordinator answers.

            Examples:
              nacre status
              nacre status --coordinator 10.0.0.7:7401 --json
            """)

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let (terminal, json) = (Terminal.standard(), connection.json)
        try await connection.withCoordinator { coordinator in
            let status = try await coordinator.status()
            if json { return try terminal.write(json: status) }
            let rows = [
                ("coordinator", "\(coordinator.address)"), ("version", status.version),
                ("ready", status.ready ? "yes" : "no"), ("verifiers", "\(status.verifiers)"),
                ("drafters", "\(status.drafters)"), ("jobs_open", "\(status.jobsOpen)"),
                ("jobs_finished", "\(status.jobsFinished)"),
                ("uptime_seconds", Figures.decimal(status.uptimeSeconds, digits: 0)),
                ("drafts", Self.drafts(status.pairs)),
            ]
            try JobText.write(rows, to: terminal)
            try Self.write(status.pairs, to: terminal)
        }
    }
    /// What jobs do with drafts, all together.
    private static func drafts(_ pairs: [PairDocument]) -> String {
        let decoding = pairs.filter { $0.jobs > 0 }
        if decoding.isEmpty { return "no job decodes" }
        let drafting = decoding.filter { ["drafting", "shortened", "probing", "checking", "fixed"].contains($0.state) }
        if drafting.isEmpty {
            return decoding.contains { $0.state == "resting" } ? "all rest: no job drafts" : "none: no job drafts"
        }
        let resting = decoding.count { $0.state == "resting" }
        return resting == 0 ? "on" : "on for \(drafting.count) of \(decoding.count) pairs, \(resting) rest"
    }

    private static func write(_ pairs: [PairDocument], to terminal: Terminal) throws {
        guard !pairs.isEmpty else { return }
        var table = Table(
            "verifier", "target", "drafter", "method", "policy", "tree", "drafts", "since_s", "jobs", "tokens/s",
            "ratio", "why")
        for pair in pairs {
            table.add(
                pair.verifier, pair.targetModel, pair.draftModel ?? "-", pair.method, pair.policy, pair.tree,
                pair.state, Figures.decimal(pair.sinceSeconds, digits: 0), "\(pair.jobs)",
                Figures.decimal(pair.tokensPerSecond, digits: 1), Figures.decimal(pair.ratio, digits: 2), pair.reason)
        }
        if terminal.isInteractive {
            try terminal.line("")
            try table.write(to: terminal)
        } else {
            for row in table.rows {
                try terminal.line((["pair"] + row).map(Table.escaped).joined(separator: "\t"))
            }
        }
    }
}

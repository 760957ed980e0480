import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct NodesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "List the registered verifiers and drafters.",
        discussion: """
            In a pipe: name, role, model, cores, slots, context, jobs, busy share, microseconds per step, address,
            problem, shards, what passes of 1, 2, 4 and 8 tokens took at start in microseconds, rounding, and what
            disturbed that measurement, separated by tabs. A verifier's cores are divided into shards, each with an
            engine of its own; with --json there are the times of every division that was tried. The output of a
            verifier with inexact rounding may differ from plain decoding where two tokens are almost tied.

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
                "shards", "pass_us", "rounding", "disturbance")
            for node in nodes {
                // People see the file's name; what the model is stands behind it in parentheses.
                let file = node.model.split(separator: " (").first.map(String.init) ?? node.model
                table.add(
                    node.name, node.role, terminal.isInteractive ? file : node.model, node.cores, "\(node.slots)",
                    "\(node.context)", "\(node.jobs)",
                    Figures.decimal(node.busy, digits: 2), "\(node.stepMicroseconds)", node.address ?? "-",
                    node.problem ?? "-", "\(node.shards)", Self.passTimes(of: node),
                    node.exact.map { $0 ? "exact" : "inexact" } ?? "-", node.disturbance ?? "-")
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
            ]
            try JobText.write(rows, to: terminal)
        }
    }
}

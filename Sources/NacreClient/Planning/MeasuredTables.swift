import Foundation
package import NacreAPI
import NacreCore
package import NacreNode

/// What passes take, in milliseconds: as a cluster's nodes measured it, or from a file.
package struct MeasuredTables: Sendable {
    /// By scored nodes.
    package var target: [(nodes: Int, milliseconds: Double)]
    /// By the jobs that are drawn for; empty if nobody knows.
    package var draft: [(nodes: Int, milliseconds: Double)]

    /// Of the first verifier and the first drafter that say.
    ///
    /// - Throws: `NacreError` `.failed` if no verifier has measured passes.
    package init(_ nodes: [NodeDocument]) throws(NacreError) {
        let verifiers = nodes.filter { $0.role == "verifier" }
        guard let table = verifiers.compactMap(Self.atStart).first else {
            throw NacreError(
                .failed, "none of \(verifiers.count) verifiers says what its passes take",
                remedy: "start a verifier, or give --target")
        }
        target = table
        let drafters = nodes.filter { $0.role == "drafter" }
        // What it took in jobs includes passes for several of them, so what it measured alone comes first.
        let step = drafters.first { $0.stepMicroseconds > 0 }?.stepMicroseconds
        draft =
            drafters.compactMap(Self.atStart).first
            ?? step.map { Simulation.scaled(table, to: Double($0) / 1_000) } ?? []
    }

    /// What a node measured at its start; `nil` if that was not a pass of one node, or not on a calm machine.
    private static func atStart(_ node: NodeDocument) -> [(nodes: Int, milliseconds: Double)]? {
        let table = node.passTimes.filter { $0.shards == node.shards }.sorted { $0.nodes < $1.nodes }
            .map { (nodes: $0.nodes, milliseconds: Double($0.microseconds) / 1_000) }
        return table.first?.nodes == 1 && (node.role == "verifier" || node.disturbance == nil) ? table : nil
    }

    /// A file with what `nacre nodes --json` writes, or with milliseconds:
    /// `{"target": {"1": 90, "4": 96}, "draft": {"1": 6}}`.
    ///
    /// - Throws: `NacreError` `.badUsage` with what is wrong with the file.
    package init(reading path: String) throws(NacreError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw NacreError(.badUsage, "cannot read the tables \(path)", remedy: "check the path")
        }
        if let list = try? JSON.decode(NodeListDocument.self, from: Array(data)) {
            self = try MeasuredTables(list.nodes)
            return
        }
        guard let file = try? JSONDecoder().decode(File.self, from: data) else {
            throw NacreError(
                .badUsage, "\(path) holds no tables",
                remedy: "give what `nacre nodes --json` writes, or "
                    + #"{"target": {"1": 90, "4": 96}, "draft": {"1": 6}} in milliseconds"#)
        }
        target = try Self.table(file.target, "target", path)
        draft = try file.draft.map { table throws(NacreError) in try Self.table(table, "draft", path) } ?? []
    }

    private struct File: Decodable {
        var target: [String: Double]
        var draft: [String: Double]?
    }

    private static func table(
        _ entries: [String: Double], _ name: String, _ path: String
    ) throws(NacreError) -> [(nodes: Int, milliseconds: Double)] {
        let text = entries.sorted { (Int($0.key) ?? 0) < (Int($1.key) ?? 0) }.map { "\($0.key):\($0.value)" }
        return try Simulation.table(text.joined(separator: ","), "\(path): \(name)")
    }
}

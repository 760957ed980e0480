import NacreCore
import NacreEngine
import NacreLlama

/// Rows of logits, bit by bit, and what was drawn from them.
struct AuditedRow {
    /// The tokens up to and with the row's own.
    var path: [TokenID]
    var request: ScoreRequest
    var bits: [UInt32]
    var choice: Choice
}

/// Keeps the rows of an engine's last pass by node.
final class RowTap {
    var rows: [Int: [UInt32]] = [:]

    var closure: (Int, Span<Float>) -> Void {
        { [self] node, row in rows[node] = row.withUnsafeBufferPointer { $0.map(\.bitPattern) } }
    }
}

/// An engine under audit: every scored row of every pass is kept with the path that led to it.
struct AuditedEngine: ~Copyable {
    var engine: LlamaEngine
    /// What each sequence holds.
    private(set) var texts = SequenceTexts()
    private(set) var rows: [AuditedRow] = []
    private let tap = RowTap()

    init(_ model: LlamaModel, _ settings: LlamaSettings) throws {
        engine = try LlamaEngine(model: model, settings: settings)
        engine.rowTap = tap.closure
    }

    @discardableResult
    mutating func run(edits: [CacheEdit] = [], _ nodes: [ForestNode] = []) throws -> [Choice] {
        try run(EnginePass(edits: edits, nodes: nodes))
    }

    @discardableResult
    mutating func run(_ pass: EnginePass) throws -> [Choice] {
        tap.rows = [:]
        let choices = try engine.run(pass).compactMap(\.choice)
        texts.edit(pass)
        var scored = 0
        for (index, node) in pass.nodes.enumerated() {
            texts.append(node)
            guard let request = node.score else { continue }
            rows.append(
                AuditedRow(
                    path: texts[node.sequence], request: request, bits: tap.rows[index] ?? [],
                    choice: choices[scored]))
            scored += 1
        }
        return choices
    }

    /// How many tokens `sequence` holds.
    func length(_ sequence: SequenceID) -> Int { texts[sequence].count }
}

/// The rows of a plain decode: one engine, one sequence, one thread, one token at a time, and each path from an
/// empty cache, so that nothing was ever rewound.
struct PlainDecode {
    private var rows: [[TokenID]: [UInt32]] = [:]

    init(_ model: LlamaModel, paths: [[TokenID]]) throws {
        let context = (paths.map(\.count).max() ?? 0) + 1
        var engine = try LlamaEngine(
            model: model, settings: LlamaSettings(threads: 1, contextPerJob: context, nodesMax: 1))
        let tap = RowTap()
        engine.rowTap = tap.closure
        // The longest first: they bring the rows of all their beginnings.
        for path in paths.sorted(by: { $0.count > $1.count }) where rows[path] == nil {
            _ = try engine.run(EnginePass(edits: [.release(0)]))
            for (position, token) in path.enumerated() {
                _ = try engine.run(EnginePass(nodes: ForestNode.chain([token], from: position, sequence: 0)))
                rows[Array(path.prefix(position + 1))] = tap.rows[0]
            }
        }
    }

    /// How many of `audited` differ from the plain decode, in any bit of the logits or in the choice.
    func differences(_ audited: [AuditedRow]) -> Int {
        var scratch = CoupledScratch()
        var count = 0
        for row in audited {
            guard let plain = rows[row.path], plain == row.bits else {
                count += 1
                continue
            }
            let choice = plain.map { Float(bitPattern: $0) }.withUnsafeBufferPointer {
                CoupledRule.choose($0.span, row.request, scratch: &scratch)
            }
            if choice != row.choice { count += 1 }
        }
        return count
    }
}

extension AuditedEngine {
    /// How many rows differ from a plain decode of the same paths.
    func differences(_ model: LlamaModel) throws -> Int {
        try PlainDecode(model, paths: rows.map(\.path)).differences(rows)
    }
}

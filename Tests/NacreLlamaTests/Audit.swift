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

    /// What a pass did that failed after its edits.
    mutating func note(_ pass: EnginePass) { texts.edit(pass) }

    /// How many tokens `sequence` holds.
    func length(_ sequence: SequenceID) -> Int { texts[sequence].count }
}

/// The rows of a plain decode: one engine, one sequence, one thread, one token at a time.
struct PlainDecode {
    private var rows: [[TokenID]: [UInt32]] = [:]

    /// - Parameter sharingPrefixes: go on from what the path before had in common, which is faster where paths are
    ///   many. Otherwise each path begins with an empty cache, so that nothing was ever rewound.
    init(_ model: LlamaModel, paths: [[TokenID]], sharingPrefixes: Bool) throws {
        let context = (paths.map(\.count).max() ?? 0) + 1
        var engine = try LlamaEngine(
            model: model, settings: LlamaSettings(threads: 1, contextPerJob: context, nodesMax: 1))
        let tap = RowTap()
        engine.rowTap = tap.closure
        // The longest first: they bring the rows of all their beginnings. Or neighbours in the dictionary's order.
        let order =
            sharingPrefixes
            ? paths.sorted { $0.lexicographicallyPrecedes($1) } : paths.sorted { $0.count > $1.count }
        var last: [TokenID] = []
        for path in order where rows[path] == nil {
            let kept = sharingPrefixes ? zip(path, last).prefix { $0 == $1 }.count : 0
            last = path
            _ = try engine.run(EnginePass(edits: [.rewind(0, length: Position(rawValue: kept))]))
            for (position, token) in path.enumerated().dropFirst(kept) {
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
    func differences(_ model: LlamaModel, sharingPrefixes: Bool = false) throws -> Int {
        try PlainDecode(model, paths: rows.map(\.path), sharingPrefixes: sharingPrefixes).differences(rows)
    }
}

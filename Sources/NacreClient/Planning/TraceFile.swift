import Foundation
import NacreAPI
import NacreCore
package import NacreNode

/// A recorded trace in a file: what `nacre run --record` wrote.
package struct TraceFile: Sendable {
    let trace: DecisionTrace

    /// - Throws: `NacreError` `.badUsage` if the file cannot be read, with the line that is damaged.
    package init(reading path: String) throws(NacreError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw NacreError(.badUsage, "cannot read the trace \(path)", remedy: "check the path and its permissions")
        }
        guard let text = String(bytes: data, encoding: .utf8) else {
            throw NacreError(.badUsage, "\(path) is no trace: it is not UTF-8 text", remedy: Self.remedy)
        }
        do {
            trace = try DecisionTrace(text.split(separator: "\n", omittingEmptySubsequences: false), Lines())
        } catch {
            throw NacreError(.badUsage, "\(path): \(error)", remedy: Self.remedy)
        }
    }

    /// What can be played again.
    ///
    /// - Throws: `NacreError` `.badUsage` if nothing can.
    func known() throws(NacreError) -> [TracePosition] {
        let known = trace.known
        guard !known.isEmpty else {
            throw NacreError(
                .badUsage, "no draft was compared at any of the trace's \(trace.positions.count) positions",
                remedy: "record with a drafter there and, where drafts rest, a fixed length: "
                    + "`nacre run --method stream --gamma 4 --record F`")
        }
        return known
    }

    private static let remedy = "write one with `nacre run --record F`"

    private struct Lines: TraceLineCoder {
        func encode(_ value: some Encodable) throws -> String { try JSONLine.encode(value) }
        func decode<Value: Decodable>(_ type: Value.Type, from line: String) throws -> Value {
            try JSONLine.decode(type, from: line)
        }
    }
}

import Foundation
import NacreCore
import Testing

/// JSON as the edges write it.
private struct JSONLines: TraceLineCoder {
    func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    func decode<Value: Decodable>(_ type: Value.Type, from line: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(line.utf8))
    }
}

@Suite("Decision traces")
struct DecisionTraceTests {
    private let header = DecisionTrace.Header(
        target: "large.gguf", draft: "small.gguf",
        passes: [.init(nodes: 1, microseconds: 100_000), .init(nodes: 4, microseconds: 130_000)],
        draftMicroseconds: 20_000, roundTripMicroseconds: 500)

    private func trace(_ count: Int) -> DecisionTrace {
        let positions = (0..<count).map { index in
            DecisionTrace.Position(
                agrees: index % 3 != 0,
                statistics: TokenStatistics(entropy: Double(index) / 8, topProbability: 0.5, margin: 1.5),
                probability: 0.25)
        }
        return DecisionTrace(header, positions: positions, times: (0..<count).map { Double($0) * 1_000 })
    }

    private func fault(_ lines: [String]) -> String? {
        do {
            _ = try DecisionTrace(lines, JSONLines())
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("What was written is read, and replays")
    func roundTrip() throws {
        let trace = trace(40)
        let lines = try trace.lines(JSONLines())
        #expect(lines.count == 41)
        #expect(lines[0].contains("\"nacreTrace\":1"))
        #expect(lines[2] == #"{"agrees":true,"at":1000,"entropy":0.125,"margin":1.5,"probability":0.25,"top":0.5}"#)
        #expect(try DecisionTrace(lines + ["", "  "], JSONLines()) == trace)
        #expect(header.cost.microseconds(nodes: 1) == 100_000 && header.cost.microseconds(nodes: 4) == 130_000)
        let replay = PolicyReplay(trace)
        #expect(replay.plain == 10 && replay.score(.goodput).tokensPerSecond > 0)
    }

    @Test("What was not known is left out and comes back as unknown")
    func unknown() throws {
        let trace = DecisionTrace(header, positions: [.init(agrees: true)], times: [0])
        let lines = try trace.lines(JSONLines())
        #expect(lines[1] == #"{"agrees":true,"at":0}"#)
        #expect(try DecisionTrace(lines, JSONLines()).positions[0].statistics.entropy.isNaN)
    }

    @Test("Positions without a draft are said to be so, and are not played again")
    func neverDrafted() throws {
        let positions = [true, nil, false, nil].map { DecisionTrace.Position(agrees: $0) }
        let trace = DecisionTrace(header, positions: positions, times: [0, 0, 500_000, 1_000_000])
        let lines = try trace.lines(JSONLines())
        #expect(lines[2] == #"{"agrees":null,"at":0}"#)
        let read = try DecisionTrace(lines, JSONLines())
        #expect(read.positions.map(\.agrees) == [true, nil, false, nil])
        #expect(read.known.map(\.agrees) == [true, false])
        // Two tokens in the second behind the first round.
        #expect(read.tokensPerSecond == 2)
        #expect(PolicyReplay(read).positions.count == 2)
    }

    @Test("A damaged line is named, with what is wrong with it")
    func faults() throws {
        let lines = try trace(3).lines(JSONLines())
        func broken(_ number: Int, _ line: String) -> String? {
            var lines = lines
            lines[number] = line
            return fault(lines)
        }
        #expect(fault(lines) == nil)
        #expect(fault([]) == "line 1 of the trace: the file is empty: record a trace with --record")
        #expect(
            fault(Array(lines.dropFirst())) == "line 1 of the trace: 'nacreTrace' is missing: "
                + "a trace begins with its header, {\"nacreTrace\":1,...}")
        #expect(
            broken(2, String(lines[2].dropLast(9)))
                == "line 3 of the trace: it is no JSON document; the file may be cut off or damaged here")
        #expect(broken(1, #"{"at":5}"#) == "line 2 of the trace: 'agrees' is missing")
        #expect(broken(1, #"{"agrees":1,"at":0}"#) == "line 2 of the trace: 'agrees' has the wrong type")
        #expect(
            broken(1, #"{"agrees":true,"at":0,"top":1.5}"#)
                == "line 2 of the trace: 'top' is 1.5, and must be within 0 to 1")
        #expect(
            broken(1, #"{"agrees":true,"at":0,"entropy":-1}"#)
                == "line 2 of the trace: 'entropy' is -1.0, and cannot be below 0")
        #expect(
            broken(3, #"{"agrees":true,"at":1}"#)
                == "line 4 of the trace: 'at' is 1.0, earlier than the line before")
        #expect(
            broken(0, lines[0].replacingOccurrences(of: ":1,\"pass", with: ":7,\"pass"))?.contains(
                "the trace has version 7, and this release reads version 1") == true)
        for (was, becomes) in [("\"nodes\":1}", "\"nodes\":0}"), ("500", "-1"), ("100000", "0")] {
            #expect(broken(0, lines[0].replacingOccurrences(of: was, with: becomes)) != nil, "\(was)")
        }
    }
}

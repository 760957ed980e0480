/// What `--record` keeps of a job: how its drafts did at each position, and what passes cost. One JSON document a line,
/// the header first.
///
/// Reading and writing JSON is done by whoever holds the file, through `TraceLineCoder`; this is what is in it.
package struct DecisionTrace: Sendable, Hashable {
    package static let version = 1
    /// Positions of one trace at most.
    package static let positionsMax = 4_000_000

    package var header: Header
    package var positions: [TracePosition]
    /// For each position when it was decided, in microseconds since the first.
    package var times: [Double]

    package init(_ header: Header, positions: [TracePosition] = [], times: [Double] = []) {
        self.header = header
        self.positions = positions
        self.times = times
    }

    /// The first line.
    package struct Header: Sendable, Hashable, Codable {
        /// Format version.
        package var nacreTrace: Int
        package var target: String
        package var draft: String
        /// Measured passes of the target.
        package var passes: [Pass]
        /// t_q.
        package var draftMicroseconds: Double
        /// 2d.
        package var roundTripMicroseconds: Double

        package init(
            target: String, draft: String, passes: [Pass], draftMicroseconds: Double, roundTripMicroseconds: Double
        ) {
            nacreTrace = DecisionTrace.version
            self.target = target
            self.draft = draft
            self.passes = passes
            self.draftMicroseconds = draftMicroseconds
            self.roundTripMicroseconds = roundTripMicroseconds
        }

        /// t_p(n).
        package var cost: StepCostModel {
            let nodesMax = passes.map(\.nodes).max() ?? 1
            var cost = StepCostModel(nodesMax: max(1, nodesMax), priorFixed: 0, perNode: 1)
            for pass in passes { cost.record(nodes: pass.nodes, microseconds: pass.microseconds) }
            return cost
        }

        fileprivate var complaint: String? {
            if nacreTrace != DecisionTrace.version {
                return "the trace has version \(nacreTrace), and this release reads version \(DecisionTrace.version): "
                    + "record it again, or use the release that wrote it"
            }
            guard !passes.isEmpty, passes.allSatisfy({ (1...4_096).contains($0.nodes) && $0.microseconds > 0 }) else {
                return "'passes' must hold sizes of 1 to 4096 nodes with times above 0"
            }
            guard draftMicroseconds >= 0, roundTripMicroseconds >= 0 else {
                return "'draftMicroseconds' and 'roundTripMicroseconds' must be 0 or more"
            }
            return nil
        }
    }

    /// A pass of so many nodes takes so long.
    package struct Pass: Sendable, Hashable, Codable {
        package var nodes: Int
        package var microseconds: Double

        package init(nodes: Int, microseconds: Double) {
            self.nodes = nodes
            self.microseconds = microseconds
        }
    }

    /// Any other line. What was not known is left out.
    private struct Line: Codable {
        var agrees: Bool
        var entropy: Double?
        var top: Double?
        var margin: Double?
        var probability: Double?
        var at: Double

        init(_ position: TracePosition, at time: Double) {
            func known(_ value: Double) -> Double? { value.isFinite ? value : nil }
            agrees = position.agrees
            entropy = known(position.statistics.entropy)
            top = known(position.statistics.topProbability)
            margin = known(position.statistics.margin)
            probability = known(position.probability)
            at = time
        }

        var position: TracePosition {
            let statistics = TokenStatistics(
                entropy: entropy ?? .nan, topProbability: top ?? .nan, margin: margin ?? .nan)
            return TracePosition(agrees: agrees, statistics: statistics, probability: probability ?? .nan)
        }

        var complaint: String? {
            if let entropy, entropy < 0 { return "'entropy' is \(entropy), and cannot be below 0" }
            for (name, value) in [("top", top), ("probability", probability)] {
                if let value, !(0...1).contains(value) { return "'\(name)' is \(value), and must be within 0 to 1" }
            }
            return nil
        }
    }

    // MARK: - Lines

    /// The trace as lines.
    package func lines(_ coder: some TraceLineCoder) throws -> [String] {
        let head = try coder.encode(header)
        return try [head] + zip(positions, times).map { try coder.encode(Line($0, at: $1)) }
    }

    /// Reads lines; empty ones are passed over.
    package init(_ lines: some Sequence<some StringProtocol>, _ coder: some TraceLineCoder) throws {
        var header: Header?
        var trace: (positions: [TracePosition], times: [Double]) = ([], [])
        for (number, text) in lines.enumerated() where !text.allSatisfy(\.isWhitespace) {
            guard header != nil else {
                let first: Header = try Self.read(String(text), number + 1, coder)
                if let complaint = first.complaint { throw TraceFault(number + 1, complaint) }
                header = first
                continue
            }
            let line: Line = try Self.read(String(text), number + 1, coder)
            if let complaint = line.complaint { throw TraceFault(number + 1, complaint) }
            if let last = trace.times.last, !(line.at >= last) {
                throw TraceFault(number + 1, "'at' is \(line.at), earlier than the line before")
            }
            guard trace.positions.count < Self.positionsMax else {
                throw TraceFault(number + 1, "a trace holds at most \(Self.positionsMax) positions: cut it")
            }
            trace.positions.append(line.position)
            trace.times.append(line.at)
        }
        guard let header else { throw TraceFault(1, "the file is empty: record a trace with --record") }
        self.init(header, positions: trace.positions, times: trace.times)
    }

    private static func read<Value: Decodable>(
        _ text: String, _ number: Int, _ coder: some TraceLineCoder
    ) throws(TraceFault) -> Value {
        do {
            return try coder.decode(Value.self, from: text)
        } catch {
            throw TraceFault(number, TraceFault.words(error, isHeader: Value.self == Header.self))
        }
    }
}

/// Turns a document into a line of JSON and back. The edge that holds the file has the encoder.
package protocol TraceLineCoder {
    func encode(_ value: some Encodable) throws -> String
    func decode<Value: Decodable>(_ type: Value.Type, from line: String) throws -> Value
}

/// What is wrong with a line of a trace.
package struct TraceFault: Error, Hashable, CustomStringConvertible {
    /// 1 the first.
    package let line: Int
    package let detail: String

    init(_ line: Int, _ detail: String) {
        self.line = line
        self.detail = detail
    }

    package var description: String { "line \(line) of the trace: \(detail)" }

    fileprivate static func words(_ error: any Error, isHeader: Bool) -> String {
        let place = isHeader ? "a trace begins with its header, {\"nacreTrace\":\(DecisionTrace.version),...}" : ""
        let fault =
            switch error {
            case DecodingError.keyNotFound(let key, _): "'\(key.stringValue)' is missing"
            case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
                "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' has the wrong type"
            default: "it is no JSON document; the file may be cut off or damaged here"
            }
        return place.isEmpty ? fault : "\(fault): \(place)"
    }
}

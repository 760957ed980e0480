/// What `--record` keeps of a job: how its drafts did at each position, and what passes cost. One JSON document a line,
/// the header first.
///
/// Reading and writing JSON is done by whoever holds the file, through `TraceLineCoder`; this is what is in it.
package struct DecisionTrace: Sendable, Hashable {
    package static let version = 1
    /// Positions of one trace at most.
    package static let positionsMax = 4_000_000
    /// Nodes of a pass in its table.
    package static let nodesMax = 4_096

    package var header: Header
    package var positions: [Position]
    /// For each position when it was decided, in microseconds since the first.
    package var times: [Double]

    package init(_ header: Header, positions: [Position] = [], times: [Double] = []) {
        self.header = header
        self.positions = positions
        self.times = times
    }

    /// One position of the text.
    package struct Position: Sendable, Hashable {
        /// Whether the drafter's token was the target's, given that all before it were; `nil` where nothing was
        /// drafted: the token behind the last draft of a round, plain decoding, the time before a drafter is ready.
        package var agrees: Bool?
        package var statistics: TokenStatistics
        package var probability: Double

        package init(agrees: Bool?, statistics: TokenStatistics = TokenStatistics(), probability: Double = .nan) {
            self.agrees = agrees
            self.statistics = statistics
            self.probability = probability
        }
    }

    /// The positions at which it is known whether the drafter agrees, one behind the other: what can be played again.
    /// Those between are left out rather than made up, so runs meet that were apart.
    package var known: [TracePosition] {
        positions.compactMap { position in
            position.agrees.map {
                TracePosition(agrees: $0, statistics: position.statistics, probability: position.probability)
            }
        }
    }

    /// Tokens per second of the recorded attempt: those behind the first round, by the time they took; `nil` if there
    /// are none.
    package var tokensPerSecond: Double? {
        guard let last = times.last, last > 0 else { return nil }
        return 1e6 * Double(times.count { $0 > 0 }) / last
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
        /// How it was decoded, for people.
        package var method: String?
        package var policy: String?

        package init(
            target: String, draft: String, passes: [Pass], draftMicroseconds: Double, roundTripMicroseconds: Double,
            method: String? = nil, policy: String? = nil
        ) {
            nacreTrace = DecisionTrace.version
            self.target = target
            self.draft = draft
            self.passes = passes
            self.draftMicroseconds = draftMicroseconds
            self.roundTripMicroseconds = roundTripMicroseconds
            self.method = method
            self.policy = policy
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
            let sizes = 1...DecisionTrace.nodesMax
            guard !passes.isEmpty, passes.allSatisfy({ sizes.contains($0.nodes) && $0.microseconds > 0 }) else {
                return "'passes' must hold sizes of 1 to \(DecisionTrace.nodesMax) nodes with times above 0"
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

    /// Any other line. Statistics that were not known are left out.
    private struct Line: Codable {
        /// `null`, not nothing, where no draft was: a line without the word is damaged.
        struct Agreement: Codable {
            var value: Bool?

            init(_ value: Bool?) { self.value = value }

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                value = container.decodeNil() ? nil : try container.decode(Bool.self)
            }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                if let value { try container.encode(value) } else { try container.encodeNil() }
            }
        }

        var agrees: Agreement
        var entropy: Double?
        var top: Double?
        var margin: Double?
        var probability: Double?
        var at: Double

        init(_ position: Position, at time: Double) {
            func known(_ value: Double) -> Double? { value.isFinite ? value : nil }
            agrees = Agreement(position.agrees)
            entropy = known(position.statistics.entropy)
            top = known(position.statistics.topProbability)
            margin = known(position.statistics.margin)
            probability = known(position.probability)
            at = time
        }

        var position: Position {
            let statistics = TokenStatistics(
                entropy: entropy ?? .nan, topProbability: top ?? .nan, margin: margin ?? .nan)
            return Position(agrees: agrees.value, statistics: statistics, probability: probability ?? .nan)
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
        var trace: (positions: [Position], times: [Double]) = ([], [])
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

import NacreAPI
import NacreCore
import NacreProtocol

// `GET /v1/jobs/{id}/record`: a job's recording as the lines of a trace.
extension DecisionTrace {
    /// `nil` if the job has none.
    init?(_ record: JobRecord) {
        guard let recording = record.recording else { return nil }
        var trace = DecisionTrace(
            Header(
                target: record.modelName, draft: record.draftModels.sorted().joined(separator: ", "),
                passes: recording.passes.map { Pass(nodes: $0.nodes, microseconds: Double($0.microseconds)) },
                draftMicroseconds: Double(recording.draftMicroseconds),
                roundTripMicroseconds: Double(recording.roundTripMicroseconds),
                method: record.specification.speculation.method.name,
                policy: Self.policy(of: record)))
        var time = 0.0
        for position in recording.positions {
            time += Double(position.delay)
            trace.times.append(time)
            trace.positions.append(Position(position))
        }
        self = trace
    }

    /// How the lengths of its drafts came to be; `nil` without drafts.
    private static func policy(of record: JobRecord) -> String? {
        let speculation = record.specification.speculation
        guard speculation.method != .autoregressive else { return nil }
        return speculation.gamma > 0 ? "fixed:gamma=\(speculation.gamma)" : record.policy.policy.description
    }
}

extension DecisionTrace.Position {
    fileprivate init(_ position: JobRecording.Position) {
        let measure = position.measure
        /// As many digits as a reader can use; the rest is the float's own rounding.
        func known(_ value: Float) -> Double { value >= 0 ? (1e6 * Double(value)).rounded() / 1e6 : .nan }
        let agrees: Bool? =
            switch position.agreement {
            case .unknown: nil
            case .differs: false
            case .agrees: true
            }
        self.init(
            agrees: agrees,
            statistics: TokenStatistics(
                entropy: known(measure.entropy), topProbability: known(measure.top), margin: known(measure.margin)),
            probability: known(measure.probability))
    }
}

struct TraceLines: TraceLineCoder {
    func encode(_ value: some Encodable) throws -> String { try JSONLine.encode(value) }
    func decode<Value: Decodable>(_ type: Value.Type, from line: String) throws -> Value {
        try JSONLine.decode(type, from: line)
    }
}

internal import CNacreProto
import NacreCore
import NacreProtocol

// What is recorded of a job: measures that come with drafts, and the whole recording.

/// `DraftMeasure`s as the columns that travel.
private struct MeasureColumns {
    var entropy: [Float] = []
    var top: [Float] = []
    var margin: [Float] = []
    var drawn: [Float] = []

    init(_ measures: some Sequence<DraftMeasure>) {
        for measure in measures {
            entropy.append(measure.entropy)
            top.append(measure.top)
            margin.append(measure.margin)
            drawn.append(measure.probability)
        }
    }
}

extension FieldReader {
    /// - Parameter count: as many as there must be.
    fileprivate func measures(
        entropy: (Int, UnsafeMutablePointer<Float>?), top: (Int, UnsafeMutablePointer<Float>?),
        margin: (Int, UnsafeMutablePointer<Float>?), drawn: (Int, UnsafeMutablePointer<Float>?), count: Int
    ) throws(WireError) -> [DraftMeasure] {
        guard let entropies = entropy.1, let tops = top.1, let margins = margin.1, let drawns = drawn.1 else {
            guard count == 0, entropy.0 == 0, top.0 == 0, margin.0 == 0, drawn.0 == 0 else {
                throw invalid("entropy", "has \(entropy.0) items for \(count) tokens, or its neighbours have others")
            }
            return []
        }
        guard entropy.0 == count, top.0 == count, margin.0 == count, drawn.0 == count else {
            throw invalid("entropy", "has \(entropy.0) items for \(count) tokens, or its neighbours have others")
        }
        var measures: [DraftMeasure] = []
        measures.reserveCapacity(count)
        for index in 0..<count {
            let measure = DraftMeasure(
                entropy: entropies[index], top: tops[index], margin: margins[index], probability: drawns[index])
            if let complaint = measure.complaint { throw invalid("entropy", "or a neighbour \(complaint)") }
            measures.append(measure)
        }
        return measures
    }
}

extension Draft {
    func packMeasures(into wire: UnsafeMutablePointer<Nacre__Draft>, _ writer: borrowing FieldWriter) {
        guard !measures.isEmpty else { return }
        let columns = MeasureColumns(measures)
        (wire.pointee.n_entropy, wire.pointee.entropy) = (columns.entropy.count, writer.copy(columns.entropy))
        (wire.pointee.n_top, wire.pointee.top) = (columns.top.count, writer.copy(columns.top))
        (wire.pointee.n_margin, wire.pointee.margin) = (columns.margin.count, writer.copy(columns.margin))
        (wire.pointee.n_drawn, wire.pointee.drawn) = (columns.drawn.count, writer.copy(columns.drawn))
    }

    /// None, or one for each token.
    static func measures(_ wire: Nacre__Draft, _ fields: FieldReader) throws(WireError) -> [DraftMeasure] {
        let isMeasured = wire.n_entropy > 0 || wire.n_top > 0 || wire.n_margin > 0 || wire.n_drawn > 0
        return try fields.measures(
            entropy: (wire.n_entropy, wire.entropy), top: (wire.n_top, wire.top),
            margin: (wire.n_margin, wire.margin), drawn: (wire.n_drawn, wire.drawn),
            count: isMeasured ? wire.n_token : 0)
    }
}

extension JobRecording {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__job_recording__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.n_nodes = passes.count
        wire.pointee.nodes = try writer.numbers(passes.map(\.nodes), "nodes")
        wire.pointee.n_microseconds = passes.count
        wire.pointee.microseconds = writer.copy(passes.map(\.microseconds))
        wire.pointee.draft_microseconds = draftMicroseconds
        wire.pointee.round_trip_microseconds = roundTripMicroseconds
        wire.pointee.n_agreement = positions.count
        wire.pointee.agreement = writer.copy(positions.map { UInt32($0.agreement.rawValue) })
        wire.pointee.n_delay = positions.count
        wire.pointee.delay = writer.copy(positions.map(\.delay))
        let columns = MeasureColumns(positions.lazy.map(\.measure))
        (wire.pointee.n_entropy, wire.pointee.entropy) = (columns.entropy.count, writer.copy(columns.entropy))
        (wire.pointee.n_top, wire.pointee.top) = (columns.top.count, writer.copy(columns.top))
        (wire.pointee.n_margin, wire.pointee.margin) = (columns.margin.count, writer.copy(columns.margin))
        (wire.pointee.n_drawn, wire.pointee.drawn) = (columns.drawn.count, writer.copy(columns.drawn))
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__JobRecording, _ fields: FieldReader) throws(WireError) {
        let total = wire.n_agreement
        guard total <= Self.positionsMax, wire.n_delay == total else {
            throw fields.invalid("agreement", "has \(total) items, more than allowed or not as many as its neighbours")
        }
        guard wire.n_nodes <= Limits.passTimesMax, wire.n_microseconds == wire.n_nodes else {
            throw fields.invalid("nodes", "has \(wire.n_nodes) items, more than allowed or not as many as its times")
        }
        var passes: [Pass] = []
        for index in 0..<wire.n_nodes {
            let pass = Pass(nodes: Int(wire.nodes[index]), microseconds: wire.microseconds[index])
            guard (1...DecisionTrace.nodesMax).contains(pass.nodes), pass.microseconds > 0,
                pass.microseconds.isFinite
            else { throw fields.invalid("nodes", "has a pass of \(pass.nodes) in \(pass.microseconds) us") }
            passes.append(pass)
        }
        for time in [wire.draft_microseconds, wire.round_trip_microseconds] {
            guard time >= 0, time.isFinite else {
                throw fields.invalid("draftMicroseconds", "or its neighbour \(time)")
            }
        }
        let measures = try fields.measures(
            entropy: (wire.n_entropy, wire.entropy), top: (wire.n_top, wire.top),
            margin: (wire.n_margin, wire.margin), drawn: (wire.n_drawn, wire.drawn), count: total)
        var positions: [Position] = []
        positions.reserveCapacity(total)
        for (index, measure) in measures.enumerated() {
            guard let agreement = UInt8(exactly: wire.agreement[index]).flatMap(Agreement.init(rawValue:)) else {
                throw fields.invalid("agreement", "is \(wire.agreement[index]), which means nothing")
            }
            positions.append(Position(agreement, delay: wire.delay[index], measure: measure))
        }
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt),
            passes: passes, draftMicroseconds: wire.draft_microseconds,
            roundTripMicroseconds: wire.round_trip_microseconds, positions: positions)
    }
}

internal import CNacreProto
import NacreCore
import NacreProtocol

extension JobTrace {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__job_trace__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        var (kinds, lanes, starts, durations, counts) = ([UInt32](), [UInt32](), [UInt32](), [UInt32](), [UInt32]())
        for event in events {
            kinds.append(event.kind.rawValue)
            lanes.append(try writer.number(event.lane, "lane"))
            starts.append(try writer.number(event.start, "start"))
            durations.append(try writer.number(event.duration, "duration"))
            counts.append(try writer.number(event.count, "count"))
        }
        (wire.pointee.n_kind, wire.pointee.kind) = (kinds.count, writer.copy(kinds))
        (wire.pointee.n_lane, wire.pointee.lane) = (lanes.count, writer.copy(lanes))
        (wire.pointee.n_start, wire.pointee.start) = (starts.count, writer.copy(starts))
        (wire.pointee.n_duration, wire.pointee.duration) = (durations.count, writer.copy(durations))
        (wire.pointee.n_count, wire.pointee.count) = (counts.count, writer.copy(counts))
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__JobTrace, _ fields: FieldReader) throws(WireError) {
        let total = wire.n_kind
        guard total <= TraceRecorder.eventsMax, wire.n_lane == total, wire.n_start == total, wire.n_duration == total,
            wire.n_count == total
        else { throw fields.invalid("kind", "has \(total) items, more than allowed or not as many as its neighbours") }
        var events: [Event] = []
        events.reserveCapacity(total)
        for index in 0..<total {
            events.append(
                Event(
                    try fields.choice(wire.kind[index], "kind"), lane: try fields.count(wire.lane[index], "lane"),
                    start: try fields.count(wire.start[index], "start"),
                    duration: try fields.count(wire.duration[index], "duration"),
                    count: try fields.count(wire.count[index], "count")))
        }
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt), events: events)
    }
}

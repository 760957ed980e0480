import NacreAPI
import NacreProtocol

// A job's events as tracks: the verifier's passes, its commits, one for each drafter and each helper.
extension TraceDocument {
    init(_ record: JobRecord) {
        var names: [Int: String] = [:]
        var events: [Event] = []
        for event in record.trace {
            let count = ["count": "\(event.count)"]
            switch event.kind {
            case .pass:
                names[1] = "verifier: passes"
                let drafts = max(0, event.count - 1)
                events.append(
                    Event(name: "verify \(drafts)", ph: "X", tid: 1, ts: event.start, dur: event.duration, args: count))
            case .commit:
                names[2] = "committed"
                events.append(Event(name: "+\(event.count)", ph: "i", tid: 2, ts: event.start, s: "t", args: count))
            case .draft:
                names[10 + event.lane] = "drafter \(event.lane + 1)"
                events.append(
                    Event(
                        name: "draft \(event.count)", ph: "X", tid: 10 + event.lane, ts: event.start,
                        dur: event.duration, args: count))
            case .shard:
                let track = Self.helperTracks.lowerBound + event.lane
                names[track] = "helper \(event.lane + 1), and the way there"
                events.append(
                    Event(
                        name: "score \(event.count)", ph: "X", tid: track, ts: event.start, dur: event.duration,
                        args: count))
            }
        }
        let tracks = names.sorted { $0.key < $1.key }.map {
            Event(name: "thread_name", ph: "M", tid: $0.key, args: ["name": $0.value])
        }
        self.init(traceEvents: tracks + events)
    }
}

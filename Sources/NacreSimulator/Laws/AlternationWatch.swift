import NacreCore
import NacreProtocol

/// What passes between a verifier and the drafters on its cores, from the messages alone.
struct AlternationWatch {
    private struct StreamKey: Hashable {
        var id: ConnectionID
        var stream: StreamID
    }

    /// So long every drafter that reads a text is waited for, in microseconds; for a long text it may be longer.
    private static let readingMin = Instant.seconds(1)

    /// Streams that are being read, since when; and those that were for too long, which may draft beside passes then.
    private var reading: [StreamKey: Instant] = [:]
    private var late: Set<StreamKey> = []
    /// Jobs that were offered drafters, and whether all of these are on the verifier's cores.
    private var jobs: [JobID: Bool] = [:]

    mutating func opened(_ stream: StreamID, on id: ConnectionID, at now: Instant) {
        reading[StreamKey(id: id, stream: stream)] = now
    }

    mutating func ready(_ stream: StreamID, on id: ConnectionID, at now: Instant) {
        let key = StreamKey(id: id, stream: stream)
        if isExcused(stream, on: id, at: now) { late.insert(key) }
        reading[key] = nil
    }

    func isExcused(_ stream: StreamID, on id: ConnectionID, at now: Instant) -> Bool {
        let key = StreamKey(id: id, stream: stream)
        return late.contains(key) || reading[key].map { now - $0 > Self.readingMin } ?? false
    }

    mutating func assigned(_ job: JobID, _ offers: [Offer]) {
        jobs[job] = nil
        offered(job, offers)
    }

    mutating func offered(_ job: JobID, _ offers: [Offer]) {
        guard !offers.isEmpty else { return }
        jobs[job] = jobs[job, default: true] && offers.allSatisfy(\.sharesCores)
    }

    /// Whether all drafts of the job came from drafters on the verifier's cores.
    func alternates(_ job: JobID) -> Bool { jobs[job] ?? false }
}

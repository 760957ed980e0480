/// `GET /v1/jobs/{id}/trace`: what happened in a job's last attempt, as Chrome's trace viewer and Perfetto read it.
///
/// The keys are that format's own, not ours. Times are in microseconds on the verifier's clock; a drafter's pass is
/// placed where its drafts arrived, so it lies later than it was by their way.
package struct TraceDocument: Codable, Sendable, Equatable {
    package struct Event: Codable, Sendable, Equatable {
        package var name: String
        /// "X" a span, "i" an instant, "M" the name of a track.
        package var ph: String
        package var pid: Int
        package var tid: Int
        package var ts: Int?
        package var dur: Int?
        /// Of an instant: its scope.
        package var s: String?
        package var args: [String: String]

        package init(
            name: String, ph: String, tid: Int, ts: Int? = nil, dur: Int? = nil, s: String? = nil,
            args: [String: String]
        ) {
            self.name = name
            self.ph = ph
            pid = 1
            self.tid = tid
            self.ts = ts
            self.dur = dur
            self.s = s
            self.args = args
        }
    }

    package var traceEvents: [Event]
    package var displayTimeUnit = "ms"

    /// The `tid` of spans in which another verifier scored a part of the job, one track for each text held there.
    package static let helperTracks = 50..<66

    package init(traceEvents: [Event]) { self.traceEvents = traceEvents }

    /// How often other verifiers scored a part of the job: what they only read is in no trace.
    package var helped: Int { traceEvents.count { $0.ph == "X" && Self.helperTracks.contains($0.tid) } }
}

import NacreCore

/// What happened in one attempt of a job, for people who want to see where its time went. Sent before `JobEnded`.
package struct JobTrace: Sendable, Equatable {
    /// One event on the verifier's clock.
    package struct Event: Sendable, Hashable {
        package enum Kind: UInt32, Sendable, CaseIterable {
            /// A pass of the target in which the job had a part; `count` nodes of it are the job's.
            case pass = 1
            /// A pass of a drafter that brought `count` drafts. It is placed where they arrived, so it lies later than
            /// it was by their way here.
            case draft = 2
            /// `count` tokens were committed.
            case commit = 3
            /// A shard of `count` drafts, from sending to its scores.
            case shard = 4
        }

        package var kind: Kind
        /// Whose: the place of the drafter or helper among the job's; 0 for the verifier itself.
        package var lane: Int
        /// Microseconds since the attempt's first event.
        package var start: Int
        package var duration: Int
        package var count: Int

        package init(_ kind: Kind, lane: Int = 0, start: Int, duration: Int = 0, count: Int) {
            self.kind = kind
            self.lane = lane
            self.start = start
            self.duration = duration
            self.count = count
        }
    }

    package var job: JobID
    package var attempt: Attempt
    package var events: [Event]

    package init(job: JobID, attempt: Attempt, events: [Event]) {
        self.job = job
        self.attempt = attempt
        self.events = events
    }
}

/// The events of a running attempt: the first `eventsMax`, so that a long job costs no more.
package struct TraceRecorder: Sendable {
    package static let eventsMax = 4_096

    private var origin: Instant?
    package private(set) var events: [JobTrace.Event] = []

    package init() {}

    package mutating func note(
        _ kind: JobTrace.Event.Kind, lane: Int = 0, from start: Instant, to end: Instant, count: Int
    ) {
        guard events.count < Self.eventsMax else { return }
        let origin = origin ?? start
        self.origin = origin
        // What began before the first event, such as the drafting of the first draft, is cut there.
        let first = max(start, origin)
        events.append(
            JobTrace.Event(kind, lane: lane, start: first - origin, duration: max(0, end - first), count: count))
    }
}

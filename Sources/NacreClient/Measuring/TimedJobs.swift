package import NacreAPI
import NacreNode

/// Jobs decoded at the same time, and how fast they were together.
package struct TimedJobs: Sendable {
    package let finished: [FinishedJob]
    /// Of all jobs together by the clock on the wall, from the first commit of the first to the end of the last: of one
    /// job that is decoding alone, of several also the prompts of those that begin later. Jobs with several texts have
    /// no commit before their end: they are timed from the start of their first pass on, with that pass's token.
    package let tokensPerSecond: Double
    /// From the submission of all to the end of the last.
    package let seconds: Double

    package init(finished: [FinishedJob], tokensPerSecond: Double, seconds: Double) {
        self.finished = finished
        self.tokensPerSecond = tokensPerSecond
        self.seconds = seconds
    }

    /// How a job went.
    package struct Course: Sendable {
        let number: Int
        let job: FinishedJob
        /// Decoding is timed from here on.
        let first: ContinuousClock.Instant
        /// Tokens that were there then.
        let atFirst: Int
        let end: ContinuousClock.Instant

        init(
            number: Int, job: FinishedJob, first: ContinuousClock.Instant, atFirst: Int, end: ContinuousClock.Instant
        ) {
            self.number = number
            self.job = job
            self.first = first
            self.atFirst = atFirst
            self.end = end
        }

        /// A job that committed nothing before its end: it decoded up to then, for as long as its document says.
        package init(
            number: Int, whole job: FinishedJob, from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
        ) {
            var first = start
            if let rate = job.document.statistics.tokensPerSecond, rate > 0 {
                first = max(start, end - .seconds(Double(job.document.tokens.count) / rate))
            }
            self.init(number: number, job: job, first: first, atFirst: 0, end: end)
        }
    }

    /// Runs the jobs to their end.
    ///
    /// - Throws: as `CoordinatorClient.run`.
    package static func run(_ requests: [JobRequest], at coordinator: CoordinatorClient) async throws -> TimedJobs {
        let start = ContinuousClock.now
        let courses = try await withThrowingTaskGroup(of: Course.self) { group in
            for (number, request) in requests.enumerated() {
                group.addTask { try await follow(number, request, at: coordinator) }
            }
            var courses: [Course] = []
            for try await course in group { courses.append(course) }
            return courses
        }
        return TimedJobs(courses, from: start)
    }

    /// What the courses of jobs come to that were submitted at `start`.
    package init(_ courses: [Course], from start: ContinuousClock.Instant) {
        let courses = courses.sorted { $0.number < $1.number }
        let first = courses.min { $0.first < $1.first }
        let end = courses.map(\.end).max() ?? start
        let tokens = courses.reduce(0) { $0 + $1.job.document.tokens.count }
        let later = tokens - (first?.atFirst ?? 0)
        let isLong = later > 0
        let seconds = max(1e-6, ((isLong ? first?.first ?? start : start).duration(to: end)) / .seconds(1))
        self.init(
            finished: courses.map(\.job), tokensPerSecond: Double(isLong ? later : tokens) / seconds,
            seconds: start.duration(to: end) / .seconds(1))
    }

    private static func follow(
        _ number: Int, _ request: JobRequest, at coordinator: CoordinatorClient
    ) async throws -> Course {
        if request.usesBeams {
            let start = ContinuousClock.now
            let job = try await coordinator.run(request)
            let end = ContinuousClock.now
            try check(job.document)
            return Course(number: number, whole: job, from: start, to: end)
        }
        var margins: [Float?] = []
        var first: (time: ContinuousClock.Instant, tokens: Int)?
        for try await event in try await coordinator.stream(request) {
            let now = ContinuousClock.now
            switch event {
            case .started: break
            case .tokens(let tokens):
                margins += tokens.margins
                if first == nil, !tokens.tokens.isEmpty { first = (now, tokens.tokens.count) }
            case .ended(let document):
                try check(document)
                return Course(
                    number: number, job: FinishedJob(document: document, margins: margins), first: first?.time ?? now,
                    atFirst: first?.tokens ?? 0, end: now)
            }
        }
        throw NacreError(.failed, "a job's stream ended without its end")
    }

    private static func check(_ document: JobDocument) throws {
        guard document.state != "done" else { return }
        try Task.checkCancellation()
        throw NacreError(.failed, "a job ended as \(document.state): \(document.error ?? "no reason given")")
    }
}

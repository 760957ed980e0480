package import NacreAPI
import NacreNode

/// Jobs decoded at the same time, and how fast they were together.
package struct TimedJobs: Sendable {
    package let finished: [FinishedJob]
    /// Of all jobs together by the clock on the wall, from the first commit of the first to the end of the last: of one
    /// job that is decoding alone, of several also the prompts of those that begin later.
    package let tokensPerSecond: Double
    /// From the submission of all to the end of the last.
    package let seconds: Double

    package init(finished: [FinishedJob], tokensPerSecond: Double, seconds: Double) {
        self.finished = finished
        self.tokensPerSecond = tokensPerSecond
        self.seconds = seconds
    }

    private struct Course: Sendable {
        let number: Int
        let job: FinishedJob
        let first: ContinuousClock.Instant
        /// Tokens of the first commit.
        let atFirst: Int
        let end: ContinuousClock.Instant
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
            return courses.sorted { $0.number < $1.number }
        }
        let first = courses.min { $0.first < $1.first }
        let end = courses.map(\.end).max() ?? start
        let tokens = courses.reduce(0) { $0 + $1.job.document.tokens.count }
        let later = tokens - (first?.atFirst ?? 0)
        let isLong = later > 0
        let seconds = max(1e-6, ((isLong ? first?.first ?? start : start).duration(to: end)) / .seconds(1))
        return TimedJobs(
            finished: courses.map(\.job), tokensPerSecond: Double(isLong ? later : tokens) / seconds,
            seconds: start.duration(to: end) / .seconds(1))
    }

    private static func follow(
        _ number: Int, _ request: JobRequest, at coordinator: CoordinatorClient
    ) async throws -> Course {
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
                guard document.state == "done" else {
                    try Task.checkCancellation()
                    let why = document.error ?? "no reason given"
                    throw NacreError(.failed, "a job ended as \(document.state): \(why)")
                }
                return Course(
                    number: number, job: FinishedJob(document: document, margins: margins), first: first?.time ?? now,
                    atFirst: first?.tokens ?? 0, end: now)
            }
        }
        throw NacreError(.failed, "a job's stream ended without its end")
    }
}

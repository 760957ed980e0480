/// What jobs are counted by: few values each, whatever the load.
package struct JobKind: Sendable, Hashable, Comparable {
    package var target: String
    /// Models of the drafters it was given, in the order of their names, with a + between them; empty for none.
    package var draft: String
    package var method: String
    package var rule: String

    package init(target: String, draft: String, method: String, rule: String) {
        self.target = target
        self.draft = draft
        self.method = method
        self.rule = rule
    }

    package static func < (left: JobKind, right: JobKind) -> Bool {
        (left.target, left.draft, left.method, left.rule) < (right.target, right.draft, right.method, right.rule)
    }
}

/// What the jobs of one kind came to, all that are over.
package struct JobTotals: Sendable, Equatable {
    package private(set) var jobs = 0
    package private(set) var failed = 0
    package private(set) var promptTokens = 0
    package private(set) var outputTokens = 0
    package private(set) var statistics = JobStatistics()

    package init() {}

    mutating func add(_ job: JobRecord) {
        jobs += 1
        if case .failed = job.outcome { failed += 1 }
        promptTokens += job.promptTokens.count
        outputTokens += job.output.count
        statistics.add(job.statistics)
    }
}

/// What jobs are counted by. Names of models are the nodes' own words: there may be any number of kinds, of which
/// `Limits.jobKindsMax` are told apart.
package struct JobKind: Sendable, Hashable, Comparable {
    package var target: String
    /// Models of the drafters it was offered, in the order of their names, with a + between them; empty for none.
    package var draft: String
    package var method: String
    package var rule: String

    package init(target: String, draft: String, method: String, rule: String) {
        self.target = target
        self.draft = draft
        self.method = method
        self.rule = rule
    }

    /// That of all jobs whose own kind came when there were as many as are told apart.
    package static let other = JobKind(target: "other", draft: "other", method: "other", rule: "other")

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

extension [JobKind: JobTotals] {
    mutating func add(_ job: JobRecord, as kind: JobKind) {
        let others = self[.other] == nil ? 0 : 1
        let isCounted = self[kind] != nil || count - others < Limits.jobKindsMax
        self[isCounted ? kind : .other, default: JobTotals()].add(job)
    }
}

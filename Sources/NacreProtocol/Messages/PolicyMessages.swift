package import NacreCore

// Changes of a draft-length policy while jobs run.

/// Coordinator → verifier: from the next round on the job's drafts are as many as this policy says.
package struct JobPolicy: Sendable, Equatable {
    package var job: JobID
    package var attempt: Attempt
    package var policy: PolicySpecification

    package init(job: JobID, attempt: Attempt, policy: PolicySpecification) {
        self.job = job
        self.attempt = attempt
        self.policy = policy
    }
}

/// Verifier → drafter: the same of a stream.
package struct StreamPolicy: Sendable, Equatable {
    package var stream: StreamID
    package var policy: PolicySpecification

    package init(stream: StreamID, policy: PolicySpecification) {
        self.stream = stream
        self.policy = policy
    }
}

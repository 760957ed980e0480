package import NacreAPI

/// What a coordinator said of its cluster at one moment.
package struct ClusterSample: Sendable {
    package var at: ContinuousClock.Instant
    package var status: StatusDocument
    package var jobs: [JobSummary]
    package var nodes: [NodeDocument]

    package init(
        at: ContinuousClock.Instant, status: StatusDocument, jobs: [JobSummary], nodes: [NodeDocument]
    ) {
        self.at = at
        self.status = status
        self.jobs = jobs
        self.nodes = nodes
    }
}

extension CoordinatorClient {
    /// The cluster as it is now.
    package func sample() async throws -> ClusterSample {
        let (status, jobs, nodes) = (try await status(), try await jobs(), try await nodes())
        return ClusterSample(at: .now, status: status, jobs: jobs, nodes: nodes)
    }
}

extension PairDocument {
    /// Whether both are of the same drafts, at different times.
    func isOf(_ other: PairDocument) -> Bool {
        verifier == other.verifier && targetModel == other.targetModel && draftModel == other.draftModel
            && method == other.method && policy == other.policy && tree == other.tree
            && (state == "fixed") == (other.state == "fixed")
    }
}

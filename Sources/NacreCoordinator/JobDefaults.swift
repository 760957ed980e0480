package import NacreAPI
import NacreProtocol

/// How jobs are decoded that say nothing about it: what the coordinator's settings have, and `nacre tune` writes there.
package struct JobDefaults: Sendable, Equatable {
    package var method: String?
    package var gamma: Int?
    package var tree: String?
    package var branches: Int?

    package init(method: String? = nil, gamma: Int? = nil, tree: String? = nil, branches: Int? = nil) {
        self.method = method
        self.gamma = gamma
        self.tree = tree
        self.branches = branches
    }

    /// Fills in what `request` leaves open. A job that says anything about how it is to be speculated on has said it
    /// all: a default tree beside a method of its own would be a mixture that nobody asked for.
    package func fill(_ request: inout JobRequest) {
        let isOpen =
            request.method == nil && request.gamma == nil && request.policy == nil && request.draftNMax == nil
            && request.draftNMin == nil && request.draftPMin == nil && request.rule == nil && request.tree == nil
            && request.branches == nil && request.payload == nil && request.candidates == nil && request.merge == nil
            && !request.hasBeams
        guard isOpen else { return }
        request.method = method
        request.gamma = gamma
        request.tree = tree
        request.branches = branches
    }

    /// What is wrong with them; `nil` if nothing is.
    package var complaint: String? {
        var request = JobRequest(prompt: "")
        fill(&request)
        if let method = method.flatMap(DecodingMethod.init(name:)), !method.keepsText {
            let reason = method.isLossy ? "is lossy" : "draws several texts"
            return "method \(method.name) \(reason), and a job is decoded so only if it says so itself: set "
                + "autoregressive, speculative, pearl or stream here"
        }
        do throws(JobIntake.Refusal) {
            _ = try JobIntake.check(request, seed: 0)
            return nil
        } catch {
            return error.message
        }
    }
}

/// `GET /v1/policies`: which draft-length policy holds for what, and what there is to choose from.
package struct PolicyListDocument: Codable, Sendable, Equatable {
    package var policies: [PolicyDocument]
    package var known: [PolicyManualDocument]

    package init(policies: [PolicyDocument], known: [PolicyManualDocument]) {
        self.policies = policies
        self.known = known
    }
}

/// A policy that is set.
package struct PolicyDocument: Codable, Sendable, Equatable {
    /// `default`, or `TARGET/DRAFT`: models by the names that nodes report.
    package var scope: String
    /// As people write it: `adaedl:lambda=0.4`.
    package var policy: String
    /// Who chose it.
    package var setBy: String

    package init(scope: String, policy: String, setBy: String) {
        self.scope = scope
        self.policy = policy
        self.setBy = setBy
    }
}

/// A policy that can be chosen.
package struct PolicyManualDocument: Codable, Sendable, Equatable {
    package struct Parameter: Codable, Sendable, Equatable {
        package var name: String
        package var initial: Double
        package var least: Double
        package var most: Double
        package var meaning: String
        /// llama.cpp's name for the same, if it has one.
        package var llama: String?

        package init(
            name: String, initial: Double, least: Double, most: Double, meaning: String, llama: String?
        ) {
            self.name = name
            self.initial = initial
            self.least = least
            self.most = most
            self.meaning = meaning
            self.llama = llama
        }
    }

    package var name: String
    package var summary: String
    /// Whether it decides for each token, in the drafter; else once per round, in the verifier.
    package var decidesPerToken: Bool
    package var parameters: [Parameter]

    package init(name: String, summary: String, decidesPerToken: Bool, parameters: [Parameter]) {
        self.name = name
        self.summary = summary
        self.decidesPerToken = decidesPerToken
        self.parameters = parameters
    }
}

/// `PUT /v1/policies`.
package struct PolicyChange: Codable, Sendable, Equatable {
    package var scope: String
    /// Absent: what was set for the scope is taken back.
    package var policy: String?
    /// Who asks, for people.
    package var setBy: String?

    package init(scope: String, policy: String?, setBy: String?) {
        self.scope = scope
        self.policy = policy
        self.setBy = setBy
    }
}

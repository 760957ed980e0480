package import NacreCore

/// What tuning found of a pair's policies, for the next start of a coordinator to go on from.
package struct KeptTuning: Sendable, Equatable {
    /// What it holds for.
    package struct Key: Sendable, Hashable {
        /// Models as nodes report them; those of several drafters joined.
        package var target: String
        package var draft: String
        package var method: String
        /// Who computes with what: of the verifier, then of each drafter, the engine, which covers the kind of CPU, and
        /// the cores.
        package var places: [String]

        package init(target: String, draft: String, method: String, places: [String]) {
            self.target = target
            self.draft = draft
            self.method = method
            self.places = places
        }
    }

    package var key: Key
    package var incumbent: PolicySpecification
    /// Of each policy what its trials showed.
    package var arms: [PolicySpecification: OnlineTuner.Arm]

    package init(
        key: Key, incumbent: PolicySpecification, arms: [PolicySpecification: OnlineTuner.Arm]
    ) {
        self.key = key
        self.incumbent = incumbent
        self.arms = arms
    }

    init(_ key: Key, _ tuner: OnlineTuner) {
        self.init(
            key: key, incumbent: PolicyTuning.policies[tuner.incumbent],
            arms: Dictionary(uniqueKeysWithValues: zip(PolicyTuning.policies, tuner.arms)))
    }

    /// One that goes on from it; `nil` where its policy is tried no more.
    var tuner: OnlineTuner? {
        guard let place = PolicyTuning.policies.firstIndex(of: incumbent) else { return nil }
        return OnlineTuner(arms: PolicyTuning.policies.map { arms[$0] ?? OnlineTuner.Arm() }, incumbent: place)
    }
}

extension CoordinatorMachine {
    /// What is found of the pair in this job holds for its models where they compute now.
    func keptKey(of pair: PolicyTuning.Pair, for job: JobRecord) -> KeptTuning.Key {
        let verifier = job.verifier.flatMap { nodes[$0] }
        let drafters = (hired[job.id] ?? []).compactMap { nodes[$0] }
        func place(_ node: NodeRecord) -> String { "\(node.hello.engineVersion) on \(node.hello.cores)" }
        let places = drafters.map { drafter in
            let isNear = drafter.hello.place.host != 0 && drafter.hello.place.host == verifier?.hello.place.host
            let relation =
                job.coreSharers.contains(drafter.link) ? "in turns" : isNear ? "same machine" : "another machine"
            return "\(place(drafter)), \(relation)"
        }
        return KeptTuning.Key(
            target: pair.target, draft: pair.draft, method: pair.method,
            places: (verifier.map { [place($0)] } ?? []) + places.sorted())
    }
}

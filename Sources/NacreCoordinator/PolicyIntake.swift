import NacreAPI
package import NacreCore
package import NacreProtocol

/// Turns what clients say of policies into values, or into words for them.
package enum PolicyIntake {
    /// - Throws: `JobIntake.Refusal`, naming the policies there are or the parameter's range.
    package static func policy(_ text: String) throws(JobIntake.Refusal) -> PolicySpecification {
        do throws(PolicyFault) {
            return try PolicySpecification(parsing: text)
        } catch {
            throw JobIntake.Refusal(status: 400, message: error.description)
        }
    }

    /// The word for policies that are tuned while jobs run.
    static let auto = "auto"

    /// A choice for jobs that make none: a policy, or `auto`.
    private static func choice(_ text: String, setBy: String) throws(JobIntake.Refusal) -> PolicyBook.Entry {
        if text == auto { return PolicyBook.Entry(.goodput, setBy: setBy, isAuto: true) }
        return PolicyBook.Entry(try policy(text), setBy: setBy)
    }

    /// What is wrong with `text` as a choice; `nil` if nothing is.
    package static func complaint(about text: String) -> String? {
        do throws(JobIntake.Refusal) {
            _ = try choice(text, setBy: "")
            return nil
        } catch {
            return error.message
        }
    }

    /// The coordinator's default, and where it was said.
    package static func entry(_ text: String, source: String) throws(JobIntake.Refusal) -> PolicyBook.Entry {
        try choice(text, setBy: source == "default" ? PolicyBook.builtIn.setBy : source)
    }

    /// Policies of pairs of models as settings have them, `TARGET/DRAFT adaedl:lambda=0.4`, one on each line or between
    /// semicolons.
    package static func pairs(
        _ text: String, source: String
    ) throws(JobIntake.Refusal) -> [(scope: PolicyBook.Scope, entry: PolicyBook.Entry)] {
        var pairs: [(scope: PolicyBook.Scope, entry: PolicyBook.Entry)] = []
        for line in text.split(whereSeparator: { $0 == ";" || $0.isNewline }) {
            // A file's name may hold spaces, a policy cannot.
            let words = line.split(separator: " ")
            guard words.count > 1, let policyText = words.last,
                let scope = PolicyBook.Scope(parsing: words.dropLast().joined(separator: " ")), scope != .all
            else {
                throw JobIntake.Refusal(
                    status: 400, message: "'\(line)' is no policy of a pair: write TARGET.gguf/DRAFT.gguf svip:h=0.6")
            }
            pairs.append((scope, try choice(String(policyText), setBy: source)))
        }
        guard pairs.count <= PolicyBook.pairsMax else {
            throw JobIntake.Refusal(status: 400, message: "at most \(PolicyBook.pairsMax) pairs have policies")
        }
        return pairs
    }

    /// What is wrong with `text` as policies of pairs; `nil` if nothing is.
    package static func complaint(aboutPairs text: String) -> String? {
        do throws(JobIntake.Refusal) {
            _ = try pairs(text, source: "")
            return nil
        } catch {
            return error.message
        }
    }

    /// The policy that a job asks for; `nil` if it leaves it to the coordinator.
    static func policy(of request: JobRequest) throws(JobIntake.Refusal) -> PolicySpecification? {
        let llama: PolicySpecification?
        do throws(PolicyFault) {
            llama = try PolicySpecification(
                draftMax: request.draftNMax, draftMin: request.draftNMin, draftProbabilityMin: request.draftPMin)
        } catch {
            throw JobIntake.Refusal(status: 400, message: error.description)
        }
        guard let text = request.policy else { return llama }
        guard llama == nil else {
            throw JobIntake.Refusal(
                status: 400,
                message: "policy and draft_n_max, draft_n_min or draft_p_min say the same: give one of them")
        }
        return try policy(text)
    }

    /// - Parameters:
    ///   - pairs: the pairs of models that are here.
    ///   - listed: what has a policy of its own; that can be taken back when its models are gone.
    static func change(
        _ body: [UInt8], pairs: [PolicyBook.Scope], listed: [PolicyBook.Scope]
    ) throws(JobIntake.Refusal) -> (scope: PolicyBook.Scope, entry: PolicyBook.Entry?) {
        guard let change = try? JSON.decode(PolicyChange.self, from: body) else {
            throw JobIntake.Refusal(
                status: 400, message: #"the body is no change of a policy: give {"scope": "default", "policy": "svip"}"#
            )
        }
        guard let scope = PolicyBook.Scope(parsing: change.scope),
            scope == .all || pairs.contains(scope) || change.policy == nil && listed.contains(scope)
        else {
            let known = (["default"] + pairs.map(\.description)).joined(separator: ", ")
            throw JobIntake.Refusal(
                status: 400,
                message:
                    "'\(change.scope)' is neither default nor a pair of models that are here now (\(known)); a pair "
                    + "whose drafter is still to come gets its policy by pair-policies in the coordinator's settings")
        }
        guard let text = change.policy else { return (scope, nil) }
        guard listed.contains(scope) || listed.count <= PolicyBook.pairsMax else {
            throw JobIntake.Refusal(
                status: 409, message: "\(PolicyBook.pairsMax) pairs have policies of their own: take some back first")
        }
        let setBy = String((change.setBy ?? "a client").prefix(64))
        return (scope, try choice(text, setBy: setBy))
    }
}

extension PolicyManualDocument {
    init(_ manual: PolicyManual) {
        self.init(
            name: manual.name.rawValue, summary: manual.summary, decidesPerToken: manual.decidesPerToken,
            parameters: manual.parameters.map {
                Parameter(
                    name: $0.name, initial: $0.initial, least: $0.range.lowerBound, most: $0.range.upperBound,
                    meaning: $0.meaning, llama: $0.llama)
            })
    }
}

extension PolicyManualDocument {
    /// What is no policy, but can be chosen like one for a pair or as the default.
    static let auto = PolicyManualDocument(
        name: PolicyIntake.auto,
        summary: "for a pair or as the default: tries policies in a few rounds of running jobs and keeps the fastest",
        decidesPerToken: false, parameters: [])
}

extension PolicyDocument {
    init(_ scope: PolicyBook.Scope, _ entry: PolicyBook.Entry) {
        self.init(
            scope: scope.description, policy: entry.isAuto ? PolicyIntake.auto : entry.policy.description,
            setBy: entry.setBy)
    }
}

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

    /// What is wrong with `text` as a policy; `nil` if nothing is.
    package static func complaint(about text: String) -> String? {
        do throws(JobIntake.Refusal) {
            _ = try policy(text)
            return nil
        } catch {
            return error.message
        }
    }

    /// The coordinator's default, and where it was said.
    package static func entry(_ text: String, source: String) throws(JobIntake.Refusal) -> PolicyBook.Entry {
        PolicyBook.Entry(try policy(text), setBy: source == "default" ? PolicyBook.builtIn.setBy : source)
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
                status: 400, message: "'\(change.scope)' is neither default nor a pair of models here: \(known)")
        }
        guard let text = change.policy else { return (scope, nil) }
        guard listed.contains(scope) || listed.count <= PolicyBook.pairsMax else {
            throw JobIntake.Refusal(
                status: 409, message: "\(PolicyBook.pairsMax) pairs have policies of their own: take some back first")
        }
        let setBy = String((change.setBy ?? "a client").prefix(64))
        return (scope, PolicyBook.Entry(try policy(text), setBy: setBy))
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

extension PolicyDocument {
    init(_ scope: PolicyBook.Scope, _ entry: PolicyBook.Entry) {
        self.init(scope: scope.description, policy: entry.policy.description, setBy: entry.setBy)
    }
}

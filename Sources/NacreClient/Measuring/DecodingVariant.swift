package import NacreAPI
import NacreCore
package import NacreNode

/// One way to decode, as `nacre bench` compares them.
///
/// It is written as its method, what belongs to that, and its policy: `pearl:gamma=4`, `stream:tree=best,branches=8`,
/// `speculative, svip:h=0.6`.
package struct DecodingVariant: Sendable, Hashable, CustomStringConvertible {
    /// Those that give plain decoding's own tokens.
    package static let methods = ["autoregressive", "speculative", "pearl", "stream"]
    /// Those whose text is their own.
    package static let lossyMethods = ["mtad"]
    package static let plain = DecodingVariant(method: Comparison.plainMethod)
    /// What `--methods all` stands for.
    package static let all = [
        "speculative", "pearl", "stream", "stream:tree=best", "speculative:tree=4,2,2,1", "mtad", "mtad:tree=path:4",
    ]

    /// What `--policies all` stands for.
    package static let policies = PolicySpecification.Name.allCases.map(\.rawValue)

    package let method: String
    /// Draft length γ of every round.
    package var gamma: Int?
    package var tree: String?
    package var branches: Int?
    package var rule: String?
    /// The threshold of a lossy method.
    package var tau: Double?
    /// How draft lengths are chosen, as `adaedl:lambda=0.4`.
    package var policy: String?

    private static let keys = ["gamma", "tree", "branches", "rule", "tau"]

    package init(method: String, gamma: Int? = nil, policy: String? = nil) {
        self.method = method
        self.gamma = gamma
        self.policy = policy
    }

    /// Reads a method, alone or with its settings: `pearl:gamma=4`.
    ///
    /// - Throws: `.badUsage`, naming what there is. Values are the coordinator's to judge.
    package init(parsing text: String) throws(NacreError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if JobRequest.beamMethods.contains(parts[0]) {
            throw NacreError(
                .badUsage, "method \(parts[0]) draws several texts: its output cannot be held to plain decoding's",
                remedy: "leave it out; Scripts/bench-methods measures it")
        }
        let methods = Self.methods + Self.lossyMethods
        guard methods.contains(parts[0]) else {
            throw NacreError(.badUsage, NearestName.complaint(about: parts[0], kind: "method", among: methods))
        }
        method = parts[0]
        for setting in parts.count > 1 ? Self.list(parts[1]) : [] {
            let sides = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            switch (sides[0], sides.count == 2 ? sides[1] : "") {
            case ("gamma", let value): gamma = try Self.number(value, of: "gamma", in: text)
            case ("branches", let value): branches = try Self.number(value, of: "branches", in: text)
            case ("tree", let value) where !value.isEmpty: tree = value
            case ("rule", let value) where !value.isEmpty: rule = value
            case ("tau", let value):
                guard let number = Double(value), number.isFinite else {
                    throw NacreError(.badUsage, "tau of '\(text)' must be a number, not '\(value)'")
                }
                tau = number
            default:
                throw NacreError(
                    .badUsage, "'\(setting)' means nothing in '\(text)'",
                    remedy: "settings of a method are \(Self.keys.joined(separator: ", ")), as in pearl:gamma=4")
            }
        }
    }

    /// The parts of a list with commas. A part that continues the one before it (`target=0.9` of
    /// `adaedl:lambda=0.4,target=0.9`, `2` of `tree=4,2`) is left with it.
    package static func list(_ text: String) -> [String] {
        var parts: [String] = []
        for part in text.split(separator: ",").map(String.init) {
            func opens(_ part: String) -> Bool { part.prefix { $0 != "=" }.contains(":") }
            let isSetting = part.contains("=") && !opens(part)
            let continues = part.first?.isNumber ?? false
            if let last = parts.indices.last, continues || isSetting && opens(parts[last]) {
                parts[last] += "," + part
            } else {
                parts.append(part)
            }
        }
        return parts
    }

    private static func number(_ text: String, of key: String, in whole: String) throws(NacreError) -> Int {
        guard let number = Int(text) else {
            throw NacreError(.badUsage, "\(key) of '\(whole)' must be a whole number, not '\(text)'")
        }
        return number
    }

    /// Every method with every policy that it has a use for; plain decoding, which is always among them, first.
    ///
    /// - Parameter policies: as `adaedl:lambda=0.4`; empty: only what the coordinator chooses.
    package static func grid(methods: [DecodingVariant], policies: [String]) -> [DecodingVariant] {
        var grid = [plain]
        for method in methods where method.method != plain.method {
            let decides = method.gamma == nil && method.tree == nil && method.branches == nil && !method.isLossy
            let policies: [String?] = policies.isEmpty || !decides ? [nil] : policies
            for policy in policies {
                var variant = method
                variant.policy = policy
                if !grid.contains(variant) { grid.append(variant) }
            }
        }
        return grid
    }

    /// - Throws: `.badUsage` for what is no policy.
    package static func check(policy: String) throws(NacreError) {
        do throws(PolicyFault) {
            _ = try PolicySpecification(parsing: policy)
        } catch {
            throw NacreError(.badUsage, error.description)
        }
    }

    package var isPlain: Bool { method == Self.plain.method }
    /// Whether its text is its own, so that there is nothing to hold against plain decoding's.
    package var isLossy: Bool { Self.lossyMethods.contains(method) }

    /// The job `template`, decoded this way.
    package func request(_ template: JobRequest) -> JobRequest {
        var request = template
        request.method = method
        request.gamma = gamma
        request.tree = tree
        request.branches = branches
        request.rule = rule
        request.tau = tau
        request.policy = policy
        return request
    }

    package var description: String {
        var settings: [String] = []
        if let gamma { settings.append("gamma=\(gamma)") }
        if let tree { settings.append("tree=\(tree)") }
        if let branches { settings.append("branches=\(branches)") }
        if let rule { settings.append("rule=\(rule)") }
        if let tau { settings.append("tau=\(tau)") }
        let name = settings.isEmpty ? method : "\(method):\(settings.joined(separator: ","))"
        return policy.map { "\(name), \($0)" } ?? name
    }
}

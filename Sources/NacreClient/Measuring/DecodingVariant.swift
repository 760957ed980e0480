package import NacreAPI
import NacreCore
package import NacreNode

/// One way to decode, as `nacre bench` compares them.
///
/// It is written as its method, what belongs to that, and its policy: `pearl:gamma=4`, `stream:tree=best,branches=8`,
/// `dsbd:beams=2,draft-beams=4`, `speculative, svip:h=0.6`.
package struct DecodingVariant: Sendable, Hashable, CustomStringConvertible {
    /// Those that give plain decoding's own tokens.
    package static let methods = ["autoregressive", "speculative", "pearl", "stream"]
    /// Those whose text has no law of the target's.
    package static let lossyMethods = ["mtad"]
    package static let plain = DecodingVariant(method: Comparison.plainMethod)
    /// What `--methods all` stands for.
    package static let all = [
        "speculative", "pearl", "stream", "stream:tree=best", "speculative:tree=4,2,2,1", "mtad", "mtad:tree=path:4",
        "beam", "dsbd",
    ]
    /// What beams are drawn at beside jobs that are greedy, as all beams would be one then.
    package static let beamTemperature = 0.8

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
    /// What methods with several texts are told, as `JobRequest`; so are the next four.
    package var beams: Int?
    package var draftBeams: Int?
    package var widthThreshold: Double?
    package var minBeams: Int?
    package var keepOne: String?
    /// Other verifiers of the target that may score for the job's.
    package var helpers: Int?
    /// How draft lengths are chosen, as `adaedl:lambda=0.4`.
    package var policy: String?

    /// Settings as they are written, named as the options of `nacre run`.
    private static let keys = [
        "gamma", "tree", "branches", "rule", "tau", "beams", "draft-beams", "width-threshold", "min-beams", "keep-one",
        "helpers",
    ]

    private static func count(_ key: String) -> WritableKeyPath<Self, Int?>? {
        switch key {
        case "gamma": \.gamma
        case "branches": \.branches
        case "beams": \.beams
        case "draft-beams": \.draftBeams
        case "min-beams": \.minBeams
        case "helpers": \.helpers
        default: nil
        }
    }

    private static func share(_ key: String) -> WritableKeyPath<Self, Double?>? {
        switch key {
        case "tau": \.tau
        case "width-threshold": \.widthThreshold
        default: nil
        }
    }

    private static func word(_ key: String) -> WritableKeyPath<Self, String?>? {
        switch key {
        case "tree": \.tree
        case "rule": \.rule
        case "keep-one": \.keepOne
        default: nil
        }
    }

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
        let methods = Self.methods + Self.lossyMethods + JobRequest.beamMethods
        guard methods.contains(parts[0]) else {
            throw NacreError(.badUsage, NearestName.complaint(about: parts[0], kind: "method", among: methods))
        }
        method = parts[0]
        for setting in parts.count > 1 ? Self.list(parts[1]) : [] {
            let sides = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let (key, value) = (sides[0], sides.count == 2 ? sides[1] : "")
            if let count = Self.count(key) {
                guard let number = Int(value) else {
                    throw NacreError(.badUsage, "\(key) of '\(text)' must be a whole number, not '\(value)'")
                }
                self[keyPath: count] = number
            } else if let share = Self.share(key) {
                guard let number = Double(value), number.isFinite else {
                    throw NacreError(.badUsage, "\(key) of '\(text)' must be a number, not '\(value)'")
                }
                self[keyPath: share] = number
            } else if let word = Self.word(key), !value.isEmpty {
                self[keyPath: word] = value
            } else {
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

    /// Every method with every policy that it has a use for; plain decoding, which is always among them, first.
    ///
    /// - Parameter policies: as `adaedl:lambda=0.4`; empty: only what the coordinator chooses.
    package static func grid(methods: [DecodingVariant], policies: [String]) -> [DecodingVariant] {
        var grid = [plain]
        for method in methods where method.method != plain.method {
            let decides =
                method.gamma == nil && method.tree == nil && method.branches == nil && !method.isLossy
                && !method.drawsBeams
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
    /// Whether it draws several texts, the likeliest of which is the output.
    package var drawsBeams: Bool { JobRequest.beamMethods.contains(method) }
    /// Whether its text has no law of the target's.
    package var isLossy: Bool {
        Self.lossyMethods.contains(method) || drawsBeams && (widthThreshold != nil || keepOne != nil)
    }
    /// Whether it is what it is only where something drafts.
    package var needsDrafter: Bool { !isPlain && method != "beam" }

    /// Whether its texts are drawn from the target's law by other noise than plain decoding's, as under a rule that
    /// keeps the law and promises nothing to a seed.
    package func drawsAnew(at temperature: Double?) -> Bool {
        !isPlain && !drawsBeams && !isLossy && (temperature ?? 0) > 0 && rule.map { $0 != "coupled" } ?? false
    }

    /// The temperature that it is drawn at instead of the others' one, `nil` being greedy.
    package func ownTemperature(beside other: Double?) -> Double? {
        drawsBeams && (other ?? 0) <= 0 ? Self.beamTemperature : nil
    }

    /// The job `template`, decoded this way.
    package func request(_ template: JobRequest) -> JobRequest {
        var request = template
        request.method = method
        request.gamma = gamma
        request.tree = tree
        request.branches = branches
        request.rule = rule
        request.tau = tau
        request.beams = beams
        request.draftBeams = draftBeams
        request.widthThreshold = widthThreshold
        request.minBeams = minBeams
        request.keepOne = keepOne
        request.helpers = helpers
        request.policy = policy
        if drawsBeams {
            // What ends a text makes it an answer.
            request.ignoreEos = nil
            request.temperature = ownTemperature(beside: template.temperature) ?? template.temperature
        }
        return request
    }

    package var description: String {
        let settings = Self.keys.compactMap { key -> String? in
            let count = Self.count(key).flatMap { self[keyPath: $0] }.map { "\($0)" }
            let share = Self.share(key).flatMap { self[keyPath: $0] }.map { "\($0)" }
            let word = Self.word(key).flatMap { self[keyPath: $0] }
            return (count ?? share ?? word).map { "\(key)=\($0)" }
        }
        let name = settings.isEmpty ? method : "\(method):\(settings.joined(separator: ","))"
        return policy.map { "\(name), \($0)" } ?? name
    }
}

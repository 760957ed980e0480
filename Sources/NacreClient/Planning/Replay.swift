import NacreAPI
import NacreCore
package import NacreNode

/// Policies scored on recorded traces (`PolicyReplay`), one after the other as jobs of one pair of models.
package struct Replay: Sendable {
    package struct Answer: Sendable, Encodable {
        package var method: String
        package var policy: String
        package var tokensPerSecond: Double
        /// To plain decoding.
        package var ratio: Double
        /// Of what a clairvoyant reaches who picks each round's length knowing where drafts agree; for methods that
        /// overlap a bound that none reaches, since drafts are always there for it.
        package var shareOfBound: Double
        package var draftsPerPass: Double
        package var acceptanceRate: Double
    }

    /// What the traces hold together, and the answers.
    package struct Report: Sendable, Encodable {
        package var target: String
        package var draft: String
        /// As recorded; absent if the trace does not say.
        package var recordedMethod: String?
        package var positions: Int
        /// Those where a draft was compared: what is replayed.
        package var known: Int
        /// Those of them with statistics of q, which policies that decide per token need.
        package var withStatistics: Int
        /// Share of the known ones at which the drafter agreed.
        package var agreement: Double
        package var plainTokensPerSecond: Double
        /// By method.
        package var bounds: [String: Double]
        /// Of the job itself, if it is one and committed more than once.
        package var recordedTokensPerSecond: Double?
        package var answers: [Answer]
    }

    private let files: [TraceFile]
    private let policies: [PolicySpecification]
    private let methods: [ClusterScenario.Method]
    private let isGoverned: Bool

    /// All policies as they come, and fixed lengths around what people choose.
    package static let defaults =
        PolicySpecification.Name.allCases.filter { $0 != .fixed }.map(\.rawValue)
        + [1, 2, 4, 8].map { "fixed:gamma=\($0)" }

    /// - Parameters:
    ///   - policies: as people write them; none: `defaults`.
    ///   - methods: none: the one that was recorded.
    /// - Precondition: there is a trace.
    /// - Throws: `NacreError` `.badUsage` for what is no policy or no method that drafts, and traces of other models.
    package init(
        _ files: [TraceFile], policies: [String], methods: [String], isGoverned: Bool
    ) throws(NacreError) {
        precondition(!files.isEmpty, "no trace to replay")
        let header = files[0].trace.header
        for other in files.map(\.trace.header) where (other.target, other.draft) != (header.target, header.draft) {
            throw NacreError(
                .badUsage,
                "a trace is of \(other.target) with \(other.draft), another of \(header.target) with \(header.draft)",
                remedy: "replay traces of different models one by one")
        }
        self.files = files
        self.isGoverned = isGoverned
        var parsed: [PolicySpecification] = []
        for text in policies.isEmpty ? Self.defaults : policies { parsed.append(try Planning.policy(text)) }
        self.policies = parsed
        var named: [ClusterScenario.Method] = []
        for name in methods {
            let method = try Planning.method(name)
            guard method != .autoregressive else {
                throw NacreError(
                    .badUsage, "autoregressive drafts nothing: there is no policy to score",
                    remedy: "its speed is shown with any other method")
            }
            named.append(method)
        }
        let recorded = header.method.flatMap(ClusterScenario.Method.init(rawValue:))
        self.methods = named.isEmpty ? [recorded.flatMap { $0 == .autoregressive ? nil : $0 } ?? .speculative] : named
    }

    /// - Throws: `NacreError` `.badUsage` if nothing was drafted in a trace.
    package func run() throws(NacreError) -> Report {
        var known: [TracePosition] = []
        for file in files { known += try file.known() }
        let traces = files.map(\.trace)
        let header = traces[0].header
        var report = Report(
            target: header.target, draft: header.draft, recordedMethod: header.method,
            positions: traces.reduce(0) { $0 + $1.positions.count }, known: known.count,
            withStatistics: known.count { $0.statistics.entropy.isFinite },
            agreement: Double(known.count(where: \.agrees)) / Double(known.count),
            plainTokensPerSecond: Self.together(traces.map { PolicyReplay($0) }, \.plain), bounds: [:],
            recordedTokensPerSecond: traces.count == 1 ? traces[0].tokensPerSecond : nil, answers: [])
        for method in methods {
            let replays = traces.map { PolicyReplay($0, method: method) }
            let bound = Self.together(replays, \.clairvoyant)
            report.bounds[method.rawValue] = bound
            for policy in policies {
                var (score, pair) = (PolicyReplay.Score(), SimulatedPair())
                for replay in replays { score += replay.score(policy, isGoverned: isGoverned, in: &pair) }
                report.answers.append(
                    Answer(
                        method: method.rawValue, policy: policy.description, tokensPerSecond: score.tokensPerSecond,
                        ratio: score.tokensPerSecond / report.plainTokensPerSecond,
                        shareOfBound: score.tokensPerSecond / bound,
                        draftsPerPass: score.draftsPerPass, acceptanceRate: score.acceptanceRate))
            }
        }
        return report
    }

    /// The rate of all traces, one behind the other.
    private static func together(_ replays: [PolicyReplay], _ rate: (PolicyReplay) -> Double) -> Double {
        let tokens = replays.reduce(0) { $0 + Double($1.positions.count) }
        return tokens / replays.reduce(0) { $0 + Double($1.positions.count) / rate($1) }
    }
}

/// Words of people for the simulator's values.
enum Planning {
    static func policy(_ text: String) throws(NacreError) -> PolicySpecification {
        do throws(PolicyFault) {
            return try PolicySpecification(parsing: text)
        } catch {
            throw NacreError(.badUsage, error.description)
        }
    }

    static func method(_ name: String) throws(NacreError) -> ClusterScenario.Method {
        guard let method = ClusterScenario.Method(rawValue: name) else {
            let known = ClusterScenario.Method.allCases.map(\.rawValue)
            if name == "mtad" {
                throw NacreError(
                    .badUsage, "method mtad is lossy, and lossy methods are not simulated",
                    remedy: "give one of \(known.joined(separator: ", ")); Scripts/bench-methods measures mtad")
            }
            if JobRequest.beamMethods.contains(name) {
                throw NacreError(
                    .badUsage, "method \(name) draws several texts, and methods with beams are not simulated",
                    remedy: "give one of \(known.joined(separator: ", ")); Scripts/bench-methods measures \(name)")
            }
            throw NacreError(
                .badUsage, NearestName.complaint(about: name, kind: "method", among: known),
                remedy: "give one of \(known.joined(separator: ", "))")
        }
        return method
    }
}

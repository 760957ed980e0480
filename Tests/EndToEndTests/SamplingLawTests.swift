import NacreAPI
import NacreClient
import NacreCore
import TestStatistics
import Testing

/// Rules that do not couple: what real processes draw has the law of plain sampling from the target.
///
/// Hundreds of jobs of a few tokens, each with a seed of its own, are held against the exact law of these tokens,
/// which is enumerated in this process, one token at a time. Of top-k 3 four tokens have at most 81 outcomes.
///
/// Seeds are fixed, so that a run differs from the last one only where a draft came earlier or later. Were all drawn
/// anew, a right implementation would fail with a probability of `pMin` per case: once in 200,000 runs of this suite.
@Suite(.serialized) struct SamplingLawTests {
    private static let pMin = 1e-6
    /// Half of them where tests are not thorough: `power` shows that these tell broken rules by far.
    private static let jobs = Thoroughness.isFull ? 400 : 200
    private static let tokens = 4
    private static let policy = SamplingPolicy(temperature: 1.2, topK: 3)
    /// Short, since every job reads it anew, and with many likely ways to go on.
    private static let prompt = "def main():\n    "

    /// By default each rule, each payload, each kind of candidates, and tokens that are proposed as they are.
    private static let ways = [
        Way(testDescription: "rejection, rows, a tree", tree: "2,2,1"),
        Way(
            testDescription: "rejection, rows, a tree of independent draws", tree: "2,2,1",
            candidates: "independent"),
        Way(testDescription: "rejection, one number and the row at need (SCALAR + LAZY)", payload: "scalar"),
        Way(testDescription: "block, rows", rule: "block"),
        Way(testDescription: "rejection, looked-up tokens (DET)", lookup: "suffix"),
        Way(testDescription: "rejection, rows of q (SPARSE_RENORM)"),
        Way(testDescription: "rejection, the draft's best tokens (DET)", tree: "best:8x3"),
        Way(testDescription: "block, looked-up tokens (DET)", rule: "block", lookup: "suffix"),
    ].covering { $0 < 5 }

    /// Of the tokens behind each output that there can be.
    private static let laws = Result { try PlainDecoder(Jobs.target).laws(prompt, policy, tokens: tokens) }

    typealias Laws = [[UInt32]: [UInt32: Double]]

    /// A way to decode whose output is not the same for every drafter, and what its drafts come with.
    struct Way: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// The one that waits for its drafts: so few tokens would often be decided before any draft of them is here.
        let method = "speculative"
        var rule = "rejection"
        var tree = "chain"
        var payload = "rows"
        var candidates = "distinct"
        /// What drafts in a model's place.
        var lookup: String?

        func request(seed: UInt64) -> JobRequest {
            var request = JobRequest(prompt: SamplingLawTests.prompt)
            request.method = method
            request.gamma = tree == "chain" ? 3 : nil
            request.rule = rule
            request.tree = tree
            request.payload = payload
            request.candidates = candidates
            request.maxTokens = SamplingLawTests.tokens
            request.temperature = SamplingLawTests.policy.temperature
            request.topK = SamplingLawTests.policy.topK
            request.seed = seed
            return request
        }
    }

    @Test("the tokens have the law of plain sampling", arguments: ways)
    func law(_ way: Way) async throws {
        let law = Self.joint(try Self.laws.get())
        let finished = try await TestCluster.with(drafters: way.lookup == nil ? 1 : 0) { cluster in
            if let lookup = way.lookup {
                let arguments = ["--vocabulary-only", "--lookup", lookup]
                try cluster.startDrafter("drafter-1", model: Jobs.target, arguments: arguments)
                try await cluster.until("the drafter is there") { try await $0.status().drafters == 1 }
            }
            return try await cluster.withClient { coordinator in
                try await coordinator.runAll((0..<Self.jobs).map { way.request(seed: UInt64($0)) })
            }
        }
        let counts = Dictionary(finished.map { ($0.document.tokens, 1) }, uniquingKeysWith: +)
        let p = chiSquarePValue(counts: counts, expected: law)
        #expect(p > Self.pMin, "\(counts.count) of \(law.count) outcomes")
        // Enough was decided by drafts, both ways.
        let statistics = finished.map(\.document.statistics)
        let (judged, accepted) = (statistics.map(\.judged).reduce(0, +), statistics.map(\.accepted).reduce(0, +))
        #expect(accepted > Self.jobs / 4 && judged - accepted > Self.jobs / 4, "\(accepted) of \(judged)")
    }

    @Test("as many jobs tell the laws of broken rules from that of plain sampling")
    func power() throws {
        let laws = try Self.laws.get()
        let drafts = try PlainDecoder(Jobs.draft).laws(
            Self.prompt, Self.policy, tokens: Self.tokens, of: Array(laws.keys))
        let law = Self.joint(laws)
        func p(of broken: Laws) -> Double {
            let counts = Self.joint(broken).mapValues { Int(($0 * Double(Self.jobs)).rounded()) }
            return chiSquarePValue(counts: counts.filter { $0.value > 0 }, expected: law)
        }
        #expect(p(of: laws) > 0.5)
        // Every draft is accepted.
        #expect(p(of: drafts) < Self.pMin)
        // Tests are right, and what replaces a rejected draft is drawn from all of p.
        #expect(p(of: laws.merging(drafts) { Self.forgetful($0, $1) }) < Self.pMin)
    }

    /// The law of outputs from the laws of their tokens.
    private static func joint(_ laws: Laws) -> [[UInt32]: Double] {
        var joint: [[UInt32]: Double] = [:]
        var open: [(output: [UInt32], probability: Double)] = [([], 1)]
        while let (output, probability) = open.popLast() {
            guard let law = laws[output] else {
                joint[output] = probability
                continue
            }
            for (token, share) in law { open.append((output + [token], probability * share)) }
        }
        return joint
    }

    /// The law of a rejection rule that draws from all of p where it should draw from what p has over q.
    private static func forgetful(_ p: [UInt32: Double], _ q: [UInt32: Double]) -> [UInt32: Double] {
        let kept = p.reduce(into: [:]) { $0[$1.key] = min($1.value, q[$1.key] ?? 0) }
        let rest = 1 - kept.values.reduce(0, +)
        return p.reduce(into: [:]) { $0[$1.key] = (kept[$1.key] ?? 0) + rest * $1.value }
    }
}

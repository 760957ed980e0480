import NacreAPI
import NacreClient
import NacreCore
import NacreNode
import Synchronization
import Testing

/// The loop of `nacre tune`, on measurements that are made up.
@Suite struct TunerTests {
    /// A cluster whose speeds are known: each way decodes at its rate over plain decoding's, and takes a second.
    private final class Cluster: Sendable {
        let rates: [String: Double]
        let asked = Mutex<[String]>([])
        /// What a way outputs; plain decoding's tokens where nothing is said.
        let tokens: [String: [UInt32]]
        let refused: Set<String>
        let isExact: Bool

        init(
            _ rates: [String: Double], tokens: [String: [UInt32]] = [:], refused: Set<String> = [],
            isExact: Bool = true
        ) {
            (self.rates, self.tokens, self.refused, self.isExact) = (rates, tokens, refused, isExact)
        }

        func measure(_ requests: [JobRequest]) throws -> TimedJobs {
            let name = requests[0].policy ?? requests[0].method ?? ""
            asked.withLock { $0.append(name) }
            if refused.contains(name) { throw NacreError(.badUsage, "no such thing as \(name)") }
            let finished = requests.map { _ in
                var job = JobDocument(
                    id: "a", state: "done", outcome: nil, error: nil, method: name, seed: 1, promptTokens: 1,
                    outputTokens: 2, text: "", tokens: tokens[name] ?? [1, 2], verifiers: [], contextLimited: false,
                    statistics: StatisticsDocument())
                job.exact = isExact
                return FinishedJob(document: job)
            }
            return TimedJobs(finished: finished, tokensPerSecond: 100 * (rates[name] ?? 1), seconds: 1)
        }
    }

    private static let (tenWays, prompts) = ((1...10).map { "fixed:gamma=\($0)" }, ["a", "b", "c"])

    private func tuner(_ ways: [String] = tenWays, budget: Double, jobs: Int = 1) -> Tuner {
        Tuner(
            ways.map { DecodingVariant(method: "stream", policy: $0) },
            prompts: Self.prompts.map { Prompt(text: $0) }, jobs: jobs,
            template: JobRequest(prompt: ""), deadline: .now + .seconds(budget))
    }

    private func state(_ tuner: Tuner, _ cluster: Cluster) async throws -> Tuner.State {
        var last: Tuner.State?
        try await tuner.run(by: { try cluster.measure($0) }, keep: { last = $0 }, progress: { _ in })
        return try #require(last)
    }

    @Test("the fastest way is found, ways that are slower leave first, and the budget is kept to")
    func search() async throws {
        let rates = Dictionary(uniqueKeysWithValues: Self.tenWays.enumerated().map { ($1, 0.6 + 0.1 * Double($0)) })
        let (cluster, tuner) = (Cluster(rates), tuner(budget: 600))
        let state = try await state(tuner, cluster)
        #expect(state.search.isFinal && state.search.ranking.first == 9)
        #expect(Set(state.search.survivors) == [7, 8, 9], "\(state.search.survivors)")
        // All of the samples alike: the best is clear before the budget is spent.
        #expect(state.search.isSure && state.search.spent < 600)
        #expect(state.search.mean(of: 9).map { abs($0 - 1.5) < 1e-9 } == true)
        let counts = state.rates.map(\.count)
        #expect(counts[0] < counts[9] && counts.allSatisfy { $0 > 0 } && state.rates[9].allSatisfy { $0 == 150 })
        #expect(state.outputs == counts.reduce(0, +) && state.differing == 0 && state.refusals.isEmpty)
        let round = try #require(state.search.rounds.first)
        #expect(round.arms.count == 10 && round.arms.first == 9 && round.means[0] > round.means[1])
    }

    @Test("ways that cannot be told apart share the budget, and what it does not suffice for is not begun")
    func ties() async throws {
        let (cluster, tuner) = (Cluster([:]), tuner(Array(Self.tenWays.prefix(3)), budget: 90))
        let state = try await state(tuner, cluster)
        #expect(!state.search.isSure && state.search.spent <= 90 && state.search.spent > 80, "\(state.search.spent)")
        // Two warming jobs come first; a sample is three ways and plain decoding.
        let asked = cluster.asked.withLock { $0 }
        #expect(asked.count == 2 + 4 * state.plain.count && state.rates.allSatisfy { $0.count == state.plain.count })
    }

    @Test("plain decoding is measured beside every six ways, and every way comes first in its turn")
    func alternation() async throws {
        let (cluster, tuner) = (Cluster([:]), tuner(budget: 100))
        _ = try await state(tuner, cluster)
        let asked = cluster.asked.withLock { $0 }.dropFirst(2)
        let first = Array(asked.prefix(12))
        #expect(first.count { $0 == "autoregressive" } == 2 && Set(first).count == 11)
        #expect(first.prefix(7).contains("autoregressive") && first.suffix(5).contains("autoregressive"))
        #expect(first.first { $0 != "autoregressive" } == Self.tenWays[0])
        #expect(asked.dropFirst(12).first { $0 != "autoregressive" } == Self.tenWays[1])
        // Not always at the same place among them.
        let places = stride(from: 0, to: 36, by: 12).map {
            asked.dropFirst($0).prefix(7).map { $0 }.firstIndex(of: "autoregressive")
        }
        #expect(Set(places).count > 1, "\(places)")
    }

    @Test("a way that the coordinator refuses is asked for once, and the others go on")
    func refusals() async throws {
        let cluster = Cluster(["fixed:gamma=2": 2], refused: ["fixed:gamma=1"])
        let state = try await state(tuner(Array(Self.tenWays.prefix(3)), budget: 60), cluster)
        #expect(state.refusals == [0: "no such thing as fixed:gamma=1"] && state.rates[0].isEmpty)
        #expect(cluster.asked.withLock { $0.count { $0 == "fixed:gamma=1" } } == 1)
        #expect(state.search.ranking.first == 1 && state.rates[1].count > 1)
        let none = Cluster([:], refused: ["autoregressive"])
        await #expect(throws: NacreError.self) { try await self.state(self.tuner(budget: 60), none) }
    }

    @Test("outputs are held against plain decoding's, and what was found is kept after every part of a sample")
    func outputs() async throws {
        let cluster = Cluster([:], tokens: ["fixed:gamma=2": [1, 3]])
        var kept: [Int] = []
        let tuner = tuner(budget: 40, jobs: 2)
        var last: Tuner.State?
        try await tuner.run(
            by: { try cluster.measure($0) },
            keep: {
                kept.append($0.outputs)
                last = $0
            }, progress: { _ in })
        // Six ways with two jobs each, then the other four, then the better half of all.
        #expect(kept.prefix(3) == [12, 20, 30])
        let state = try #require(last)
        #expect(state.differing == 2 * state.rates[1].count && state.exact)
        let tipped = try await self.state(self.tuner(budget: 20), Cluster([:], isExact: false))
        #expect(!tipped.exact && tipped.differing == 0)
    }

    @Test("what ends the measuring is passed on, and time that is over is an error only if nothing was found")
    func endings() async throws {
        struct Gone: Error {}
        let cluster = Cluster([:])
        let tuner = tuner(budget: 600)
        var kept = 0
        await #expect(throws: Gone.self) {
            try await tuner.run(
                by: {
                    if cluster.asked.withLock({ $0.count }) > 20 { throw Gone() }
                    return try cluster.measure($0)
                }, keep: { _ in kept += 1 }, progress: { _ in })
        }
        #expect(kept > 1)
        let late = self.tuner(budget: -1)
        let error = await #expect(throws: NacreError.self) { try await self.state(late, Cluster([:])) }
        #expect(error?.description.contains("--budget") == true, "\(String(describing: error))")
    }

    // MARK: - Report

    private func report(_ cluster: Cluster, _ ways: [String] = tenWays) async throws -> TuningReport {
        let tuner = tuner(ways, budget: 600)
        let state = try await state(tuner, cluster)
        func node(_ role: String, _ model: String) -> NodeDocument {
            NodeDocument(
                name: role, role: role, address: nil, model: model, modelDigest: "", vocabularyDigest: "", engine: "e",
                cores: "0", shards: 1, passTimes: [], disturbance: nil, exact: nil, slots: 1, context: 1, jobs: 0,
                busy: 0, stepMicroseconds: 0, problem: nil)
        }
        let cores = try #require(CPUList(cores: 0..<2))
        return TuningReport(
            state, of: tuner, nodes: [node("verifier", "it's T.gguf (8M)"), node("drafter", "D.gguf (1M)")],
            cores: CoreAssignment(available: cores, verifiers: 1, drafters: 1), machine: .current(),
            command: "nacre tune\nevil: line", budget: 600, spent: 10, interrupted: false)
    }

    @Test("the settings name what won, for its pair, and nothing that was found can break out of a comment")
    func settings() async throws {
        let report = try await report(Cluster(["fixed:gamma=3": 1.4, "fixed:gamma=4": 0.7]))
        #expect(report.winner?.name == "stream, fixed:gamma=3" && report.failure == nil && !report.interrupted)
        let lines = report.settings.split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines == ["method: stream", "pair-policies: 'it''s T.gguf/D.gguf fixed:gamma=3'"])
        #expect(report.verdict.first?.contains("1.40 times plain decoding") == true, "\(report.verdict)")
        #expect(report.curves.contains { $0.hasPrefix("stream, ratio to plain decoding over draft length") })
        let bars = report.curves.compactMap { $0.contains("n=") ? $0.count { $0 == "#" } : nil }
        #expect(bars.count == 10 && bars[2] == 40 && bars[3] == 20 && bars[0] == 29, "\(bars)")
        #expect(report.table.rows.count == 10 && report.table.rows[0].prefix(2) == ["stream, fixed:gamma=3", "1.40"])
    }

    @Test("where nothing beats plain decoding the settings say so, and different outputs are a failure")
    func losing() async throws {
        let rates = Dictionary(uniqueKeysWithValues: Self.tenWays.map { ($0, 0.8) })
        let report = try await report(Cluster(rates, tokens: ["fixed:gamma=5": [9]]))
        #expect(report.winner == nil && report.settings.hasSuffix("method: autoregressive\n"))
        #expect(report.verdict.contains("nothing is faster than plain decoding here"), "\(report.verdict)")
        #expect(report.failure?.code == .failed && report.differing > 0)
        let tipped = try await self.report(Cluster(rates, tokens: ["fixed:gamma=5": [9]], isExact: false))
        #expect(tipped.failure == nil && tipped.verdict.contains { $0.contains("inexact") })
    }
}

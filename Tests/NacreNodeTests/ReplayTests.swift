import Foundation
import NacreAPI
import NacreClient
import NacreNode
import Testing

/// `nacre replay`, and what `nacre simulate` takes from traces and tables.
@Suite struct ReplayTests {
    private static let header =
        #"{"nacre_trace":1,"target":"T","draft":"D","passes":[{"nodes":1,"microseconds":100000},"#
        + #"{"nodes":8,"microseconds":128000}],"draft_microseconds":10000,"round_trip_microseconds":2000,"#
        + #""method":"pearl"}"#

    /// A trace of 300 positions: of six one differs and one had no draft.
    private static let lines =
        [header]
        + (0..<300).map { index in
            let agrees = index % 6 == 5 ? "null" : index % 6 == 2 ? "false" : "true"
            return #"{"agrees":\#(agrees),"at":\#(index * 50_000),"entropy":0.5,"top":0.8,"margin":1}"#
        }

    private func inFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let path = NSTemporaryDirectory() + "replay-\(UUID().uuidString)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    private func trace(_ lines: [String] = lines) throws -> TraceFile {
        try inFile(lines.joined(separator: "\n") + "\n") { try TraceFile(reading: $0) }
    }

    @Test("all policies are scored by the recorded method, against plain decoding and a clairvoyant")
    func all() throws {
        let report = try Replay([try trace()], policies: [], methods: [], isGoverned: false).run()
        #expect(report.positions == 300 && report.known == 250 && report.withStatistics == 250)
        #expect(report.agreement == 0.8 && report.plainTokensPerSecond == 10)
        #expect(abs((report.recordedTokensPerSecond ?? 0) - 20) < 1e-9)
        #expect(Set(report.answers.map(\.method)) == ["pearl"] && report.answers.count == Replay.defaults.count)
        for answer in report.answers {
            #expect(answer.shareOfBound > 0 && answer.shareOfBound <= 1, "\(answer)")
            #expect(abs(answer.ratio - answer.tokensPerSecond / 10) < 1e-9)
        }
    }

    @Test("policies and methods that are named are scored in that order")
    func named() throws {
        let report = try Replay(
            [try trace()], policies: ["svip", "fixed:gamma=2"], methods: ["speculative", "stream"], isGoverned: true
        ).run()
        #expect(report.answers.map(\.policy) == ["svip", "fixed:gamma=2", "svip", "fixed:gamma=2"])
        #expect(report.answers.map(\.method) == ["speculative", "speculative", "stream", "stream"])
        #expect(Set(report.bounds.keys) == ["speculative", "stream"])
        #expect(report.answers.allSatisfy { $0.tokensPerSecond > 0 && $0.draftsPerPass <= 16 })
        // The row behind the last draft judges one more, if it is here.
        #expect(report.answers[1].draftsPerPass <= 3 && report.answers[3].draftsPerPass <= 3)
    }

    @Test("several traces are played as jobs of one pair: together, and each from what is known of those before")
    func several() throws {
        func rate(_ count: Int, _ policy: String, isGoverned: Bool = false) throws -> Double {
            let files = try (0..<count).map { _ in try trace() }
            let report = try Replay(files, policies: [policy], methods: ["speculative"], isGoverned: isGoverned).run()
            #expect(report.known == 250 * count && report.plainTokensPerSecond == 10)
            return report.answers[0].tokensPerSecond
        }
        // What never changes learns nothing from the first job.
        #expect(abs(try rate(3, "fixed:gamma=2") - rate(1, "fixed:gamma=2")) < 1e-9)
        // Who begins with the rate of acceptance, 0.8 and not the 0.6 of a new pair, begins better.
        #expect(try rate(3, "goodput") != rate(1, "goodput"))
        let other = Self.header.replacingOccurrences(of: #""target":"T""#, with: #""target":"U""#)
        let files = [try trace(), try trace([other] + Self.lines.dropFirst())]
        #expect(throws: NacreError.self) { try Replay(files, policies: [], methods: [], isGoverned: false) }
    }

    @Test("what cannot be replayed is refused with what is wrong")
    func refused() throws {
        func complaint(_ lines: [String]) -> String {
            do {
                _ = try Replay([try trace(lines)], policies: [], methods: [], isGoverned: false).run()
                return ""
            } catch { return "\(error)" }
        }
        #expect(complaint(Self.lines).isEmpty)
        #expect(complaint([Self.header, #"{"agrees":null,"at":0}"#]).contains("no draft was compared"))
        #expect(complaint([Self.header]).contains("no draft was compared"))
        #expect(complaint([Self.header, #"{"agrees":tr"#]).contains("line 2 of the trace"))
        #expect(complaint(["hello"]).contains("line 1 of the trace"))
        #expect(throws: NacreError.self) { try TraceFile(reading: "/nowhere/at/all") }
        let file = try trace()
        for (policies, methods) in [(["fastest"], []), ([], ["fast"]), ([], ["autoregressive"])] {
            #expect(throws: NacreError.self) {
                try Replay([file], policies: policies, methods: methods, isGoverned: false)
            }
        }
    }

    @Test("a simulation takes costs, way, length and agreement from a trace")
    func simulation() throws {
        var question = try Simulation(try trace())
        #expect(question.tokens == 250 && question.delay == 1 && question.target.map(\.nodes) == [1, 8])
        // A drafter's passes grow as the target's do.
        #expect(question.draft.map(\.milliseconds) == [10, 12.8])
        question.methods = ["speculative"]
        question.policy = "fixed:gamma=2"
        let answer = try #require(try question.run().first)
        // The very round that the trace is made of, as replay plays it.
        let report = try Replay(
            [try trace()], policies: ["fixed:gamma=2"], methods: ["speculative"], isGoverned: false
        ).run()
        #expect(abs(answer.tokensPerSecond - report.answers[0].tokensPerSecond) < 1e-6)
        #expect(abs((answer.acceptanceRate ?? 0) - report.answers[0].acceptanceRate) < 1e-9)
        let near = answer.tokensPerSecond
        question.delay = 200
        #expect(try #require(try question.run().first).tokensPerSecond < near / 2, "the way costs nothing")
    }

    @Test("tables of passes come from a file of milliseconds or from what nodes measured")
    func tables() throws {
        let written = try inFile(#"{"target": {"8": 128, "1": 100}, "draft": {"1": 6.5}}"#) {
            try MeasuredTables(reading: $0)
        }
        #expect(written.target.map(\.nodes) == [1, 8] && written.target.map(\.milliseconds) == [100, 128])
        #expect(written.draft.map(\.milliseconds) == [6.5])
        func node(_ role: String, _ times: [PassTimeDocument], step: Int) -> NodeDocument {
            NodeDocument(
                name: role, role: role, address: nil, model: "", modelDigest: "", vocabularyDigest: "", engine: "",
                cores: "", shards: 1, passTimes: times, disturbance: nil, exact: nil, slots: 1, context: 1, jobs: 0,
                busy: 0, stepMicroseconds: step, problem: nil)
        }
        let times = [(2, 1, 9), (1, 4, 60_000), (1, 1, 40_000)].map {
            PassTimeDocument(shards: $0.0, nodes: $0.1, microseconds: $0.2)
        }
        let nodes = [node("drafter", [], step: 5_000), node("verifier", times, step: 1)]
        let list = String(decoding: try JSON.encode(NodeListDocument(nodes: nodes)), as: UTF8.self)
        for tables in [try MeasuredTables(nodes), try inFile(list, { try MeasuredTables(reading: $0) })] {
            #expect(tables.target.map(\.milliseconds) == [40, 60] && tables.draft.map(\.milliseconds) == [5, 7.5])
        }
        for text in ["", "[]", #"{"target": {"2": 5}}"#, #"{"target": {"one": 5}}"#, #"{"nodes": []}"#] {
            #expect(throws: NacreError.self, "\(text)") { try inFile(text) { try MeasuredTables(reading: $0) } }
        }
    }

    @Test("a thousand nodes are simulated")
    func thousand() throws {
        var question = Simulation(target: [(1, 42), (4, 60)], draft: [(nodes: 1, milliseconds: 5)])
        (question.verifiers, question.drafters, question.jobs, question.tokens) = (500, 500, 1_000, 20)
        question.methods = ["stream"]
        let answer = try #require(try question.run().first)
        #expect(answer.tokensPerSecond > 10_000, "\(answer)")
    }
}

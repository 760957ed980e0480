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

    /// A trace of 300 positions: of six one differs, one had no draft, and of one nothing is known of the drafter.
    private static let lines =
        [header]
        + (0..<300).map { index in
            let agrees = index % 6 == 5 ? "null" : index % 6 == 2 ? "false" : "true"
            let statistics = index % 6 == 4 ? "" : #","entropy":0.5,"top":0.8,"margin":1"#
            return #"{"agrees":\#(agrees),"at":\#(index * 50_000)\#(statistics)}"#
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

    /// What a person is told; nothing if it works.
    private static func complaint(_ body: () throws -> some Any) -> String {
        do {
            _ = try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("all policies are scored by the recorded method, against plain decoding and a clairvoyant")
    func all() throws {
        let report = try Replay([try trace()], policies: [], methods: [], isGoverned: false).run()
        #expect(report.positions == 300 && report.known == 250 && report.withStatistics == 200)
        #expect(report.agreement == 0.8 && report.plainTokensPerSecond == 10)
        #expect(abs((report.recordedTokensPerSecond ?? 0) - 20) < 1e-9)
        #expect(Set(report.answers.map(\.method)) == ["pearl"] && report.answers.count == Replay.defaults.count)
        for answer in report.answers {
            #expect(answer.shareOfBound > 0 && answer.shareOfBound <= 1, "\(answer)")
            #expect(abs(answer.ratio - answer.tokensPerSecond / 10) < 1e-9)
            #expect(answer.acceptanceRate > 0.6 && answer.acceptanceRate < 1, "\(answer)")
        }
    }

    @Test("a governor lets drafts rest that never stand, if one is asked for")
    func governed() throws {
        let never = Self.lines.map { $0.replacing("true", with: "false") }
        func ratio(isGoverned: Bool) throws -> Double {
            try Replay(
                [try trace(never)], policies: ["fixed:gamma=8"], methods: ["speculative"], isGoverned: isGoverned
            ).run().answers[0].ratio
        }
        // A round of 8 drafts takes 210 ms, the pass of one token 100.
        #expect(abs(try ratio(isGoverned: false) - 100.0 / 210) < 0.02)
        #expect(try ratio(isGoverned: true) > 0.8)
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
        // No round has more than a verifier takes, however many would stand.
        let always = try trace(Self.lines.map { $0.replacing("false", with: "true") })
        let long = try Replay([always], policies: ["fixed:gamma=32"], methods: ["speculative"], isGoverned: false).run()
        #expect((14...16).contains(long.answers[0].draftsPerPass), "\(long.answers)")
    }

    @Test("several traces are played as jobs of one pair: together, and each from what is known of those before")
    func several() throws {
        func rate(_ count: Int, _ policy: String, isGoverned: Bool = false) throws -> Double {
            let files = try (0..<count).map { _ in try trace() }
            let report = try Replay(files, policies: [policy], methods: ["speculative"], isGoverned: isGoverned).run()
            #expect(report.known == 250 * count && report.plainTokensPerSecond == 10)
            #expect((report.recordedTokensPerSecond == nil) == (count > 1), "of several jobs there is none")
            return report.answers[0].tokensPerSecond
        }
        // What never changes learns nothing from the first job.
        #expect(abs(try rate(3, "fixed:gamma=2") - rate(1, "fixed:gamma=2")) < 1e-9)
        // Who begins with the rate of acceptance, 0.8 and not the 0.6 of a new pair, begins better.
        #expect(try rate(3, "goodput") != rate(1, "goodput"))
        // The bound is of all tokens in the time of all, not the mean of two rates.
        let worse = Self.lines.prefix(151).map { $0.replacing("true", with: "false") }
        func bound(_ traces: [[String]]) throws -> Double {
            let files = try traces.map { try trace($0) }
            let report = try Replay(files, policies: ["svip"], methods: ["speculative"], isGoverned: false).run()
            return try #require(report.bounds["speculative"])
        }
        let together = 375 / (250 / (try bound([Self.lines])) + 125 / (try bound([worse])))
        #expect(abs(try bound([Self.lines, worse]) - together) < 1e-9)
        let other = Self.header.replacingOccurrences(of: #""target":"T""#, with: #""target":"U""#)
        let files = [try trace(), try trace([other] + Self.lines.dropFirst())]
        #expect(throws: NacreError.self) { try Replay(files, policies: [], methods: [], isGoverned: false) }
    }

    @Test("what cannot be replayed is refused with what is wrong")
    func refused() throws {
        func complaint(_ lines: [String]) -> String {
            Self.complaint { try Replay([try trace(lines)], policies: [], methods: [], isGoverned: false).run() }
        }
        #expect(complaint(Self.lines).isEmpty)
        #expect(complaint([Self.header, #"{"agrees":null,"at":0}"#]).contains("no draft was compared"))
        #expect(complaint([Self.header]).contains("no draft was compared"))
        #expect(complaint([Self.header, #"{"agrees":tr"#]).contains("line 2 of the trace"))
        #expect(complaint(["hello"]).contains("line 1 of the trace"))
        #expect(Self.complaint { try TraceFile(reading: "/nowhere/at/all") }.contains("cannot read the trace"))
        let file = try trace()
        for (policies, methods, words) in [
            (["fastest"], [], "fastest"), ([], ["fast"], "'fast'"), ([], ["autoregressive"], "drafts nothing"),
        ] {
            let complaint = Self.complaint {
                try Replay([file], policies: policies, methods: methods, isGoverned: false)
            }
            #expect(complaint.contains(words), "\(complaint)")
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
        // A drafter's own measurement comes first, unless other work spoilt it.
        for (disturbance, expected) in [(nil, [6, 9]), ("other work", [5, 7.5])] as [(String?, [Double])] {
            let own = [(1, 1, 6_000), (1, 4, 9_000)].map {
                PassTimeDocument(shards: $0.0, nodes: $0.1, microseconds: $0.2)
            }
            var drafter = node("drafter", own, step: 5_000)
            drafter.disturbance = disturbance
            let tables = try MeasuredTables([drafter, node("verifier", times, step: 1)])
            #expect(tables.draft.map(\.milliseconds) == expected)
        }
        for (text, words) in [
            ("", "holds no tables"), ("[]", "holds no tables"), (#"{"target": {"2": 5}}"#, "what a pass of 1 takes"),
            (#"{"target": {"one": 5}}"#, "no table of passes"), (#"{"nodes": []}"#, "none of 0 verifiers"),
        ] {
            let complaint = Self.complaint { try inFile(text) { try MeasuredTables(reading: $0) } }
            #expect(complaint.contains(words), "\(text): \(complaint)")
        }
    }

    @Test("a thousand nodes are simulated")
    func thousand() throws {
        var question = Simulation(target: [(1, 42), (4, 60)], draft: [(1, 5), (2, 6)])
        (question.verifiers, question.drafters, question.jobs, question.tokens) = (500, 500, 1_000, 60)
        question.methods = ["stream"]
        let answer = try #require(try question.run().first)
        // A drafter for each two jobs, whose drafts are there in time.
        #expect(answer.tokensPerSecond > 10_000 && answer.ratio > 1.02, "\(answer)")
    }
}

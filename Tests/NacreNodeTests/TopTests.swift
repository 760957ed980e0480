import NacreAPI
import NacreClient
import Testing

/// What two samples of a cluster come to.
@Suite struct TopTests {
    private static func pair(
        _ method: String = "stream", state: String = "drafting", rounds: Int, verified: Int, drafted: Int,
        overlap: Int, judged: [Int] = [], accepted: [Int] = []
    ) -> PairDocument {
        PairDocument(
            verifier: "v", targetModel: "T.gguf", draftModel: "D.gguf", method: method, policy: "goodput",
            tree: "chain", state: state, reason: "because", ratio: 1.2, sinceSeconds: 3, jobs: 1, tokensPerSecond: 50,
            tokens: 100, rounds: rounds, verified: verified, drafted: drafted, draftMicroseconds: overlap,
            overlapMicroseconds: overlap, judgedAt: judged, acceptedAt: accepted)
    }

    private static func sample(
        at seconds: Double, tokens: Int, passing: Int, waiting: Int, _ pairs: [PairDocument]
    ) -> ClusterSample {
        var node = NodeDocument(
            name: "v", role: "verifier", address: nil, model: "T.gguf (1.1 B)", modelDigest: "", vocabularyDigest: "",
            engine: "", cores: "0", shards: 1, passTimes: [], disturbance: nil, exact: true, slots: 4, context: 1_024,
            jobs: 1, busy: 0.5, stepMicroseconds: 1, problem: nil)
        (node.passingMicroseconds, node.waitingMicroseconds) = (passing, waiting)
        return ClusterSample(
            at: start + .seconds(seconds),
            status: StatusDocument(
                version: "", uptimeSeconds: 9, ready: true, verifiers: 1, drafters: 1, jobsOpen: 1, jobsFinished: 0,
                pairs: pairs),
            jobs: [JobSummary(id: "j", state: "running", method: "stream", promptTokens: 1, outputTokens: tokens)],
            nodes: [node])
    }

    private static let start = ContinuousClock.now

    @Test("rates, bubble, lengths and acceptance are differences of two samples")
    func differences() throws {
        var history = ClusterHistory()
        let before = Self.pair(
            rounds: 10, verified: 10, drafted: 20, overlap: 1_000, judged: [10, 5], accepted: [5, 5])
        let after = Self.pair(
            rounds: 20, verified: 40, drafted: 50, overlap: 301_000, judged: [30, 15], accepted: [20, 6])
        history.add(Self.sample(at: 0, tokens: 100, passing: 0, waiting: 0, [before]))
        #expect(history.document == nil)
        history.add(Self.sample(at: 2, tokens: 160, passing: 600_000, waiting: 200_000, [after]))
        let top = try #require(history.document)
        #expect(top.seconds == 2 && top.tokensPerSecond == 30 && top.jobs.first?.tokensPerSecond == 30)
        #expect(top.nodes.first?.bubble == 0.25 && top.nodes.first?.model == "T.gguf")
        let pair = try #require(top.pairs.first)
        #expect(pair.draftLengths == [3] && pair.acceptanceByPosition == [0.75, 0.1] && pair.overlap == 0.5)
        #expect(pair.warning == nil && !top.allRest)
        // For programs a pair is one object, whatever it is made of here.
        let json = try JSON.encode(top)
        let text = String(decoding: json, as: UTF8.self)
        #expect(text.contains(#""draft_lengths":[3]"#) && text.contains(#""verified":40"#) && !text.contains(#""now""#))
        #expect(try JSON.decode(TopDocument.self, from: json) == top)
    }

    @Test("a verifier that was started again under its name begins anew")
    func restart() throws {
        var history = ClusterHistory()
        let before = Self.pair(
            rounds: 90, verified: 300, drafted: 400, overlap: 900_000, judged: [90, 50], accepted: [80, 9])
        let after = Self.pair(rounds: 10, verified: 20, drafted: 30, overlap: 200_000, judged: [10], accepted: [4])
        history.add(Self.sample(at: 0, tokens: 100, passing: 5_000_000, waiting: 7_000, [before]))
        // Gone for a moment.
        var gone = Self.sample(at: 1, tokens: 100, passing: 0, waiting: 0, [])
        gone.nodes = []
        history.add(gone)
        history.add(Self.sample(at: 2, tokens: 130, passing: 400_000, waiting: 0, [after]))
        let top = try #require(history.document)
        let pair = try #require(top.pairs.first)
        #expect(pair.draftLengths == [nil, 2] && pair.acceptanceByPosition == [0.4] && pair.overlap == 0.5)
        #expect(top.nodes.first?.bubble == nil)
    }

    @Test(
        "a drafter that never computes during a pass is warned of, with the reason",
        arguments: [
            ("stream", "drafting", 30, "come late"), ("pearl", "drafting", 0, "no drafts came"),
            ("stream", "resting", 4, "because"), ("speculative", "drafting", 30, ""),
        ])
    func warning(method: String, state: String, drafted: Int, words: String) throws {
        var history = ClusterHistory()
        for (number, share) in [0, 1].enumerated() {
            let pair = Self.pair(
                method, state: state, rounds: 10 * share, verified: 0, drafted: drafted * share, overlap: 0)
            history.add(Self.sample(at: Double(number), tokens: 0, passing: 500_000 * share, waiting: 0, [pair]))
        }
        let top = try #require(history.document)
        let warning = top.pairs.first?.warning
        #expect(words.isEmpty ? warning == nil : warning?.contains(words) == true, "\(warning ?? "none")")
        #expect(top.allRest == (state == "resting"))
        let rows = TopText.rows(top)
        #expect(rows.contains { $0.first == "warning" } == (!words.isEmpty))
        let lines = TopText.lines(top, of: "here", width: 40, height: 6)
        #expect(lines.count == 6 && lines.allSatisfy { $0.text.count <= 40 } && lines.last?.text == "...")
        // What has no room beside the rest of its row stands below it.
        for width in [40, 60, 80] {
            let all = TopText.lines(top, of: "here", width: width, height: 60).map(\.text)
            let words = all.joined(separator: " ").split(separator: " ").joined(separator: " ")
            let reason = try #require(top.pairs.first?.reason)
            #expect(all.allSatisfy { $0.count <= width } && words.contains("why \(reason)"), "\(all)")
        }
    }

    @Test("a sparkline is as high as its values, with gaps where there are none")
    func sparkline() {
        #expect(TopText.sparkline([0, 7, nil, 3.5]) == "▁█ ▅")
        #expect(TopText.sparkline([nil, 0.0]) == " ▁")
        #expect(TopText.sparkline([]) == "-")
    }
}

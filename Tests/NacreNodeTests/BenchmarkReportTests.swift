import Foundation
import FoundationXML
import NacreAPI
import NacreClient
import NacreCore
import NacreNode
import Testing

/// What `nacre bench` makes of its samples: cells, table, JSON and the page.
@Suite struct BenchmarkReportTests {
    private static func job(_ tokens: [UInt32] = [1, 2, 3], _ edit: (inout JobDocument) -> Void = { _ in })
        -> FinishedJob
    {
        var statistics = StatisticsDocument()
        (statistics.rounds, statistics.judged, statistics.accepted) = (2, 4, 3)
        (statistics.judgedAt, statistics.acceptedAt) = ([3, 1], [2, 1])
        statistics.verifierBusy = 0.5
        var job = JobDocument(
            id: "a", state: "done", outcome: nil, error: nil, method: "stream", seed: 1, promptTokens: 1,
            outputTokens: tokens.count, text: "", tokens: tokens, verifiers: [], contextLimited: false,
            statistics: statistics)
        edit(&job)
        return FinishedJob(document: job, margins: [0.5, 0.25, 0.125])
    }

    private static func cell(
        _ way: DecodingVariant, jobs: Int = 1, rates: [Double] = [125, 100, 150], of outputs: [FinishedJob] = [job()],
        temperature: Double? = nil
    ) -> BenchmarkCell {
        var tally = BenchmarkTally(way, jobs: jobs, temperature: temperature)
        for rate in rates { tally.add(rate: rate, plain: way.isPlain ? nil : 100) }
        for output in outputs { tally.add(output, against: job(), prompt: 0) }
        return tally.cell
    }

    private static let mtad = DecodingVariant(method: "mtad")

    private static func report(_ cells: [BenchmarkCell], refusals: [Benchmark.Refusal] = []) throws -> BenchmarkReport {
        func node(_ role: String, _ model: String) -> NodeDocument {
            NodeDocument(
                name: role, role: role, address: nil, model: model, modelDigest: "", vocabularyDigest: "", engine: "e",
                cores: "0", shards: 1, passTimes: [], disturbance: nil, exact: nil, slots: 1, context: 1, jobs: 0,
                busy: 0, stepMicroseconds: 0, problem: nil)
        }
        let benchmark = Benchmark(
            [.plain], prompts: [Prompt(text: "a")], jobs: [1], repetitions: 3, template: JobRequest(prompt: ""))
        var report = BenchmarkReport(
            benchmark, nodes: [node("verifier", "<T & \"t\">.gguf"), node("drafter", "D.gguf")],
            cores: CoreAssignment(available: try #require(CPUList(cores: 0..<2)), verifiers: 1, drafters: 1),
            command: "nacre bench --prompts 'a<b'")
        var outcome = Benchmark.Outcome()
        (outcome.cells, outcome.refusals) = (cells, refusals)
        let trace = TraceDocument(traceEvents: [
            .init(name: "", ph: "X", tid: 1, ts: 0, dur: 100, args: ["count": "3"]),
            .init(name: "", ph: "i", tid: 2, ts: 100, s: "t", args: ["count": "2"]),
            .init(name: "", ph: "X", tid: 10, ts: 50, dur: 80, args: ["count": "2"]),
        ])
        outcome.timelines = [JobTimeline(trace, of: DecodingVariant(method: "stream"))].compactMap(\.self)
        report.add(outcome, seconds: 1.5)
        return report
    }

    @Test("a cell is the medians of its samples, and shares of sums over its jobs")
    func tally() throws {
        // Positions that less than half of the jobs had are left out.
        let short = Self.job { ($0.statistics.judgedAt, $0.statistics.acceptedAt) = ([2], [0]) }
        let cell = Self.cell(DecodingVariant(method: "stream"), of: [Self.job(), short, short])
        #expect(cell.rates == [125, 100, 150] && cell.ratios == [1.25, 1, 1.5])
        #expect(cell.tokensPerSecond?.median == 125 && cell.ratio?.low == 1.125 && cell.ratio?.high == 1.375)
        #expect(cell.outputs == 3 && cell.tokens == 9 && cell.passes == 6 && cell.judged == 12 && cell.accepted == 9)
        #expect(cell.acceptanceRate == 0.75 && cell.meanAcceptedTokens == 0.5)
        #expect(cell.acceptanceByPosition == [2.0 / 7] && cell.verifierBusy == 0.5 && cell.drafterBusy == nil)
        #expect(cell.differing == 0 && cell.divergence == nil && cell.exact)
        // Jobs that overlap have no shares of their own, and plain decoding no ratio.
        #expect(Self.cell(DecodingVariant(method: "stream"), jobs: 2).verifierBusy == nil)
        // What a load is learnt by is shown by itself.
        var tally = BenchmarkTally(DecodingVariant(method: "stream"), jobs: 8)
        tally.begin(rate: 50, plain: 100)
        tally.add(rate: 99, plain: 100)
        #expect(tally.cell.firstRatio == 0.5 && tally.cell.ratios == [0.99] && tally.cell.rates == [99])
        let plain = Self.cell(.plain)
        #expect(plain.ratios.isEmpty && plain.ratio == nil && plain.tokensPerSecond?.count == 3)
    }

    @Test("the first output that is not plain decoding's fails the benchmark, unless rounding may have tipped it")
    func differing() throws {
        let stream = DecodingVariant(method: "stream")
        let other = Self.job([1, 9, 9])
        let cell = Self.cell(stream, of: [Self.job(), other, Self.job([1])])
        #expect(cell.differing == 2 && cell.divergence?.position == 1 && cell.divergence?.margin == 0.25)
        let report = try Self.report([Self.cell(.plain), cell])
        #expect(report.identity == "2 of 4 outputs differ from plain decoding's" && report.failure?.code == .failed)
        #expect(report.failure?.description.contains("stream, 1 at once") == true)
        let tipped = Self.cell(stream, of: [Self.job([1, 9]) { $0.exact = false }])
        let excused = try Self.report([Self.cell(.plain), tipped])
        #expect(excused.failure == nil && excused.identity.contains("inexact"))
        let refused = try Self.report([Self.cell(.plain)], refusals: [.init(name: "x", reason: "cannot be")])
        #expect(refused.failure?.code == .badUsage && refused.failure?.description.contains("cannot be") == true)
    }

    @Test("a lossy method has a row of its own, and its text is held against nothing")
    func lossy() throws {
        let cell = Self.cell(Self.mtad, rates: [300, 300, 300], of: [Self.job([7, 8]), Self.job()])
        #expect(cell.lossy && cell.differing == 0 && cell.divergence == nil && cell.ratio?.median == 3)
        let report = try Self.report([Self.cell(.plain), Self.cell(DecodingVariant(method: "stream")), cell])
        #expect(report.failure == nil && report.outputs == 4)
        #expect(
            report.identity
                == "all 2 outputs are plain decoding's, token by token; 2 of lossy methods are not compared")
        #expect(report.table.rows.map(\.last) == ["identical", "identical", "lossy"])
        #expect(report.table.rows[2][1...4] == ["mtad", "300.0", "300.0-300.0", "3.00"])
        let page = BenchmarkPage(report).html
        #expect(page.contains("<td>lossy</td>") && page.contains("Lossy, with other text than plain decoding's: mtad."))
        // Three times as fast, but not as the target's own text.
        #expect(page.contains("<strong>1.25×</strong>") && !page.contains("<strong>3.00×</strong>"))
    }

    @Test("methods with several texts have rows of their own, are held against nothing and against each other")
    func beams() throws {
        let (beam, dsbd) = (DecodingVariant(method: "beam"), DecodingVariant(method: "dsbd"))
        let drawn = Self.cell(beam, rates: [200, 100, 400], of: [Self.job([7, 8]), Self.job()])
        #expect(drawn.differing == 0 && drawn.divergence == nil && drawn.ratio?.median == 2 && !drawn.isCompared)
        // A pass adds to every text: tokens of one of them per pass say nothing about it.
        #expect(drawn.meanAcceptedTokens == nil && drawn.acceptanceRate == 0.75)
        let stream = Self.cell(DecodingVariant(method: "stream"))
        let drafted = Self.cell(dsbd, rates: [100, 80, 600])
        var narrow = dsbd
        narrow.widthThreshold = 0.7
        let lossy = Self.cell(narrow, rates: [1, 1, 1], temperature: 1)
        let cells = [Self.cell(.plain), stream, drawn, drafted, lossy]
        let report = try Self.report(cells)
        #expect(
            report.table.rows.map(\.last) == ["identical", "identical", "samples at 0.8", "samples at 0.8", "lossy"])
        #expect(report.table.rows[2][1...4] == ["beam", "200.0", "150.0-300.0", "2.00"])
        #expect(report.table.rows[2][8] == "-")
        #expect(
            report.identity
                == "all 2 outputs are plain decoding's, token by token; 1 of lossy methods and 3 drawn as beams are "
                + "not compared")
        #expect(report.failure == nil && report.outputs == 6)
        // Sample by sample: 0.5, 0.8 and 1.5.
        try #require(report.notes.count == 3)
        #expect(report.notes[0].contains("drawn at temperature 0.8"))
        #expect(report.notes[1] == "dsbd has 0.80 (0.65-1.15) times the tokens per second of beam, 1 at once")
        let page = BenchmarkPage(report).html
        #expect(page.contains("<td>samples at 0.8</td>") && page.contains(">\(report.notes[1]).</p>"))
        #expect(page.contains("<strong>1.25×</strong>") && !page.contains("<strong>2.00×</strong>"))
        #expect(XMLParser(data: Data(page.utf8)).parse(), "not well-formed")
        // Where nothing is greedy nothing is said of it, and each number of jobs has a first of its own.
        let hot = [1, 4].flatMap { jobs in [beam, dsbd].map { Self.cell($0, jobs: jobs, temperature: 1) } }
        let warm = try Self.report(hot)
        #expect(warm.table.rows.allSatisfy { $0.last == "samples" })
        try #require(warm.notes.count == 3)
        #expect(!warm.notes[0].contains("temperature") && warm.notes[2].hasSuffix("of beam, 4 at once"))
        #expect(try Self.report([Self.cell(.plain), stream]).notes.isEmpty)
    }

    @Test("a rule that promises a seed nothing has a row of samples above temperature 0, and is compared greedily")
    func rules() throws {
        var block = DecodingVariant(method: "speculative", gamma: 4)
        block.rule = "block"
        let name = "speculative:gamma=4,rule=block"
        let other = Self.cell(block, of: [Self.job([7, 8]), Self.job()], temperature: 0.8)
        #expect(other.drawsAnew && !other.lossy && other.differing == 0 && other.divergence == nil)
        // Unlike beams it has one text, whose tokens are counted by pass, and no temperature of its own.
        #expect(other.meanAcceptedTokens != nil && other.temperature == nil)
        let stream = Self.cell(DecodingVariant(method: "stream"), temperature: 0.8)
        let report = try Self.report([Self.cell(.plain, temperature: 0.8), stream, other])
        #expect(report.table.rows.map(\.last) == ["identical", "identical", "samples"])
        #expect(
            report.identity == "all 2 outputs are plain decoding's, token by token; 2 drawn anew are not compared")
        #expect(report.failure == nil && report.notes.count == 1 && report.notes[0].hasPrefix(name))
        #expect(BenchmarkPage(report).html.contains("same law, with other text than plain decoding's: \(name)."))

        for temperature in [nil, 0.0] {
            let greedy = Self.cell(block, of: [Self.job([7, 8])], temperature: temperature)
            #expect(!greedy.drawsAnew && greedy.differing == 1)
        }
        block.rule = "coupled"
        let coupled = Self.cell(block, of: [Self.job([7, 8])], temperature: 0.8)
        #expect(!coupled.drawsAnew && coupled.differing == 1)
    }

    @Test("what other verifiers scored is counted where they were asked")
    func helped() throws {
        var beam = DecodingVariant(method: "beam")
        #expect(BenchmarkTally(beam, jobs: 1).cell.helped == nil)
        beam.helpers = 1
        var tally = BenchmarkTally(beam, jobs: 2)
        for count in [3, 0, 4] { tally.addHelp(count) }
        #expect(tally.cell.helped == 7)
        let notes = try Self.report([tally.cell]).notes
        #expect(notes.last == "beam:helpers=1, 2 at once: other verifiers scored for it 7 times")
        // Tracks as the coordinator's traces have them.
        let spans = [1, 10, 49, 50, 65, 66].map {
            TraceDocument.Event(name: "", ph: "X", tid: $0, ts: 0, dur: 1, args: [:])
        }
        let name = TraceDocument.Event(name: "thread_name", ph: "M", tid: 50, args: [:])
        #expect(TraceDocument(traceEvents: spans + [name]).helped == 2)
    }

    @Test("everything that bench can run is among all, lossy methods as they are")
    func all() throws {
        let all = try DecodingVariant.all.map { try DecodingVariant(parsing: $0) }
        #expect(
            Set(all.map(\.method))
                == Set(DecodingVariant.methods + DecodingVariant.lossyMethods + JobRequest.beamMethods)
                .subtracting(["autoregressive"]))
        let tau = try DecodingVariant(parsing: "mtad:tree=path:4,tau=0.25")
        #expect(tau.isLossy && tau.description == "mtad:tree=path:4,tau=0.25")
        let request = tau.request(JobRequest(prompt: "a"))
        #expect(request.tau == 0.25 && request.tree == "path:4" && request.method == "mtad")
        #expect(throws: NacreError.self) { try DecodingVariant(parsing: "mtad:tau=low") }
        // A search of beams takes no policy.
        let grid = DecodingVariant.grid(methods: all, policies: ["svip"]).filter(\.isLossy)
        #expect(grid.map(\.description) == ["mtad", "mtad:tree=path:4"])
    }

    @Test("figures in JSON come back as they were, under the names of the API")
    func json() throws {
        let report = try Self.report(
            [Self.cell(.plain), Self.cell(Self.mtad)], refusals: [.init(name: "x", reason: "y")])
        let json = try JSON.encode(report, pretty: true)
        let back = try JSON.decode(BenchmarkReport.self, from: json)
        #expect(back.cells == report.cells && back.refusals == report.refusals)
        #expect(back.timelines == report.timelines && back.timelines.count == 1)
        #expect(back.machine == report.machine && back.seconds == 1.5 && back.command == report.command)
        let text = String(decoding: json, as: UTF8.self)
        for key in ["tokens_per_second", "acceptance_by_position", "max_tokens", "lossy", "placing"] {
            #expect(text.contains("\"\(key)\" :"), "\(key)")
        }
    }

    @Test("the page is well-formed, needs nothing from elsewhere and shows what it has, however little")
    func page() throws {
        let stream = DecodingVariant(method: "stream")
        let cells = [1, 4].flatMap {
            [Self.cell(.plain, jobs: $0), Self.cell(stream, jobs: $0), Self.cell(Self.mtad, jobs: $0)]
        }
        let full = BenchmarkPage(try Self.report(cells, refusals: [.init(name: "pearl:tree=best", reason: "a < b")]))
            .html
        let headings = ["Speed against", "Figures", "Accepted drafts", "Draft length over time", "Overlap of drafting"]
        for heading in headings { #expect(full.contains("<h2>\(heading)"), "\(heading)") }
        #expect(full.contains("&lt;T &amp; &quot;t&quot;&gt;.gguf") && full.contains("a &lt; b"))
        #expect(full.contains("nacre bench --prompts 'a&lt;b'") && full.contains("4 jobs at once"))
        #expect(full.contains("position 1: 67 %"))
        // Nothing was measured, or only plain decoding.
        let none = BenchmarkPage(try Self.report([])).html
        let plain = BenchmarkPage(try Self.report([Self.cell(.plain, rates: [])])).html
        for page in [full, none, plain] {
            #expect(XMLParser(data: Data(page.utf8)).parse(), "not well-formed")
            #expect(!page.contains("<script") && !page.contains("nan") && !page.contains("inf\""))
        }
        #expect(!none.contains("<h2>Speed against") && !plain.contains("<h2>Accepted drafts"))
    }

    @Test("every method has a colour of its own")
    func colours() throws {
        let page = BenchmarkPage(try Self.report([])).html
        for method in DecodingVariant.methods + DecodingVariant.lossyMethods + JobRequest.beamMethods {
            #expect(page.contains(".f.\(method) {") && page.contains("--\(method): #"), "\(method)")
        }
    }
}

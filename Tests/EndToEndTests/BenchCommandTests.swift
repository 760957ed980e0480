import Foundation
import FoundationXML
import NacreAPI
import NacreClient
import NacreCore
import Testing

/// `nacre bench` and `nacre tune` on the models that Nacre comes with.
@Suite(.serialized) struct BenchCommandTests {
    @Test("every way gives plain decoding's tokens, and table, JSON and report have the same figures")
    func bench() async throws {
        try await PatchedModel.withFolder { folder in
            let (json, page) = ("\(folder)/figures.json", "\(folder)/report.html")
            let result = try await Command.run(
                "nacre",
                [
                    "bench", "--methods", "speculative:gamma=3,pearl,stream", "--policies", "svip", "--jobs", "1,2",
                    "--tokens", "24", "--repeat", "2", "--json", json, "--report", page,
                ])
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            let report = try JSON.decode(
                BenchmarkReport.self, from: Array(try Data(contentsOf: URL(filePath: json))))
            #expect(report.cells.count == 8 && report.differing == 0 && report.refusals.isEmpty)
            #expect(report.ignoreEos && report.cells.allSatisfy { $0.tokens == 24 * $0.outputs })
            #expect(report.outputs == report.cells.reduce(0) { $0 + $1.outputs } && report.outputs > 8 * 8)
            let plain = report.cells.filter { $0.name == "autoregressive" }
            #expect(plain.map(\.jobs) == [1, 2] && plain.allSatisfy { $0.ratio == nil && $0.judged == 0 })
            let drafted = report.cells.filter { $0.name == "speculative:gamma=3" }
            #expect(drafted.allSatisfy { $0.judged > 0 && $0.accepted > 0 && $0.ratio?.count == $0.ratios.count })
            // Shown are positions at which half of the outputs had a draft judged.
            let positions = drafted.map(\.acceptanceByPosition.count)
            #expect(positions.allSatisfy { (1...3).contains($0) }, "\(positions)")
            #expect(drafted.allSatisfy { ($0.meanAcceptedTokens ?? 0) > 0 })
            #expect(report.timelines.map(\.name).contains("stream, svip"))
            let lines = result.output.split(separator: "\n")
            #expect(lines.count == 8 && lines.allSatisfy { $0.hasSuffix("identical") })

            let text = try String(contentsOfFile: page, encoding: .utf8)
            #expect(XMLParser(data: Data(text.utf8)).parse(), "not well-formed")
            for cell in report.cells {
                let figures = [cell.name, Figures.decimal(cell.tokensPerSecond?.median, digits: 1)]
                #expect(figures.allSatisfy { text.contains(">\($0)<") }, "\(cell.name)")
                if let ratio = cell.ratio {
                    #expect(text.contains("<td>\(Figures.decimal(ratio.median, digits: 2))×</td>"), "\(cell.name)")
                }
            }
            for word in ["<script", "http://", "https://", "url("] {
                let rest = text.replacing("http://www.w3.org/2000/svg", with: "")
                #expect(!rest.contains(word), "the page needs nothing from elsewhere: \(word)")
            }
            for heading in ["Speed against", "Accepted drafts", "Draft length over time", "Overlap of drafting"] {
                #expect(text.contains("<h2>\(heading)"), "\(heading)")
            }
            let machine = "\(report.machine)".replacing("&", with: "&amp;")
            #expect(machine.contains(report.machine.processor.replacing("&", with: "&amp;")))
            #expect(text.contains(">\(machine)<") && text.contains("--tokens 24"))
        }
    }

    @Test("a lossy method is measured beside the others, and its text is held against nothing")
    func lossy() async throws {
        let result = try await Command.run(
            "nacre",
            ["bench", "--methods", "speculative:gamma=2,mtad:gamma=2,tau=0.1", "--tokens", "24", "--repeat", "1"])
        #expect(result.status == 0, "\(result)")
        let rows = result.output.split(separator: "\n").map { $0.split(separator: "\t") }
        #expect(rows.map { $0[1] } == ["autoregressive", "speculative:gamma=2", "mtad:gamma=2,tau=0.1"], "\(result)")
        #expect(rows.map { $0.last } == ["identical", "identical", "lossy"], "\(result)")
        // Its drafts are taken.
        #expect(rows.last.flatMap { Double($0[8]) }.map { $0 > 0 } == true, "\(result)")
    }

    @Test("rules that promise a seed nothing are measured at a temperature, as samples")
    func rules() async throws {
        let ways = ["speculative:gamma=3,rule=rejection", "speculative:gamma=3,rule=block"]
        let result = try await Command.run(
            "nacre",
            [
                "bench", "--methods", ways.joined(separator: ","), "--temperature", "0.8", "--tokens", "24", "--repeat",
                "1",
            ])
        #expect(result.status == 0, "\(result)")
        let rows = result.output.split(separator: "\n").map { $0.split(separator: "\t") }
        #expect(rows.map { String($0[1]) } == ["autoregressive"] + ways, "\(result)")
        #expect(rows.map { $0.last } == ["identical", "samples", "samples"], "\(result)")
        // Their drafts are taken.
        #expect(rows.dropFirst().allSatisfy { Double($0[8]).map { $0 > 0 } ?? false }, "\(result)")
        #expect(result.errors.contains("drawn from plain decoding's law by other noise"), "\(result)")
    }

    @Test("methods with several texts are rows of the same table, in JSON and in the report")
    func beams() async throws {
        try await PatchedModel.withFolder { folder in
            let (json, page) = ("\(folder)/figures.json", "\(folder)/report.html")
            let ways = ["stream", "beam:beams=3", "dsbd:gamma=2,beams=3", "dsbd:keep-one=drawn"]
            let result = try await Command.run(
                "nacre",
                [
                    "bench", "--methods", ways.joined(separator: ","), "--jobs", "1,2", "--tokens", "24", "--repeat",
                    "1", "--json", json, "--report", page,
                ])
            #expect(result.status == 0, "\(result)")
            let rows = result.output.split(separator: "\n").map { $0.split(separator: "\t") }
            #expect(rows.map { String($0[1]) } == (["autoregressive"] + ways) + (["autoregressive"] + ways))
            let kinds = ["identical", "identical", "samples at 0.8", "samples at 0.8", "lossy at 0.8"]
            #expect(rows.compactMap { $0.last.map(String.init) } == kinds + kinds, "\(result)")
            #expect(result.errors.contains("temperature 0.8") && result.errors.contains("of beam:beams=3, 2 at once"))
            let report = try JSON.decode(
                BenchmarkReport.self, from: Array(try Data(contentsOf: URL(filePath: json))))
            let drawn = report.cells.filter(\.drawsBeams)
            #expect(report.cells.count == 10 && drawn.count == 6 && report.differing == 0)
            for cell in drawn {
                #expect(cell.rates.allSatisfy { $0 > 0 } && cell.ratios.count == cell.rates.count, "\(cell.name)")
                // One text of each job is counted, and it may end before the budget does.
                #expect(cell.outputs >= 8 && (cell.outputs...24 * cell.outputs).contains(cell.tokens), "\(cell.name)")
                #expect((cell.judged > 0) == (cell.method == "dsbd"), "\(cell.name)")
            }
            // Beams that nobody drafts for have a pass for each token, and more where others went on.
            #expect(drawn.filter { $0.method == "beam" }.allSatisfy { $0.passes >= $0.tokens })
            let text = try String(contentsOfFile: page, encoding: .utf8)
            #expect(XMLParser(data: Data(text.utf8)).parse(), "not well-formed")
            #expect(text.contains("<td>samples at 0.8</td>") && text.contains(">dsbd:gamma=2,beams=3<"))
        }
    }

    @Test("beams that another verifier helps with are the same beams, and the report says that it did help")
    func helped() async throws {
        let result = try await Command.run(
            "nacre",
            [
                "bench", "--drafters", "0", "--verifiers", "2", "--methods", "beam,beam:helpers=1", "--tokens", "32",
                "--repeat", "1", "--json", "-",
            ])
        #expect(result.status == 0, "\(result)")
        let report = try JSON.decode(BenchmarkReport.self, from: Array(result.output.utf8))
        try #require(report.cells.map(\.name) == ["autoregressive", "beam", "beam:helpers=1"])
        let (alone, helped) = (report.cells[1], report.cells[2])
        #expect(alone.helped == nil && helped.helped ?? 0 > 0 && helped.rates.allSatisfy { $0 > 0 })
        #expect(alone.tokens == helped.tokens && alone.outputs == helped.outputs)
    }

    @Test("what cannot be measured is named, and nothing to measure is an error")
    func refusals() async throws {
        let some = ["bench", "--tokens", "4", "--repeat", "1"]
        let partly = try await Command.run("nacre", some + ["--methods", "stream,pearl:tree=best", "--json", "-"])
        #expect(partly.status == 0 && partly.output.contains("drafts windows"), "\(partly)")
        for (methods, words) in [
            ("pearl:tree=best", "drafts windows"), ("steam", "stream"), ("stream:gamma=99", "32"),
            ("beam:gamma=2", "method dsbd"), ("stream:beams=2", "no beams"),
            ("dsbd:beams=5,draft-beams=4", "draft_beams"),
        ] {
            let none = try await Command.run("nacre", some + ["--methods", methods])
            #expect(none.status == 2 && none.errors.contains(words), "\(none)")
        }
    }

    @Test("what cannot end well is refused before anything is started")
    func refusedAtOnce() async throws {
        for (arguments, words) in [
            (["bench", "--json", "/nonexistent/f.json"], "cannot write"),
            (["bench", "--report", "/nonexistent/f.html"], "cannot write"),
            (["tune", "--out", "/nonexistent/f.yaml"], "cannot write"),
            (["tune", "--methods", ""], "names nothing"), (["bench", "--methods", ""], "names nothing"),
            (["bench", "--policies", ","], "names nothing"),
            (["bench", "--coordinator", "127.0.0.1:1", "--verifiers", "1"], "--verifiers is about"),
            (["bench", "--coordinator", "127.0.0.1:1", "--placement", "apart"], "--placement is about"),
            (["bench", "--jobs", "1,4", "--slots", "2"], "do not fit"),
            (["bench", "--drafters", "0"], "needs a drafter"),
            (["bench", "--drafters", "0", "--methods", "beam,dsbd"], "dsbd needs a drafter"),
            (["bench", "--methods", "beam:helpers=2"], "add --verifiers 3"),
            (["bench", "--repeat", "10001"], "between 1 and 10000"),
        ] {
            let result = try await Command.run("nacre", arguments)
            #expect(result.status == 2 || result.status == 64, "\(arguments): \(result)")
            #expect(result.errors.contains(words), "\(arguments): \(result)")
        }
    }

    @Test("tuning keeps to its time, and a cluster takes the settings that it writes")
    func tune() async throws {
        try await PatchedModel.withFolder { folder in
            let settings = "\(folder)/tuned.yaml"
            let result = try await Command.run(
                "nacre",
                ["tune", "--budget", "8s", "--tokens", "6", "--methods", "speculative", "--json", "--out", settings])
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            let found = try JSON.decode(Found.self, from: Array(result.output.utf8))
            #expect(found.differing == 0 && found.outputs > 0 && !found.interrupted && found.budgetSeconds == 8)
            #expect(found.arms.count == TuningSpace.variants(methods: ["speculative"]).count)
            #expect(found.pair == "pycode-8m-q8_0.gguf/pycode-3m-q8_0.gguf")
            let text = try String(contentsOfFile: settings, encoding: .utf8)
            #expect(text.contains("\nmethod: ") && text.hasPrefix("# nacre tune"), "\(text)")
            #expect(text.contains("# placement apart: verifier on core"), "\(text)")
            // Whatever won here by chance: the same form with a policy, which must reach jobs.
            let pair = try #require(found.pair)
            try Data((text.prefix { $0 != "\n" } + "\nmethod: pearl\npair-policies: '\(pair) fixed:gamma=3'\n").utf8)
                .write(to: URL(filePath: settings))
            let own = ["XDG_RUNTIME_DIR": folder]
            let up = try await Command.run(
                "nacre",
                [
                    "up", "--detach", "--placement", "apart", "--config", settings, "--listen", "127.0.0.1:0", "--http",
                    "127.0.0.1:0",
                ],
                environment: own)
            #expect(up.status == 0, "\(up)")
            let run = try await Command.run("nacre", ["run", "import os", "--json"], environment: own)
            let job = try JSON.decode(JobDocument.self, from: Array(run.output.utf8))
            #expect(job.method == "pearl" && job.policy == "fixed:gamma=3" && job.policySetBy.contains("tuned.yaml"))
            let down = try await Command.run("nacre", ["down"], environment: own)
            #expect(down.status == 0, "\(down)")
        }
    }

    @Test("Ctrl-C shows the best so far")
    func interrupted() async throws {
        try await PatchedModel.withFolder { folder in
            let settings = "\(folder)/tuned.yaml"
            let tune = try Command(
                "nacre", ["tune", "--budget", "1h", "--tokens", "2", "--methods", "pearl", "--out", settings])
            try await Deadline.wait(for: "the first sample is taken") {
                tune.hasEnded || FileManager.default.fileExists(atPath: settings)
            }
            tune.signal(SIGINT)
            let result = try await tune.result()
            #expect(result.status == 130, "\(result)")
            #expect(result.output.contains("pearl, fixed:gamma=2\t"), "\(result)")
        }
    }

    private struct Found: Decodable {
        struct Arm: Decodable { let name: String }
        let differing: Int
        let outputs: Int
        let interrupted: Bool
        let budgetSeconds: Double
        let pair: String?
        let arms: [Arm]
    }
}

import Foundation
import NacreAPI
import NacreClient
import Testing

/// `--record`, `nacre replay` and `nacre simulate --trace` through real processes.
@Suite(.serialized) struct RecordTests {
    /// A line of a trace behind its header.
    private struct Line: Decodable {
        var agrees: Bool?
        var entropy: Double?
        var top: Double?
        var probability: Double?
        var at: Double
    }

    private struct Header: Decodable {
        struct Pass: Decodable { var nodes: Int }

        var target: String
        var draft: String
        var passes: [Pass]
        var draftMicroseconds: Double
        var method: String
    }

    private static func read(_ path: String) throws -> (header: Header, lines: [Line]) {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(separator: "\n").map { Data($0.utf8) }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return (
            try decoder.decode(Header.self, from: try #require(lines.first)),
            try lines.dropFirst().map { try decoder.decode(Line.self, from: $0) }
        )
    }

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "record-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    @Test("a recorded job has the tokens of one that is not, and its trace says what its statistics say")
    func recorded() async throws {
        try await TestCluster.with { cluster in
            try await withFolder { folder in
                for (method, temperature) in [("stream", "0"), ("speculative", "0.8"), ("pearl", "0.8")] {
                    let path = "\(folder)/\(method).trace"
                    let options = [
                        "run", "class Stack:\n", "--method", method, "--max-tokens", "120", "--temperature",
                        temperature,
                        "--seed", "5", "--json", "--coordinator", "\(cluster.http)",
                    ]
                    let without = try await Command.run("nacre", options)
                    let with = try await Command.run("nacre", options + ["--record", path])
                    #expect(with.status == 0, "\(with.errors)")
                    let plain = try JSON.decode(JobDocument.self, from: Array(without.output.utf8))
                    let job = try JSON.decode(JobDocument.self, from: Array(with.output.utf8))
                    #expect(job.tokens == plain.tokens, "\(method)")

                    let (header, lines) = try Self.read(path)
                    #expect(lines.count == job.outputTokens)
                    #expect(header.method == method && header.draftMicroseconds > 0)
                    #expect(header.target.contains("pycode-8m") && header.draft.contains("pycode-3m"))
                    #expect(header.passes.first?.nodes == 1)
                    let agreed = lines.count { $0.agrees == true }
                    let differed = lines.count { $0.agrees == false }
                    #expect(agreed == job.statistics.accepted, "\(method)")
                    #expect(agreed + differed == job.statistics.judged, "\(method)")
                    #expect(agreed > 0 && differed > 0, "\(method): nothing was learnt")
                    for line in lines where line.agrees != nil {
                        let (top, q) = (try #require(line.top), try #require(line.probability))
                        #expect(try #require(line.entropy) >= 0 && q <= top + 1e-6 && top <= 1)
                    }

                    let replay = try await Command.run("nacre", ["replay", path])
                    #expect(replay.status == 0, "\(replay.errors)")
                    let rows = replay.output.split(separator: "\n").map { $0.split(separator: "\t") }
                    #expect(rows.count == Replay.defaults.count && rows.allSatisfy { $0.first == method[...] })
                    let simulated = try await Command.run(
                        "nacre", ["simulate", "--trace", path, "--delay", "3", "--json"])
                    #expect(simulated.status == 0 && simulated.output.contains("tokens_per_second"))
                }
            }
        }
    }

    @Test("a submitted job's trace is fetched when it is over, and only if it was recorded")
    func fetched() async throws {
        try await TestCluster.with { cluster in
            let id = try await cluster.nacre("submit", "import os\n", "--max-tokens", "40", "--ignore-eos", "--record")
                .output
                .trimmingCharacters(in: .whitespacesAndNewlines)
            _ = try await cluster.end(of: id)
            let trace = try await cluster.nacre("trace", id, "--decisions")
            #expect(trace.status == 0 && trace.output.hasPrefix(#"{"draft":"#), "\(trace.errors)")
            #expect(trace.output.split(separator: "\n").count == 41)
            let other = try await cluster.submit(Jobs.endless(8))
            _ = try await cluster.end(of: other)
            let none = try await cluster.nacre("trace", other, "--decisions")
            #expect(none.status == 1 && none.errors.contains("record: true"), "\(none.errors)")
            let live = try await cluster.nacre("simulate", "--live", "--draft", "1", "--alpha", "0.6", "--json")
            #expect(live.status == 0, "\(live.errors)")
            let nowhere = try await cluster.nacre("run", "a", "--record", "/nowhere/at/all/t")
            #expect(nowhere.status == 2 && nowhere.errors.contains("/nowhere/at/all/t"))
        }
    }

    @Test("a recording without drafts is said to be of no use, and a pipe that is there takes one")
    func undrafted() async throws {
        try await PatchedModel.withFolder { folder in
            let pipe = "\(folder)/pipe"
            #expect(mkfifo(pipe, 0o600) == 0)
            // For both directions, since else to open one waits for the other.
            let end = FileHandle(fileDescriptor: open(pipe, O_RDWR), closeOnDealloc: true)
            // To read what is not there would wait for ever.
            var arrival = pollfd(fd: end.fileDescriptor, events: Int16(POLLIN), revents: 0)
            try await TestCluster.with { cluster in
                for (way, isUseless) in [(["--method", "autoregressive"], true), (["--gamma", "2"], false)] {
                    let run = try await cluster.nacre(
                        arguments: ["run", "import os\n", "--max-tokens", "120", "--ignore-eos", "--record", pipe] + way
                    )
                    #expect(run.status == 0 && run.errors.contains("no draft was compared") == isUseless, "\(run)")
                    var trace = Data()
                    while poll(&arrival, 1, 0) == 1 { trace += end.availableData }
                    #expect(trace.starts(with: Array(#"{"draft":"#.utf8)), "\(way)")
                    #expect(trace.split(separator: UInt8(ascii: "\n")).count == 121, "\(way)")
                }
            }
            let kind = try FileManager.default.attributesOfItem(atPath: pipe)[.type] as? FileAttributeType
            #expect(kind != .typeRegular, "the pipe was replaced")
        }
    }

    @Test("commands without a cluster refuse what makes no sense, and say so")
    func refused() async throws {
        let refusals = [
            (["replay", "/nowhere/at/all"], "cannot read the trace"),
            (["simulate"], "Give --trace"),
            (["simulate", "--trace", "a", "--alpha", "0.5"], "leave --alpha out"),
            (["simulate", "--trace", "a", "--live"], "one of --trace"),
            (["simulate", "--target", "1:9", "--draft", "1", "--method", "pearls"], "pearl"),
        ]
        for (arguments, words) in refusals {
            let result = try await Command.run("nacre", arguments)
            #expect(result.status == 2 && result.errors.contains(words), "\(arguments): \(result.errors)")
        }
    }
}

import Foundation
import NacreAPI
import NacreClient
import Testing

private enum Curl {
    static let path = "/usr/bin/curl"
    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: path) }
}

/// The HTTP API as docs/api.md describes it, by a client that is not ours.
@Suite(.serialized, .enabled(if: Curl.isThere, "curl is not installed"))
struct APITests {
    private struct Answer {
        let status: Int
        let body: String

        func decoded<Document: Decodable>(_ type: Document.Type) throws -> Document {
            try JSON.decode(type, from: Array(body.utf8))
        }
    }

    private static func curl(_ arguments: String..., path: String, of cluster: TestCluster) async throws -> Answer {
        let fixed = ["--silent", "--show-error", "--no-buffer", "--http2-prior-knowledge", "--max-time", "50"]
        let result = try await Command.run(
            Curl.path, fixed + ["--write-out", "\n%{http_code}"] + arguments + ["http://\(cluster.http)\(path)"])
        #expect(result.status == 0, "\(result.errors)")
        let end = result.output.lastIndex(of: "\n") ?? result.output.startIndex
        return Answer(
            status: Int(result.output[end...].dropFirst()) ?? 0, body: String(result.output[..<end]))
    }

    /// The events of a stream: kind and data.
    private static func events(_ body: String) -> [(kind: String, data: [UInt8], id: String?)] {
        body.split(separator: "\n\n").compactMap { block in
            var fields: [Substring: Substring] = [:]
            for line in block.split(separator: "\n") {
                guard let colon = line.range(of: ": ") else { continue }
                fields[line[..<colon.lowerBound]] = line[colon.upperBound...]
            }
            guard let kind = fields["event"], let data = fields["data"] else { return nil }
            return (String(kind), Array(data.utf8), fields["id"].map(String.init))
        }
    }

    @Test("a job's timeline shows passes, drafts and every committed token, and the counters know of them")
    func traces() async throws {
        try await TestCluster.with { cluster in
            let body = #"{"prompt": "import os\n", "max_tokens": 40, "method": "speculative", "gamma": 3}"#
            let id = try await Self.curl("--data", body, path: "/v1/jobs", of: cluster).decoded(JobDocument.self).id
            _ = try await Self.curl(path: "/v1/jobs/\(id)/events", of: cluster)
            let trace = try await Self.curl(path: "/v1/jobs/\(id)/trace", of: cluster).decoded(TraceDocument.self)
            let spans = trace.traceEvents.filter { $0.ph == "X" }
            #expect(spans.contains { $0.name.hasPrefix("verify") } && spans.contains { $0.name.hasPrefix("draft") })
            let committed = trace.traceEvents.filter { $0.ph == "i" }.compactMap { Int($0.name.dropFirst()) }
            #expect(committed.reduce(0, +) == 40)
            let metrics = try await Self.curl(path: "/metrics", of: cluster).body
            let tokens = metrics.split(separator: "\n").filter {
                $0.hasPrefix("nacre_coordinator_output_tokens_total{") && $0.contains("method=\"speculative\"")
            }
            #expect(tokens.count == 1 && tokens[0].hasSuffix("} 40"), "\(tokens)")
            let isPair = tokens.allSatisfy { $0.contains("target=\"pycode-8m") && $0.contains("draft=\"pycode-") }
            #expect(isPair, "\(tokens)")
            let unknown = String(repeating: "f", count: 32)
            #expect(try await Self.curl(path: "/v1/jobs/\(unknown)/trace", of: cluster).status == 404)
        }
    }

    @Test("a job is posted, listed, read, followed from any point on, and its text is the same every time")
    func life() async throws {
        try await TestCluster.with { cluster in
            let body = #"""
                {"prompt": "import os\n", "max_tokens": 90, "temperature": 0.7, "min_p": 0.1, "seed": 5,
                 "ignore_eos": true}
                """#
            let posted = try await Self.curl("--data", body, path: "/v1/jobs", of: cluster)
            #expect(posted.status == 201)
            let id = try posted.decoded(JobDocument.self).id
            let followed = try await Self.curl(path: "/v1/jobs/\(id)/events", of: cluster)
            let last = try #require(Self.events(followed.body).last)
            let job = try JSON.decode(JobDocument.self, from: last.data)
            #expect(last.kind == "ended" && job.state == "done" && job.tokens.count == 90)
            #expect(try await Self.curl(path: "/v1/jobs/\(id)", of: cluster).decoded(JobDocument.self) == job)
            let list = try await Self.curl(path: "/v1/jobs", of: cluster).decoded(JobListDocument.self)
            #expect(list.jobs.map(\.id) == [id])

            for after in [0, 1, 40, 89, 90] {
                let answer = try await Self.curl(path: "/v1/jobs/\(id)/events?after=\(after)", of: cluster)
                let parts = try Self.events(answer.body).filter { $0.kind == "tokens" }.map {
                    (document: try JSON.decode(JobTokens.self, from: $0.data), id: $0.id)
                }
                #expect(parts.flatMap(\.document.tokens) == Array(job.tokens.dropFirst(after)), "after \(after)")
                let head = try await Self.text(of: after, cluster)
                #expect(head + parts.map(\.document.text).joined() == job.text, "after \(after)")
                for part in parts { #expect(part.id == "\(part.document.start + part.document.tokens.count)") }
            }
        }
    }

    /// The text of the first `count` tokens, as the events tell it.
    private static func text(of count: Int, _ cluster: TestCluster) async throws -> String {
        var request = JobRequest(prompt: "import os\n")
        (request.maxTokens, request.temperature, request.minP, request.seed) = (max(1, count), 0.7, 0.1, 5)
        request.ignoreEos = true
        return count == 0 ? "" : try await cluster.withClient { try await $0.run(request).document.text }
    }

    @Test("a stream that breaks off is resumed where it broke off, while the job runs")
    func resume() async throws {
        try await TestCluster.with { cluster in
            let id = try await cluster.submit(Jobs.endless(600))
            let url = "http://\(cluster.http)/v1/jobs/\(id)/events"
            let first = try Command(Curl.path, ["-s", "-N", "--http2-prior-knowledge", url])
            try await first.until("some events came") { Self.events($0).count > 12 }
            first.signal(SIGKILL)
            let broken = try await first.result().output
            // The last event may be torn: what counts is the last one whose end is there.
            let whole = Self.events(
                String(broken[..<(broken.range(of: "\n\n", options: .backwards)?.upperBound ?? broken.startIndex)]))
            let after = try #require(whole.last { $0.kind == "tokens" }?.id)
            let rest = try await Self.curl(path: "/v1/jobs/\(id)/events?after=\(after)", of: cluster)
            let parts = try (whole + Self.events(rest.body)).filter { $0.kind == "tokens" }
                .map { try JSON.decode(JobTokens.self, from: $0.data) }
            let job = try await cluster.end(of: id)
            #expect(parts.flatMap(\.tokens) == job.tokens && parts.map(\.text).joined() == job.text)
        }
    }

    @Test("an attached job ends with curl; a deleted one is cancelled")
    func ends() async throws {
        try await TestCluster.with(drafters: 0) { cluster in
            var request = Jobs.endless()
            request.stream = true
            let body = String(decoding: try JSON.encode(request), as: UTF8.self)
            let url = "http://\(cluster.http)/v1/jobs"
            let attached = try Command(Curl.path, ["-s", "-N", "--http2-prior-knowledge", "--data", body, url])
            try await attached.until("it streams") { $0.contains("event: tokens") }
            attached.signal(SIGKILL)
            _ = try await attached.result()
            try await cluster.until("its job is cancelled") { try await $0.jobs().map(\.state) == ["cancelled"] }

            let id = try await cluster.submit(Jobs.endless())
            let deleted = try await Self.curl("--request", "DELETE", path: "/v1/jobs/\(id)", of: cluster)
            #expect(deleted.status == 200)
            #expect(try await cluster.end(of: id).state == "cancelled")
        }
    }

    @Test(
        "what cannot be is refused with the reason",
        arguments: [
            (400, "/v1/jobs", #"{"prompt": "a", "top_kk": 3}"#, "did you mean 'top_k'?"),
            (400, "/v1/jobs", #"{"prompt": "a", "method": "perl"}"#, "did you mean 'pearl'?"),
            (400, "/v1/jobs", #"{"prompt": "a", "gamma": 33}"#, "gamma must lie in 1 ... 32, not 33"),
            (400, "/v1/jobs", #"{"prompt": "a", "tree": "bets"}"#, "did you mean 'best'?"),
            (400, "/v1/jobs", #"{"prompt": "a", "max_tokens": 0}"#, "max_tokens must lie in 1 ... 32768, not 0"),
            (400, "/v1/jobs", #"{"prompt": "a", "top_p": 0}"#, "top-p must lie above 0"),
            (400, "/v1/jobs", #"{"prompt": 7}"#, "'prompt' has the wrong type"),
            (400, "/v1/jobs", #"{}"#, "'prompt' is missing"),
            (400, "/v1/jobs", "prompt", "not a JSON object"),
            (404, "/v1/job", "{}", "docs/api.md"),
        ])
    func refused(status: Int, path: String, body: String, reason: String) async throws {
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            let answer = try await Self.curl("--data", body, path: path, of: cluster)
            #expect(answer.status == status && answer.body.contains(reason), "\(answer)")
        }
    }

    @Test("readiness follows the verifiers")
    func readiness() async throws {
        try await TestCluster.with(drafters: 0) { cluster in
            #expect(try await Self.curl(path: "/readyz", of: cluster).status == 200)
            try await cluster.kill("verifier-1")
            try await cluster.until("it is missed") { try await $0.status().verifiers == 0 }
            #expect(try await Self.curl(path: "/readyz", of: cluster).status == 503)
            #expect(try await Self.curl(path: "/healthz", of: cluster).status == 200)
        }
    }
}

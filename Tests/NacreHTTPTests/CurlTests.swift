import Foundation
import NacreHTTP
import Testing

@Suite("curl against the server", .timeLimit(.minutes(1)))
struct CurlTests {
    private static let curl = "/usr/bin/curl"
    private static var isThere: Bool { FileManager.default.isExecutableFile(atPath: curl) }

    /// Runs curl on a thread of its own: the server's handlers need the shared ones.
    private func run(_ arguments: [String]) async throws -> (status: Int32, output: String) {
        let words = [Self.curl, "--silent", "--show-error", "--max-time", "20"] + arguments
        let line = words.map { "'\($0)'" }.joined(separator: " ") + " 2>&1"
        let ended = Signal<(status: Int32, output: String)>()
        Thread.detachNewThread {
            guard let pipe = popen(line, "r") else { return ended.send((-1, "curl could not be started")) }
            var output: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { output += buffer[..<count] }
            ended.send((pclose(pipe) >> 8, String(decoding: output, as: UTF8.self)))
        }
        return try await ended.next()
    }

    @Test("gets, posts, streams and is refused as it should be", .enabled(if: isThere, "curl is not installed"))
    func curl() async throws {
        try await withServer { request, responder in
            if request.path == "/events" {
                let writer = try? await responder.start(status: 200, headers: ["content-type": "text/event-stream"])
                for number in 0..<3 {
                    try? await writer?.write(ServerSentEvent(id: "\(number)", data: "tick").encoded)
                }
                try? await writer?.finish()
            } else {
                try? await responder.send(status: 200, body: Array("\(request.method) ".utf8) + request.body)
            }
        } _: { server in
            let url = "http://127.0.0.1:\(server.port)"
            let h2 = "--http2-prior-knowledge"
            #expect(try await run([h2, url]) == (0, "GET "))
            #expect(try await run([h2, "-d", "hello", url]) == (0, "POST hello"))
            let events = try await run([h2, "-N", "\(url)/events"])
            #expect(events == (0, (0..<3).map { "id: \($0)\ndata: tick\n\n" }.joined()))

            let plain = try await run(["-w", "%{http_code}", url])
            #expect(plain == (0, "this port speaks HTTP/2: use curl --http2-prior-knowledge\n505"))

            let file = FileManager.default.temporaryDirectory.appending(path: "nacre-http-\(server.port)")
            try Data(count: 3 << 20).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            let large = try await run([h2, "-w", "%{http_code}", "--data-binary", "@\(file.path)", url])
            #expect(large == (0, "the request body is over 1048576 bytes\n413"))
            let chunked = try await run([
                h2, "-w", "%{http_code}", "-X", "POST", "-H", "content-length:", "-T", file.path, url,
            ])
            #expect(chunked == (0, "the request body is over 1048576 bytes\n413"))
        }
    }
}

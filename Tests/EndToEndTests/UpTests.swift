import Foundation
import NacreAPI
import NacreClient
import Testing

/// Clusters that `nacre` itself starts: they decode, and leave nothing behind however they end.
@Suite(.serialized) struct UpTests {
    @Test("up --detach starts a cluster that commands find by themselves; down stops all of it")
    func detached() async throws {
        try await PatchedModel.withFolder { folder in
            let own = ["XDG_RUNTIME_DIR": folder]
            let up = try await Command.run(
                "nacre",
                [
                    "up", "--detach", "--json", "--placement", "apart", "--listen", "127.0.0.1:0", "--http",
                    "127.0.0.1:0",
                ],
                environment: own)
            #expect(up.status == 0 && up.errors.isEmpty, "\(up)")
            let pids = Self.pids(up.output)
            #expect(pids.count == 3 && pids.allSatisfy(Self.isRunning))
            let run = try await Command.run("nacre", ["run", "import os", "--max-tokens", "8"], environment: own)
            #expect(run.status == 0 && !run.output.isEmpty && run.errors.isEmpty, "\(run)")
            let second = try await Command.run("nacre", ["up"], environment: own)
            #expect(second.status == 1 && second.complaints.count == 1 && second.errors.contains("nacre down"))
            let down = try await Command.run("nacre", ["down", "--json"], environment: own)
            #expect(down.status == 0 && down.errors.isEmpty, "\(down)")
            #expect(Set(Self.pids(down.output)) == Set(pids), "\(down)")
            #expect(!pids.contains(where: Self.isRunning))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }

    @Test("an attached cluster ends with its launcher, whether asked or killed", arguments: [SIGINT, SIGTERM, SIGKILL])
    func attached(signal: Int32) async throws {
        try await PatchedModel.withFolder { folder in
            let up = try Command(
                "nacre", ["up", "--placement", "together", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"],
                environment: ["XDG_RUNTIME_DIR": folder])
            try await up.until("it is ready") { $0.contains("drafter-1: pid") }
            let pids = up.output.split(separator: "\n").compactMap {
                $0.split(separator: "pid ").last.flatMap { Int32($0) }
            }
            #expect(pids.count == 3 && pids.allSatisfy(Self.isRunning))
            up.signal(signal)
            #expect(try await up.result().status == (signal == SIGKILL ? 137 : 130))
            try await Deadline.wait(for: "all are gone") { !pids.contains(where: Self.isRunning) }
            if signal != SIGKILL { #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == []) }
        }
    }

    @Test("nacre demo streams, compares and leaves nothing behind, also when it is interrupted")
    func demo() async throws {
        try await PatchedModel.withFolder { folder in
            let own = ["XDG_RUNTIME_DIR": folder, "TMPDIR": folder]
            let pair = ["--target", Jobs.target, "--draft", Jobs.draft]
            let demo = try await Command.run("nacre", ["demo"] + pair, environment: own)
            #expect(demo.status == 0 && demo.output.contains("identical to plain decoding"), "\(demo)")
            let figures = ["tokens/s", "ratio", "acceptance rate", "mean accepted tokens", "verifier busy", "rounds"]
            for figure in figures { #expect(demo.output.contains(figure), "\(figure)") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
            let interrupted = try Command(
                "nacre", ["demo", "--max-tokens", "1800", "--ignore-eos"] + pair, environment: own)
            try await interrupted.until("it streams") { !$0.isEmpty }
            let children = Self.children(of: interrupted.pid)
            #expect(children.count == 3)
            interrupted.signal(SIGINT)
            #expect(try await interrupted.result().status == 130)
            try await Deadline.wait(for: "all are gone") { !children.contains(where: Self.isRunning) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }

    private static func children(of pid: Int32) -> [Int32] {
        // Each thread has the list of those that it started.
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        let lists = threads.map { try? String(contentsOfFile: "/proc/\(pid)/task/\($0)/children", encoding: .utf8) }
        return lists.flatMap { ($0 ?? "").split(separator: " ").compactMap { Int32($0) } }
    }

    @Test("nacre check finds no divergence, and says so with its exit status")
    func check() async throws {
        let result = try await Command.run(
            "nacre", ["check", "--max-tokens", "12", "--temperature", "0.8", "--seed", "7", "--json"])
        #expect(result.status == 0, "\(result)")
        #expect(result.output.contains(#""same":true"#), "\(result.output)")
    }

    private static func pids(_ json: String) -> [Int32] {
        json.matches(of: /"pid":([0-9]+)/).compactMap { Int32($0.1) }
    }

    // A process that has ended stays in the list until its parent, which may be the system's first, has taken note.
    private static func isRunning(_ pid: Int32) -> Bool {
        guard let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return false }
        let state = String(decoding: stat, as: UTF8.self).split(separator: ") ").last?.first
        return state != "Z" && state != "X"
    }
}

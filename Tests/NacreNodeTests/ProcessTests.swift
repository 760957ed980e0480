import Foundation
import NacreClient
import NacreNode
import Testing

/// Real processes: the shell plays the daemon.
@Suite struct ProcessTests {
    private func shell(_ script: String, attachment: ChildProcess.Attachment? = nil) throws -> ChildProcess {
        try ChildProcess(
            "child", executable: "/bin/sh", arguments: ["-c", script], attachment: attachment ?? .attached { _ in })
    }

    @Test("lines of both outputs are kept, and the exit status")
    func output() async throws {
        let child = try shell("echo ready x; echo one >&2; printf two >&2; echo >&2; exit 7")
        #expect(await child.waitForEnd(within: .seconds(20)))
        #expect(child.output == ["ready x"])
        #expect(child.errors == ["one", "two"])
        #expect(child.ending == .exited(7))
    }

    @Test("a signal ends the child and is told as its ending; signals after that go nowhere")
    func signals() async throws {
        let child = try shell("exec sleep 1000")
        #expect(child.ending == nil)
        child.signal(SIGKILL)
        #expect(await child.waitForEnd(within: .seconds(20)))
        #expect(child.ending == .killed(signal: SIGKILL))
        child.signal(SIGKILL)
    }

    @Test("a child starts with default signals, in a session of its own")
    func session() async throws {
        let child = try shell("kill -TERM $$; sleep 1000")
        #expect(await child.waitForEnd(within: .seconds(20)))
        #expect(child.ending == .killed(signal: SIGTERM))
        let other = try shell("cut -d' ' -f1,6 /proc/self/stat; echo $$")
        #expect(await other.waitForEnd(within: .seconds(20)))
        let session = other.output.first?.split(separator: " ").last.map(String.init)
        #expect(session == String(other.pid))
    }

    @Test("the last lines of a long log are kept")
    func longLog() async throws {
        let child = try shell("i=0; while [ $i -lt 500 ]; do echo line $i >&2; i=$((i+1)); done")
        #expect(await child.waitForEnd(within: .seconds(20)))
        #expect(child.errors.count == 40 && child.errors.last == "line 499")
    }

    @Test("what cannot be started is an error that names it")
    func missingExecutable() {
        let error = #expect(throws: NacreError.self) {
            try ChildProcess("x", executable: "/nonexistent", arguments: [], attachment: .attached { _ in })
        }
        #expect(error?.description.contains("/nonexistent") == true)
    }

    @Test("a process is told from a later one of the same number by its start time")
    func identity() async throws {
        let child = try shell("read x")
        let process = try #require(ClusterRecord.Process(name: "child", pid: child.pid))
        #expect(process.isRunning)
        let impostor = ClusterRecord.Process(name: "child", pid: child.pid, startTime: process.startTime + 1)
        #expect(!impostor.isRunning)
        child.signal(SIGKILL)
        #expect(await child.waitForEnd(within: .seconds(20)))
        #expect(!process.isRunning)
    }

    @Test("a cluster's record is private, is read back, ends its processes, and leaves nothing behind")
    func record() async throws {
        let root = NSTemporaryDirectory() + "nacre-record-\(UUID().uuidString)"
        let folder = ClusterFolder(path: root + "/nacre")
        defer { rmdir(root) }
        #expect(try folder.running() == nil)
        try folder.create()
        let child = try shell("exec sleep 1000", attachment: .detached(log: folder.logPath("child")))
        let process = try #require(ClusterRecord.Process(name: "child", pid: child.pid))
        let record = ClusterRecord(listen: "a:1", http: "b:2", launcher: nil, processes: [process])
        try folder.write(record)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.recordPath)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        #expect(try folder.running() == record)
        await record.stop()
        #expect(await child.waitForEnd(within: .seconds(20)))
        #expect(try folder.running() == nil)
        folder.clear()
        #expect(!FileManager.default.fileExists(atPath: folder.path))
    }

    @Test("a folder that others can write to is refused")
    func foreignFolder() throws {
        let root = NSTemporaryDirectory() + "nacre-open-\(UUID().uuidString)"
        #expect(mkdir(root, 0o700) == 0 && chmod(root, 0o777) == 0)
        defer { rmdir(root) }
        #expect(throws: NacreError.self) { try ClusterFolder(path: root + "/nacre").create() }
    }
}

import Foundation
package import NacreNode

/// The one running cluster of `nacre up`, written down for `nacre down`, `nacre run` and the next `nacre up`.
package struct ClusterRecord: Codable, Sendable, Equatable {
    /// A process, told from a later one with the same number by when it started.
    package struct Process: Codable, Sendable, Equatable {
        package let name: String
        package let pid: Int32
        /// Clock ticks from the machine's start to the process's.
        package let startTime: UInt64

        package init(name: String, pid: Int32, startTime: UInt64) {
            self.name = name
            self.pid = pid
            self.startTime = startTime
        }

        /// The process as it runs now; `nil` if it does not.
        package init?(name: String, pid: Int32) {
            guard let startTime = Self.startTime(of: pid) else { return nil }
            self.init(name: name, pid: pid, startTime: startTime)
        }

        /// Whether this very process is still there, and not only waiting to be reaped.
        package var isRunning: Bool { Self.startTime(of: pid) == startTime }

        // proc_pid_stat(5): field 3 is the state and field 22 the start time, counted from behind the command, which is
        // in parentheses and may hold anything.
        private static func startTime(of pid: Int32) -> UInt64? {
            guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
            let text = String(decoding: data, as: UTF8.self)
            guard let close = text.lastIndex(of: ")") else { return nil }
            let fields = text[text.index(after: close)...].split(separator: " ")
            guard fields.count > 19, fields[0] != "Z" else { return nil }
            return UInt64(fields[19])
        }
    }
    package let listen: String
    package let http: String
    /// The `nacre up` that stays in the foreground; absent for a detached cluster.
    package let launcher: Process?
    /// The daemons, the coordinator first.
    package let processes: [Process]

    package init(listen: String, http: String, launcher: Process?, processes: [Process]) {
        self.listen = listen
        self.http = http
        self.launcher = launcher
        self.processes = processes
    }

    /// What is to be written about a cluster just launched.
    package init(_ cluster: Cluster, isDetached: Bool) {
        let myself = Process(name: "nacre up", pid: ProcessInfo.processInfo.processIdentifier)
        self.init(
            listen: "\(cluster.control)", http: "\(cluster.http)", launcher: isDetached ? nil : myself,
            processes: cluster.children.compactMap { Process(name: $0.name, pid: $0.pid) })
    }

    /// The processes that are still there.
    package var running: [Process] { ((launcher.map { [$0] } ?? []) + processes).filter(\.isRunning) }
}

/// The per-user folder where a cluster keeps its record and, when detached, its logs.
package struct ClusterFolder: Sendable {
    package let path: String

    package init(path: String) { self.path = path }

    /// `$XDG_RUNTIME_DIR/nacre`, else `/tmp/nacre-UID/nacre`.
    package static func standard() -> ClusterFolder {
        let runtime = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"].flatMap { $0.isEmpty ? nil : $0 }
        return ClusterFolder(path: "\(runtime ?? "/tmp/nacre-\(getuid())")/nacre")
    }

    package var recordPath: String { "\(path)/cluster.json" }
    package func logPath(_ name: String) -> String { "\(path)/\(name).log" }

    /// Makes the folder, for this user only.
    ///
    /// - Throws: `.failed` if it cannot be made or is another user's, who could then have us signal processes.
    package func create() throws(NacreError) {
        let parent = URL(filePath: path).deletingLastPathComponent().path
        for folder in [parent, path] {
            if mkdir(folder, S_IRWXU) != 0 && errno != EEXIST {
                throw NacreError(
                    .failed, "cannot make the folder \(folder): \(String(cString: strerror(errno)))",
                    remedy: "set XDG_RUNTIME_DIR to a folder of yours")
            }
            try checkOwner(folder)
        }
    }

    private func checkOwner(_ folder: String) throws(NacreError) {
        var status = stat()
        guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid(),
            status.st_mode & (S_IWGRP | S_IWOTH) == 0
        else {
            throw NacreError(
                .failed, "\(folder) is not a folder that only you can write to",
                remedy: "remove it or set XDG_RUNTIME_DIR")
        }
    }

    /// The record of the running cluster; `nil` if there is none, or only what a killed one has left.
    ///
    /// - Throws: `.failed` for a record that is not ours or cannot be read.
    package func running() throws(NacreError) -> ClusterRecord? {
        guard FileManager.default.fileExists(atPath: recordPath) else { return nil }
        try checkOwner(path)
        let data = FileManager.default.contents(atPath: recordPath)
        guard let data, let record = try? JSONDecoder().decode(ClusterRecord.self, from: data) else {
            throw NacreError(.failed, "cannot read \(recordPath)", remedy: "remove it if no cluster runs")
        }
        return record.running.isEmpty ? nil : record
    }

    /// Writes the record, readable for this user only.
    package func write(_ record: ClusterRecord) throws(NacreError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let isWritten = (try? encoder.encode(record)).map {
            FileManager.default.createFile(atPath: recordPath, contents: $0, attributes: [.posixPermissions: 0o600])
        }
        guard isWritten == true else {
            throw NacreError(.failed, "cannot write \(recordPath)", remedy: "check the space and rights in \(path)")
        }
    }

    /// Removes the record and the logs, and the folders if nothing else is in them.
    package func clear() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for name in names where name == "cluster.json" || name.hasSuffix(".log") { unlink("\(path)/\(name)") }
        rmdir(path)
        // Only what `create` may have made: the parent is otherwise the system's.
        let parent = URL(filePath: path).deletingLastPathComponent().path
        if parent == "/tmp/nacre-\(getuid())" { rmdir(parent) }
    }
}

extension ClusterRecord {
    /// Ends the cluster from another process: its launcher puts everything away itself, daemons of a detached one are
    /// told one by one, with force after five seconds.
    package func stop() async {
        let told = (launcher.map { [$0] } ?? processes).filter(\.isRunning)
        for process in told { kill(process.pid, SIGTERM) }
        if await !waitForEnd(of: running, within: .seconds(launcher == nil ? 5 : 12)) {
            for process in running { kill(process.pid, SIGKILL) }
            _ = await waitForEnd(of: running, within: .seconds(5))
        }
    }

    private func waitForEnd(of processes: [Process], within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while processes.contains(where: \.isRunning) {
            guard ContinuousClock.now < deadline, (try? await Task.sleep(for: .milliseconds(10))) != nil else {
                return false
            }
        }
        return true
    }
}

import Foundation
package import NacreNode
import Synchronization

/// A process of our own, in a session of its own: a Ctrl-C on the terminal reaches only us, and we end it in order.
///
/// Foundation's `Process` can neither start sessions nor leave a process behind, so this is `posix_spawn` itself. One
/// thread per child reads its output and reaps it.
package final class ChildProcess: Sendable {
    /// What becomes of the child when we die.
    package enum Attachment: Sendable {
        /// Its stdin is a pipe that ends with us; its stderr goes line by line to `log`, and its last lines are kept.
        case attached(log: @Sendable (String) -> Void)
        /// It stays; its stderr goes to the end of the file at `log`.
        case detached(log: String)
    }

    /// How it ended.
    package enum Ending: Sendable, Hashable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        package var description: String {
            switch self {
            case .exited(let status): "exit status \(status)"
            case .killed(let signal): "signal \(signal)"
            }
        }
    }

    private struct State {
        var output: [String] = []
        var errors: [String] = []
        var ending: Ending?
        /// Our end of its stdin, until it has ended.
        var input: Int32?
    }
    package let name: String
    package let pid: Int32
    private let state: Mutex<State>
    /// Where a detached child's stderr goes.
    private let logPath: String?

    // A log line is a few hundred bytes; these are for the message when the child dies.
    private static let linesMax = 40
    // POSIX_SPAWN_SETSID of glibc's <spawn.h>, which shows it only to feature macros that Swift does not set.
    private static let newSession: Int32 = 0x80
    // From the making of a pipe to its close-on-exec flag no other child may be started: it would hold the pipe open.
    private static let spawning = Mutex(())

    /// Starts `executable`; `name` is what people call it.
    ///
    /// - Throws: `.failed` if the system does not start it.
    package init(
        _ name: String, executable: String, arguments: [String], attachment: Attachment
    ) throws(NacreError) {
        let started = Self.spawning.withLock { _ in
            Result { try Self.spawn(executable, arguments, attachment) }
        }
        let child: Spawned
        do {
            child = try started.get()
        } catch {
            throw NacreError(.failed, "cannot start \(executable): \(error)")
        }
        self.name = name
        pid = child.pid
        if case .detached(let log) = attachment { logPath = log } else { logPath = nil }
        state = Mutex(State(input: child.input))
        Thread.detachNewThread { [self] in
            guard case .attached(let log) = attachment else { return follow(output: child.output) }
            follow(output: child.output, errors: child.errors, log: log)
        }
    }

    /// Lines it has printed, the first first.
    package var output: [String] { state.withLock { $0.output } }
    /// The last lines of its stderr.
    package var errors: [String] {
        guard let logPath else { return state.withLock { $0.errors } }
        let text = String(decoding: FileManager.default.contents(atPath: logPath) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").suffix(Self.linesMax).map(String.init)
    }
    /// How it ended; `nil` while it runs.
    package var ending: Ending? { state.withLock { $0.ending } }

    /// Sends a signal, unless it has ended: its number may be another process's by now.
    package func signal(_ signal: Int32) {
        state.withLock { if $0.ending == nil { kill(pid, signal) } }
    }

    /// Waits until it has ended.
    ///
    /// - Returns: whether it has, before `limit`.
    package func waitForEnd(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while ending == nil, ContinuousClock.now < deadline {
            do {
                try await Task.sleep(for: .milliseconds(5))
            } catch {
                return ending != nil
            }
        }
        return ending != nil
    }

    // MARK: the thread

    private func follow(output: Int32, errors: Int32? = nil, log: (String) -> Void = { _ in }) {
        var open = [output] + (errors.map { [$0] } ?? [])
        var partial: [Int32: [UInt8]] = [:]
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !open.isEmpty {
            var polls = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
            for descriptor in polls where descriptor.revents != 0 {
                let count = read(descriptor.fd, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                var bytes = (partial[descriptor.fd] ?? []) + buffer.prefix(max(0, count))
                while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                    keep(String(decoding: bytes[..<end], as: UTF8.self), isError: descriptor.fd == errors, log: log)
                    bytes.removeSubrange(...end)
                }
                partial[descriptor.fd] = bytes.count < 65_536 ? bytes : []
                if count <= 0 {
                    close(descriptor.fd)
                    open.removeAll { $0 == descriptor.fd }
                }
            }
        }
        reap()
    }

    private func keep(_ line: String, isError: Bool, log: (String) -> Void) {
        if isError { log(line) }
        state.withLock { state in
            if isError {
                state.errors = (state.errors + [line]).suffix(Self.linesMax)
            } else if state.output.count < Self.linesMax {
                state.output.append(line)
            }
        }
    }

    // First waits without reaping, then reaps under the lock, so that `signal` never meets a number that is free again.
    private func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        state.withLock { state in
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            let signal = status & 0x7F
            state.ending = signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
            if let input = state.input { close(input) }
            state.input = nil
        }
    }

    // MARK: posix_spawn

    private struct Spawned {
        let pid: pid_t
        let input: Int32?
        let output: Int32
        let errors: Int32?
    }

    /// A failed call of the C library, in its words.
    private struct Failure: Error, CustomStringConvertible {
        let number: Int32
        var description: String { String(cString: strerror(number)) }
    }

    private static func spawn(
        _ executable: String, _ arguments: [String], _ attachment: Attachment
    ) throws -> Spawned {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The child's ends; closed here in any case.
        var theirs: [Int32] = []
        var ours: [Int32] = []
        defer { for end in theirs { close(end) } }
        do {
            func connect(_ descriptor: Int32, to end: Int32) {
                posix_spawn_file_actions_adddup2(&actions, end, descriptor)
            }
            func newPipe() throws -> (reading: Int32, writing: Int32) {
                var ends: [Int32] = [0, 0]
                guard pipe(&ends) == 0 else { throw Failure(number: errno) }
                for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
                return (ends[0], ends[1])
            }
            let output = try newPipe()
            theirs.append(output.writing)
            ours.append(output.reading)
            connect(STDOUT_FILENO, to: output.writing)
            var input: Int32?
            var errors: Int32?
            switch attachment {
            case .attached:
                let inputPipe = try newPipe()
                theirs.append(inputPipe.reading)
                ours.append(inputPipe.writing)
                connect(STDIN_FILENO, to: inputPipe.reading)
                input = inputPipe.writing
                let errorPipe = try newPipe()
                theirs.append(errorPipe.writing)
                ours.append(errorPipe.reading)
                connect(STDERR_FILENO, to: errorPipe.writing)
                errors = errorPipe.reading
            case .detached(let log):
                posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
                posix_spawn_file_actions_addopen(
                    &actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, S_IRUSR | S_IWUSR)
            }
            let pid = try start(executable, arguments, &actions)
            return Spawned(pid: pid, input: input, output: output.reading, errors: errors)
        } catch {
            for end in ours { close(end) }
            throw error
        }
    }

    private static func start(
        _ executable: String, _ arguments: [String], _ actions: inout posix_spawn_file_actions_t
    ) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // What we ignore or block is our affair: the child starts with all signals as they are by default.
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        let flags = newSession | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var words: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, executable, &actions, &attributes, &words, environ)
        guard status == 0 else { throw Failure(number: status) }
        return pid
    }
}

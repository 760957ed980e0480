import Foundation
package import NacreEngine
import Synchronization

/// The process that an engine runs in: ours, in a session of its own, so that a Ctrl-C on the terminal reaches only
/// us. Its stdin is the link; when we die, however that may be, the link ends and the process with it.
///
/// One thread reads its stderr and reaps it.
package final class EngineProcess: Sendable {
    /// Our end of the link to it.
    package let link: EngineLink
    private let pid: pid_t
    private let state = Mutex(State())

    private struct State {
        /// The last line on its stderr.
        var lastLine = ""
        /// How it ended; `nil` while it runs.
        var ending: Ending?
        var waiting: [CheckedContinuation<Void, Never>] = []
        /// Threads that wait, each with a semaphore of its own.
        var blocked: [DispatchSemaphore] = []
    }

    private enum Ending {
        case exited(Int32)
        case killed(signal: Int32)
    }

    // What a process says before it dies is a line; the rest is cut.
    private static let lineBytesMax = 512
    // POSIX_SPAWN_SETSID of glibc's <spawn.h>, which shows it only to feature macros that Swift does not set.
    private static let newSession: Int32 = 0x80

    /// Starts `executable`.
    ///
    /// - Throws: `.lost` if the system does not start it: it may later.
    package init(_ executable: String, arguments: [String]) throws(EngineError) {
        do {
            let (ours, theirs) = try EngineLink.pair()
            // For its stderr: a pipe whose ends no other child of ours can inherit.
            let (errors, theirErrors) = try EngineLink.pair()
            pid = try Self.spawn(
                executable, arguments, input: theirs.descriptor, errors: theirErrors.descriptor)
            link = ours
            Thread.detachNewThread { [self] in follow(errors) }
        } catch {
            throw EngineError(.lost, "the target's engine could not be started: \(error)")
        }
    }

    /// Ends it, whatever it is doing. It keeps nothing that needs an orderly end: servers of layers see its
    /// connections close.
    package func kill() {
        state.withLock { if $0.ending == nil { Glibc.kill(pid, SIGKILL) } }
    }

    /// Returns once it has ended.
    package func waitForEnd() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if state.ending == nil { state.waiting.append(continuation) }
                return state.ending != nil
            }
            if hasEnded { continuation.resume() }
        }
    }

    /// Ends it and says why it is lost: in its own last words if it had any. Blocks until it is gone.
    package func whyLost() -> EngineError {
        kill()
        let end = DispatchSemaphore(value: 0)
        let hasEnded = state.withLock { state in
            if state.ending == nil { state.blocked.append(end) }
            return state.ending != nil
        }
        if !hasEnded { end.wait() }
        let (ending, lastLine) = state.withLock { ($0.ending, $0.lastLine) }
        let reason =
            switch ending {
            case .exited(let status): lastLine.isEmpty ? "it ended with status \(status)" : lastLine
            // Whatever it said before, it did not know of this.
            case .killed(let signal): "signal \(signal) ended it"
            case nil: "it does not end"
            }
        return EngineError(
            .lost, "the target's engine is lost: \(reason)",
            remedy: "check the hosts of --rpc and their nacre-layers; the verifier tries again by itself")
    }

    // MARK: - The thread

    private func follow(_ errors: EngineLink) {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(errors.descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            for byte in buffer.prefix(count) {
                if byte == UInt8(ascii: "\n") {
                    keep(line)
                    line = []
                } else if line.count < Self.lineBytesMax {
                    line.append(byte)
                }
            }
        }
        keep(line)
        reap()
    }

    private func keep(_ line: [UInt8]) {
        let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespaces)
        guard !text.isEmpty else { return }
        state.withLock { $0.lastLine = text }
    }

    // First waits without reaping, then reaps under the lock, so that `kill` never meets a number that is free again.
    private func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        let (waiting, blocked) = state.withLock { state in
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            let signal = status & 0x7F
            state.ending = signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
            defer { (state.waiting, state.blocked) = ([], []) }
            return (state.waiting, state.blocked)
        }
        for continuation in waiting { continuation.resume() }
        for semaphore in blocked { semaphore.signal() }
    }

    // MARK: - posix_spawn

    private static func spawn(
        _ executable: String, _ arguments: [String], input: Int32, errors: Int32
    ) throws(Errno) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // What we ignore or block is our affair: it starts with all signals as they are by default.
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(newSession | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, executable, &actions, &attributes, &words, environ)
        guard status == 0 else { throw Errno(status) }
        return pid
    }
}

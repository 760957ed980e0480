import Foundation
import NacreClient

/// What a command has printed, and how it ended.
struct CommandResult: Sendable {
    let output: String
    let errors: String
    /// The exit status; 128 plus the signal's number for a killed command.
    let status: Int32

    /// The lines on stderr.
    var complaints: [String] { errors.split(separator: "\n").map(String.init) }
}

/// A command as a script runs it: nothing of it is a terminal.
///
/// It reads and writes files, not pipes, so that no process that is started beside it can hold an end of one open.
final class Command: Sendable {
    private let child: ChildProcess
    private let folder: URL

    /// Starts `executable`, a path or one of ours, with these arguments.
    ///
    /// - Parameter environment: added to the test's own.
    init(
        _ executable: String = "nacre", _ arguments: [String], input: String = "",
        environment: [String: String] = [:]
    ) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "nacre-command-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(input.utf8).write(to: folder.appending(path: "in"))
        let path = executable.hasPrefix("/") ? executable : try TestCluster.installation.executable(executable)
        let variables = environment.map { "\($0.key)=\($0.value)" }
        // The shell puts the command in its own place: the number that we know is the command's.
        let script = #"cd "$0" && mkdir work && exec <in >out 2>err && cd work && exec env "$@""#
        child = try ChildProcess(
            executable, executable: "/bin/sh", arguments: ["-c", script, folder.path] + variables + [path] + arguments,
            attachment: .attached { _ in })
    }

    deinit {
        child.signal(SIGKILL)
        // What cannot be removed stays in the system's folder of such things.
        try? FileManager.default.removeItem(at: folder)
    }

    /// Runs a command to its end.
    static func run(
        _ executable: String = "nacre", _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) async throws -> CommandResult {
        try await Command(executable, arguments, input: input, environment: environment).result()
    }

    /// What it has printed so far.
    var output: String { text(of: "out") }
    var errors: String { text(of: "err") }
    var hasEnded: Bool { child.ending != nil }

    var pid: Int32 { child.pid }

    func signal(_ number: Int32) { child.signal(number) }

    /// Waits until it has printed a text that `condition` accepts.
    func until(_ what: String, _ condition: (String) -> Bool) async throws {
        try await Deadline.wait(for: what, details: output + errors) { condition(output) }
    }

    /// Waits for its end.
    func result() async throws -> CommandResult {
        do {
            try await Deadline.wait(for: "\(child.name) ends", details: output + errors) { hasEnded }
        } catch {
            signal(SIGKILL)
            throw error
        }
        let status: Int32 =
            switch child.ending {
            case .exited(let status): status
            case .killed(let signal): 128 + signal
            case nil: -1
            }
        return CommandResult(output: output, errors: errors, status: status)
    }

    private func text(of name: String) -> String {
        let data = FileManager.default.contents(atPath: folder.appending(path: name).path) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}

import Foundation
import NacreClient
import Synchronization

/// What a command has printed, and how it ended.
struct CommandResult: Sendable {
    let output: String
    let errors: String
    /// The exit status; 128 plus the signal's number for a killed command.
    let status: Int32
}

/// A `nacre` command as a script runs it: its outputs are pipes.
final class Command: Sendable {
    private struct State {
        var output = Data()
        var errors = Data()
        /// Outputs not yet read to their end.
        var open = 2
    }
    private let state = Mutex(State())
    let pid: Int32

    /// Starts `nacre` with these arguments.
    ///
    /// - Parameter environment: added to the test's own.
    static func start(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Command {
        try Command(arguments, input: input, environment: environment)
    }

    private init(_ arguments: [String], input: String, environment: [String: String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: try TestCluster.installation.executable("nacre"))
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (inputPipe, outputPipe, errorPipe) = (Pipe(), Pipe(), Pipe())
        process.standardInput = inputPipe
        process.standardOutput = outputPipe
        process.standardError = errorPipe
        let ended = Ended()
        process.terminationHandler = { process in
            let isKilled = process.terminationReason == .uncaughtSignal
            ended.status.withLock { $0 = isKilled ? 128 + process.terminationStatus : process.terminationStatus }
        }
        try process.run()
        pid = process.processIdentifier
        self.ended = ended
        // Prompts of tests fit into a pipe.
        inputPipe.fileHandleForWriting.write(Data(input.utf8))
        try inputPipe.fileHandleForWriting.close()
        read(outputPipe.fileHandleForReading) { $0.output.append($1) }
        read(errorPipe.fileHandleForReading) { $0.errors.append($1) }
    }

    private final class Ended: Sendable {
        let status = Mutex<Int32?>(nil)
    }
    private let ended: Ended

    /// What it has printed so far.
    var output: String { state.withLock { String(decoding: $0.output, as: UTF8.self) } }
    var errors: String { state.withLock { String(decoding: $0.errors, as: UTF8.self) } }

    func signal(_ number: Int32) {
        if ended.status.withLock({ $0 == nil }) { kill(pid, number) }
    }

    /// Waits until it has printed a text that `condition` accepts.
    func until(_ what: String, _ condition: (String) -> Bool) async throws {
        try await Deadline.wait(for: what, details: output + errors) { condition(output) }
    }

    /// Waits for its end.
    func result() async throws -> CommandResult {
        do {
            try await Deadline.wait(for: "nacre ends", details: output + errors) {
                state.withLock { $0.open == 0 } && ended.status.withLock { $0 != nil }
            }
        } catch {
            signal(SIGKILL)
            throw error
        }
        return CommandResult(output: output, errors: errors, status: ended.status.withLock { $0 ?? -1 })
    }

    // A thread per output: a command that is not read from would stand still.
    private func read(_ handle: FileHandle, _ append: @escaping @Sendable (inout State, Data) -> Void) {
        Thread.detachNewThread { [self] in
            while case let data = handle.availableData, !data.isEmpty {
                state.withLock { append(&$0, data) }
            }
            state.withLock { $0.open -= 1 }
        }
    }
}

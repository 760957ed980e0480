package import ArgumentParser
import Foundation
import NacreAPI

/// Runs a command with Nacre's exit codes: 0 done, 1 failed, 2 bad usage, 3 coordinator unreachable, 130 interrupted.
///
/// ```swift
/// @main struct Main {
///     static func main() async { await CommandLineMain.run(VerifierCommand.self) }
/// }
/// ```
package enum CommandLineMain {
    /// Parses the process's arguments, runs the command they name and ends the process. Errors go to stderr as
    /// "nacre-verifier: message".
    package static func run(_ root: any AsyncParsableCommand.Type) async -> Never {
        let name = root._commandName
        do {
            var command = try root.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            finish(0)
        } catch {
            let ending = ending(of: error, in: root, arguments: Array(CommandLine.arguments.dropFirst()))
            if !ending.output.isEmpty { print(ending.output) }
            if !ending.complaint.isEmpty {
                let lines = ending.complaint.split(separator: "\n").map { "\(name): \($0)\n" }
                FileHandle.standardError.write(Data(lines.joined().utf8))
            }
            finish(ending.status)
        }
    }

    /// What a thrown error prints to stdout and stderr, and the exit status it stands for.
    ///
    /// - Parameter arguments: what was parsed, for the name of a command that is none.
    package static func ending(
        of error: any Error, in root: any ParsableCommand.Type, arguments: [String] = []
    ) -> (output: String, complaint: String, status: Int32) {
        switch error {
        case let error as NacreError:
            return ("", error.description, error.code.exitStatus)
        case is CancellationError:
            return ("", "", NacreError.Code.interrupted.exitStatus)
        case let code as ExitCode:
            return ("", "", code.rawValue)
        default:
            break
        }
        switch root.exitCode(for: error) {
        case .success:
            // --help and --version arrive as errors that are none.
            return (root.fullMessage(for: error), "", 0)
        case .validationFailure:
            let complaint = unknownCommand(arguments, in: root) ?? usageComplaint(error, in: root)
            return ("", complaint, NacreError.Code.badUsage.exitStatus)
        default:
            return ("", "\(error)", NacreError.Code.failed.exitStatus)
        }
    }

    // The parser's full message is an error line, the usage and a hint that names the subcommand's help: the first and
    // the last say what to do, the usage in between would hide them.
    private static func usageComplaint(_ error: any Error, in root: any ParsableCommand.Type) -> String {
        let hint = root.fullMessage(for: error).split(separator: "\n").last { $0.contains("--help'") }
        let message = root.message(for: error).split(separator: "\n").map { $0.trimmingPrefix("Error: ") }
        let help = hint.map { $0.trimmingCharacters(in: .whitespaces) } ?? "See '\(root._commandName) --help'."
        return "\(message.joined(separator: " ")) (\(help))"
    }

    // The parser only counts the words that it has no use for.
    private static func unknownCommand(_ arguments: [String], in root: any ParsableCommand.Type) -> String? {
        unknownCommand(arguments[...], in: root, path: root._commandName)
    }

    private static func unknownCommand(
        _ arguments: ArraySlice<String>, in command: any ParsableCommand.Type, path: String
    ) -> String? {
        let commands = command.configuration.subcommands
        guard let name = arguments.first, !name.hasPrefix("-"), !commands.isEmpty, name != "help" else { return nil }
        if let known = commands.first(where: { $0._commandName == name }) {
            return unknownCommand(arguments.dropFirst(), in: known, path: "\(path) \(name)")
        }
        let complaint = NearestName.complaint(about: name, kind: "command", among: commands.map { $0._commandName })
        return "\(complaint) (See '\(path) --help' for more information.)"
    }

    private static func finish(_ status: Int32) -> Never {
        fflush(nil)
        exit(status)
    }
}

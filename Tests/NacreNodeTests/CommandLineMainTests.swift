import ArgumentParser
import NacreNode
import Testing

@Suite struct CommandLineMainTests {
    struct Root: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "nacre-test", version: NacreVersion.current, subcommands: [Leaf.self])
    }

    struct Leaf: AsyncParsableCommand {
        @Option var threads: Int?
        @Option var model: String?
    }

    private func outcome(_ arguments: String...) -> (output: String, complaint: String, status: Int32)? {
        do {
            var command = try Root.parseAsRoot(arguments)
            // The parser answers --help with a command that shows it.
            try command.run()
            return nil
        } catch {
            return CommandLineMain.ending(of: error, in: Root.self)
        }
    }

    @Test("an unknown flag is bad usage, one line, and names the nearest flag and the help to read")
    func unknownFlag() throws {
        let ending = try #require(outcome("leaf", "--thread", "3"))
        #expect(ending.status == 2)
        #expect(ending.output.isEmpty)
        #expect(ending.complaint.contains("--thread") && ending.complaint.contains("'--threads'"))
        #expect(ending.complaint.contains("nacre-test leaf --help"))
        #expect(!ending.complaint.contains("\n"))
    }

    @Test("a value of the wrong type is bad usage")
    func wrongValue() throws {
        let ending = try #require(outcome("leaf", "--threads", "x"))
        #expect(ending.status == 2)
        #expect(ending.complaint.contains("threads"))
    }

    @Test("help and version are output, not errors")
    func helpAndVersion() throws {
        let version = try #require(outcome("--version"))
        #expect(version == (NacreVersion.current, "", 0))
        let help = try #require(outcome("leaf", "--help"))
        #expect(help.status == 0 && help.complaint.isEmpty && help.output.contains("--threads"))
    }

    @Test("Nacre's errors carry their exit status and end with the remedy")
    func ownErrors() {
        let unreachable = NacreError(.unreachable, "no coordinator", remedy: "start one with `nacre up`")
        #expect(
            CommandLineMain.ending(of: unreachable, in: Root.self) == (
                "", "no coordinator; start one with `nacre up`", 3
            ))
        #expect(CommandLineMain.ending(of: CancellationError(), in: Root.self).status == 130)
        #expect(CommandLineMain.ending(of: ExitCode(1), in: Root.self) == ("", "", 1))
        struct Other: Error {}
        #expect(CommandLineMain.ending(of: Other(), in: Root.self).status == 1)
    }
}

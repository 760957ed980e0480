import NacreLlama
import NacreNode
import Testing

/// `--version` of what is installed.
@Suite struct VersionTests {
    @Test(
        "every executable prints its version, and with it that of the libllama that it holds",
        arguments: [
            ("nacre", true), ("nacre-coordinator", false), ("nacre-verifier", true), ("nacre-drafter", true),
            ("nacre-layers", true),
        ])
    func version(executable: String, holdsLibrary: Bool) async throws {
        let result = try await Command.run(executable, ["--version"])
        let library = holdsLibrary ? ", libllama \(LlamaBackend.version) (\(LlamaBackend.stamp))" : ""
        #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
        #expect(result.output == "\(executable) \(NacreVersion.current)\(library)\n")
    }
}

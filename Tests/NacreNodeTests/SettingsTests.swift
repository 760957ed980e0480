import Foundation
import Logging
import NacreNode
import Testing

@Suite struct SettingsTests {
    static let model = Setting<String>("model")
    static let threads = Setting("threads", default: 2, in: 1...64)
    static let listen = Setting("listen", default: HostPort(host: "127.0.0.1", port: 0))
    static let cpus = OptionalSetting<CPUList>("cpus")
    static let all: [any SettingDeclaration] = [model, threads, listen, cpus, Settings.logLevel]

    /// A file that is there for the duration of `body`.
    private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let path = NSTemporaryDirectory() + "nacre-settings-\(UUID().uuidString).yaml"
        try Data(text.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    private func complaints(
        flags: [String: String?] = [:], file: String? = nil, environment: [String: String] = [:]
    ) -> String? {
        do {
            _ = try Settings(Self.all, flags: flags, file: file, environment: environment)
            return nil
        } catch {
            #expect(error.code == .badUsage)
            return error.description
        }
    }

    @Test("a flag wins over the environment, that over the file, that over the default")
    func precedence() throws {
        try withFile("threads: 3\nmodel: file.gguf\ncpus: 0-1\nlisten: \"[::1]:9\"\n") { file in
            let settings = try Settings(
                Self.all, flags: ["threads": "5", "model": nil], file: file,
                environment: ["NACRE_THREADS": "4", "NACRE_MODEL": "env.gguf", "NACRE_UNRELATED": "1"])
            #expect(settings[Self.threads] == 5)
            #expect(settings[Self.model] == "env.gguf")
            #expect(settings[Self.cpus]?.cores == [0, 1])
            #expect(settings[Self.listen] == HostPort(host: "::1", port: 9))
            #expect(settings[Settings.logLevel] == .notice)
            #expect(
                settings.lines.map(\.source) == [
                    "environment NACRE_MODEL", "flag --threads", "file \(file)", "file \(file)", "default",
                ])
            #expect(settings.table.contains("threads    5"))
        }
    }

    @Test("a name with a dash is read from the environment with an underscore")
    func dashes() throws {
        let settings = try Settings(
            Self.all, flags: ["model": "m"], environment: ["NACRE_LOG_LEVEL": "debug"])
        #expect(settings[Settings.logLevel] == .debug)
        #expect(settings[Self.cpus] == nil)
        #expect(settings.table.contains("(none)"))
    }

    @Test("all mistakes are reported at once, each with its place")
    func allMistakes() throws {
        try withFile("thread: 4\nlisten: nowhere\ncpus: [0, 1]\nmodel:\n  path: x\n") { file in
            let complaint = try #require(
                complaints(flags: ["threads": "many"], file: file, environment: ["NACRE_LOG_LEVEL": "loud"]))
            #expect(complaint.contains("\(file), line 1: unknown key 'thread': did you mean 'threads'?"))
            #expect(complaint.contains("listen (file \(file)): 'nowhere' is not an address"))
            #expect(complaint.contains("cpus (file \(file)): must be a single value"))
            #expect(complaint.contains("model (file \(file)): must be a single value"))
            #expect(complaint.contains("threads (flag --threads): must be a whole number, not 'many'"))
            #expect(complaint.contains("log-level (environment NACRE_LOG_LEVEL): must be one of trace, debug"))
        }
    }

    @Test("a number out of range, an empty value and a missing one are mistakes")
    func values() {
        #expect(
            complaints(flags: ["model": "m", "threads": "0"])?.contains("must lie between 1 and 64, not 0") == true)
        #expect(complaints(flags: ["model": ""])?.contains("must not be empty") == true)
        #expect(complaints()?.contains("model is not set: pass --model, set NACRE_MODEL") == true)
        #expect(complaints(flags: ["model": "m"]) == nil)
    }

    @Test("a file that is not there, not YAML or not a mapping is one clear line; an empty one is fine")
    func files() throws {
        #expect(complaints(flags: ["model": "m"], file: "/nonexistent/n.yaml")?.contains("cannot read") == true)
        try withFile("a: [1\nb: }") { file in
            #expect(complaints(flags: ["model": "m"], file: file)?.contains("\(file), line 2:") == true)
        }
        try withFile("- 1\n- 2\n") { file in
            #expect(complaints(flags: ["model": "m"], file: file)?.contains("not a file of settings") == true)
        }
        for text in ["", "# nothing\n", "---\n"] {
            try withFile(text) { file in #expect(complaints(flags: ["model": "m"], file: file) == nil) }
        }
    }
}

import Foundation
package import NacreNode

/// Where the daemons' executables and the default models are.
package struct Installation: Sendable {
    /// The folder of the running `nacre`.
    package let directory: String

    package init(directory: String) { self.directory = directory }

    /// The installation that the running executable belongs to.
    package static func current() -> Installation {
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
        return Installation(directory: URL(filePath: path).deletingLastPathComponent().path)
    }

    /// The daemon called `name`: beside this executable, else in `PATH`.
    ///
    /// - Throws: `.failed` if it is in neither.
    package func executable(_ name: String) throws(NacreError) -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        for folder in [directory] + path.split(separator: ":").map(String.init) {
            let candidate = "\(folder)/\(name)"
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
        }
        throw NacreError(
            .failed, "cannot find \(name) in \(directory) or in PATH", remedy: "build it with `make build`")
    }

    /// The target and draft models that Nacre comes with.
    package static let defaultTarget = "pycode-8m-q8_0.gguf"
    package static let defaultDraft = "pycode-3m-q8_0.gguf"

    /// A model that Nacre comes with: installed under `share/nacre/Models` of the prefix, else in `Models` of the clone
    /// that the executable was built in.
    ///
    /// - Throws: `.failed` if there is no such file.
    package func model(_ name: String) throws(NacreError) -> String {
        var folder = URL(filePath: directory)
        var candidates = [folder.deletingLastPathComponent().appending(path: "share/nacre/Models/\(name)")]
        while folder.path != "/" {
            candidates.append(folder.appending(path: "Models/\(name)"))
            folder = folder.deletingLastPathComponent()
        }
        guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
            throw NacreError(
                .failed, "the default model \(name) is not installed with \(directory)",
                remedy: "name models with --target and --draft")
        }
        return found.path
    }

    /// Looks at the first bytes of a model file, so that the wrong file is known before anything is started.
    ///
    /// - Throws: `.badUsage` for what is missing, unreadable or no GGUF file.
    package static func checkModel(_ path: String, flag: String) throws(NacreError) {
        let remedy = "check --\(flag)"
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw NacreError(.badUsage, "there is no model file \(path)", remedy: remedy)
        }
        guard !isDirectory.boolValue, let file = FileHandle(forReadingAtPath: path) else {
            throw NacreError(.badUsage, "cannot read the model file \(path)", remedy: remedy)
        }
        defer { file.closeFile() }
        guard let magic = try? file.read(upToCount: 4), magic == Data("GGUF".utf8) else {
            throw NacreError(.badUsage, "\(path) is not a GGUF file", remedy: remedy)
        }
    }
}

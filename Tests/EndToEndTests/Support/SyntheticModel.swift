import Foundation

/// Models that Python makes, kept in Nacre's cache.
enum SyntheticModel {
    /// A tiny model of the default vocabulary with random weights; `nil` if it cannot be made here.
    static let random = make("random-tiny", ["--preset", "tiny", "--mode", "random", "--type", "q8_0"])

    private static func make(_ name: String, _ options: [String]) -> String? {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "/tmp")/.cache"
        let folder = "\(environment["NACRE_CACHE"] ?? "\(home)/nacre")/test-models"
        let path = "\(folder)/\(name)-1.gguf"
        if FileManager.default.fileExists(atPath: path) { return path }
        // Made under another name, so that a model that is there is whole.
        let partial = "\(path).\(ProcessInfo.processInfo.processIdentifier)"
        let words =
            [Jobs.root + "Scripts/python", Jobs.root + "Models/tools/make_gguf.py"] + options
            + ["--vocab-from", Jobs.target, "--ctx", "2048", partial]
        let line = words.map { "'\($0)'" }.joined(separator: " ")
        let isMade = system("mkdir -p '\(folder)' && \(line) >&2 && mv '\(partial)' '\(path)'") == 0
        return isMade ? path : nil
    }
}

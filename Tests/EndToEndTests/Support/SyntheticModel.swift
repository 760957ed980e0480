import Foundation

/// Models that Python makes, kept in Nacre's cache.
enum SyntheticModel {
    /// A tiny model of the default vocabulary with random weights; `nil` if it cannot be made here.
    static let random = make(
        "random-tiny-1", "make_gguf.py",
        [
            "--preset", "tiny", "--mode", "random", "--type", "q8_0", "--vocab-from", Jobs.target, "--ctx", "2048",
        ])

    /// The default target with the first tokens of its vocabulary only: bytes, the shortest runs of spaces, "in", "on"
    /// and "or"; `nil` as above.
    static let smallTarget = make("target-v264-1", "cut_vocabulary.py", [Jobs.target, "264"])

    /// The default drafter with next to nothing but bytes; `nil` as above.
    static let byteDraft = make("draft-v258-1", "cut_vocabulary.py", [Jobs.draft, "258"])

    private static func make(_ name: String, _ tool: String, _ options: [String]) -> String? {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "/tmp")/.cache"
        let folder = "\(environment["NACRE_CACHE"] ?? "\(home)/nacre")/test-models"
        let path = "\(folder)/\(name).gguf"
        if FileManager.default.fileExists(atPath: path) { return path }
        // Made under another name, so that a model that is there is whole.
        let partial = "\(path).\(ProcessInfo.processInfo.processIdentifier)"
        let words = [Jobs.root + "Scripts/python", Jobs.root + "Models/tools/\(tool)"] + options + [partial]
        let line = words.map { "'\($0)'" }.joined(separator: " ")
        let isMade = system("mkdir -p '\(folder)' && \(line) >&2 && mv '\(partial)' '\(path)'") == 0
        return isMade ? path : nil
    }
}

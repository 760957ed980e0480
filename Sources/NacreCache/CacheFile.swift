import Foundation

/// A JSON document in a file of the user's cache. It is replaced as a whole: readers see the old one or the new one.
///
///     let file = CacheFile<Measurements>(path: path) { log.warning("…", metadata: ["reason": "\($0)"]) }
///     let kept = file.read()
///     try file.write(Measurements(…))
package struct CacheFile<Document: Codable>: Sendable {
    package let path: String
    private let warn: @Sendable (_ reason: String) -> Void

    /// - Parameter warn: told, in a sentence, of a file that cannot be used.
    package init(path: String, warn: @escaping @Sendable (_ reason: String) -> Void) {
        self.path = path
        self.warn = warn
    }

    /// What is there; `nil` if nothing is, or nothing of use, which is said to `warn`. The next `write` replaces that.
    ///
    /// - Parameters:
    ///   - isQuiet: says nothing of a file that is of no use, for those who have said so before.
    ///   - isCurrent: whether a document is one that this program writes.
    package func read(isQuiet: Bool = false, where isCurrent: (Document) -> Bool = { _ in true }) -> Document? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            if !isQuiet { warn("\(path) cannot be read") }
            return nil
        }
        guard let document = try? JSONDecoder().decode(Document.self, from: data), isCurrent(document) else {
            if !isQuiet { warn("\(path) is damaged, or of another version of Nacre") }
            return nil
        }
        return document
    }

    /// Puts a document in place of what there is. Makes the folders that lead to it.
    ///
    /// - Throws: what the file system says.
    package func write(_ document: Document) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let file = URL(filePath: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try encoder.encode(document).write(to: file, options: .atomic)
    }
}

/// Where a user's cache is.
package enum UserCache {
    /// What to do where nothing names a folder.
    package static let remedy = "set HOME, or XDG_CACHE_HOME, to the absolute path of a folder"

    /// Nacre's part of the cache of the user that these variables belong to; `nil` if nothing names a folder.
    package static func path(environment: [String: String]) -> String? {
        // The specification of XDG_CACHE_HOME has relative paths ignored.
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return "\(cache)/nacre" }
        if let home = environment["HOME"], home.hasPrefix("/") { return "\(home)/.cache/nacre" }
        return nil
    }
}

import Foundation
import NacreCache
import Synchronization
import Testing

/// What was warned of.
final class Warnings: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

/// A document in the user's cache is there whole, or not at all.
@Suite struct CacheFileTests {
    private struct Shelf: Codable, Equatable {
        var version = 2
        var books: [String]
    }

    /// A file in a folder that does not exist yet, and what is warned of.
    private func with(_ body: (CacheFile<Shelf>, Warnings) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "nacre-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let warnings = Warnings()
        try body(CacheFile(path: folder.appending(path: "a/b/shelf.json").path, warn: warnings.add), warnings)
    }

    @Test("its folders are made, and what was written is read; nothing is no fault")
    func roundTrip() throws {
        try with { file, warnings in
            #expect(file.read() == nil)
            try file.write(Shelf(books: ["a/b"]))
            #expect(file.read { $0.version == 2 } == Shelf(books: ["a/b"]))
            #expect(warnings.all.isEmpty)
        }
    }

    @Test("what is damaged or of another version is warned of and replaced")
    func damaged() throws {
        try with { file, warnings in
            try file.write(Shelf(books: ["a"]))
            let whole = try #require(FileManager.default.contents(atPath: file.path))
            for (number, damage) in [Data(), whole.dropLast(3), Data("[]".utf8), Data([0xFF])].enumerated() {
                try damage.write(to: URL(filePath: file.path))
                #expect(file.read() == nil)
                #expect(warnings.all.count == number + 1 && warnings.all[number].contains("\(file.path) is damaged"))
            }
            try file.write(Shelf(version: 1, books: []))
            #expect(file.read { $0.version == 2 } == nil && warnings.all.count == 5)
            try file.write(Shelf(books: ["b"]))
            #expect(file.read { $0.version == 2 } == Shelf(books: ["b"]) && warnings.all.count == 5)
        }
    }

    @Test("who reads while it is replaced has the old one; nothing is left beside it")
    func replaced() throws {
        try with { file, _ in
            try file.write(Shelf(books: ["old"]))
            let old = try #require(FileManager.default.contents(atPath: file.path))
            let reader = try FileHandle(forReadingFrom: URL(filePath: file.path))
            try file.write(Shelf(books: ["new, and longer than the old one"]))
            #expect(try reader.readToEnd() == old)
            let folder = URL(filePath: file.path).deletingLastPathComponent().path
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["shelf.json"])
        }
    }

    @Test("a folder in the file's place is warned of, and an error to write")
    func unusable() throws {
        try with { file, warnings in
            try FileManager.default.createDirectory(atPath: file.path, withIntermediateDirectories: true)
            #expect(file.read() == nil && warnings.all == ["\(file.path) cannot be read"])
            #expect(throws: (any Error).self) { try file.write(Shelf(books: [])) }
        }
    }

    @Test("the cache lies where its user's is")
    func place() {
        #expect(UserCache.path(environment: ["XDG_CACHE_HOME": "/c", "HOME": "/h"]) == "/c/nacre")
        #expect(UserCache.path(environment: ["HOME": "/h"]) == "/h/.cache/nacre")
        #expect(UserCache.path(environment: ["XDG_CACHE_HOME": "relative", "HOME": "/h"]) == "/h/.cache/nacre")
        #expect(UserCache.path(environment: [:]) == nil)
    }
}

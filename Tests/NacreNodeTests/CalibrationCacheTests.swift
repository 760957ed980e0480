import Foundation
import NacreCore
import NacreEngine
import NacreModelNode
import Testing

/// What was measured once is found again, and nothing else.
@Suite struct CalibrationCacheTests {
    private static let key = CalibrationCache.Key(model: 0xAB, engine: "0.3.36-1f", cores: "0-1", threads: 2)
    private static let divisions = [1, 2].map { shards in
        ShardDivision(
            shards: shards,
            costs: ShardCalibration.sizes.map {
                PassCost(nodes: $0, microseconds: Double($0 * 100 + shards), spread: 0.0625)
            })
    }

    /// A cache in a folder of its own, which goes away afterwards.
    private func with(_ body: (CalibrationCache, URL) throws -> Void) throws {
        try warned { cache, folder, _ in try body(cache, folder) }
    }

    private func warned(_ body: (CalibrationCache, URL, Warnings) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "nacre-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let warnings = Warnings()
        let cache = CalibrationCache(environment: ["XDG_CACHE_HOME": folder.path], warn: warnings.add)
        try body(try #require(cache), folder, warnings)
    }

    @Test("it lies in a folder of its own in the user's cache")
    func place() throws {
        let cache = try #require(CalibrationCache(environment: ["XDG_CACHE_HOME": "/c"]) { _ in })
        #expect(cache.path(of: Self.key).hasPrefix("/c/nacre/calibration/00000000000000ab-"))
        #expect(CalibrationCache(environment: [:]) { _ in } == nil)
    }

    @Test("what was written is read, for the same model, engine, cores and threads alone")
    func roundTrip() throws {
        try with { cache, _ in
            #expect(cache.read(Self.key, shards: [1, 2]) == nil)
            try cache.write(Self.divisions, as: Self.key)
            #expect(cache.read(Self.key, shards: [1, 2]) == Self.divisions)
            #expect(cache.read(Self.key, shards: [1]) == [Self.divisions[0]])
            #expect(cache.read(Self.key, shards: [1, 2, 4]) == nil, "4 was never measured")
            var others = Array(repeating: Self.key, count: 4)
            others[0].model = 0xAC
            others[1].engine = "0.3.36-2f"
            others[2].cores = "0-2"
            others[3].threads = 1
            for other in others { #expect(cache.read(other, shards: [1, 2]) == nil) }
        }
    }

    @Test("one division is kept beside those that are there")
    func add() throws {
        try with { cache, _ in
            try cache.add(Self.divisions[0], to: Self.key)
            #expect(cache.read(Self.key, shards: [1]) == [Self.divisions[0]])
            try cache.write(Self.divisions, as: Self.key)
            var again = Self.divisions[0]
            again.costs[0].microseconds = 50
            try cache.add(again, to: Self.key)
            #expect(cache.read(Self.key, shards: [1, 2]) == [again, Self.divisions[1]])
        }
    }

    @Test("a file that is damaged, or of something else, counts as none and is replaced")
    func damaged() throws {
        try warned { cache, _, warnings in
            try cache.write(Self.divisions, as: Self.key)
            let path = cache.path(of: Self.key)
            let whole = try #require(FileManager.default.contents(atPath: path))
            let text = String(decoding: whole, as: UTF8.self)
            let damages = [
                "", String(text.prefix(text.count / 2)), text.replacing("\"nodes\" : 8", with: "\"nodes\" : 9"),
                text.replacing("102", with: "0"), text.replacing("\"threads\" : 2", with: "\"threads\" : 3"),
                text.replacing("\"version\" : 2", with: "\"version\" : 1"),
                text.replacing("0.0625", with: "-0.5"),
            ]
            for damage in damages {
                #expect(damage != text, "the damage is none")
                try Data(damage.utf8).write(to: URL(filePath: path))
                #expect(cache.read(Self.key, shards: [1, 2]) == nil, "\(damage)")
            }
            #expect(warnings.all.count == 3, "empty, cut short, and of another version")
            try cache.write(Self.divisions, as: Self.key)
            #expect(cache.read(Self.key, shards: [1, 2]) == Self.divisions && warnings.all.count == 3)
        }
    }

    @Test("how often two models agree is read for the same pair, bridge and texts alone")
    func agreement() throws {
        try warned { cache, folder, warnings in
            let key = CalibrationCache.PairKey(target: 0xA, draft: 0xB, prompts: ["a"])
            let measured = MeasuredAgreement(agreed: 48, judged: 64, passesPerDraft: 1.5)
            #expect(cache.readAgreement(key) == nil)
            try cache.write(measured, as: key)
            #expect(cache.readAgreement(key) == measured && measured.rate == 0.75)
            var others = Array(repeating: key, count: 4)
            others[0].target = 0xC
            others[1].draft = 0xC
            others[2].bridge = .tli
            others[3].prompts = ["b"]
            for other in others { #expect(cache.readAgreement(other) == nil) }
            #expect(warnings.all.isEmpty)
            let file = folder.appending(path: "nacre/calibration/pair-a-b.json")
            let text = try String(contentsOf: file, encoding: .utf8)
            let damages = [
                text.replacing("48", with: "65"), text.replacing("48", with: "0").replacing("64", with: "0"),
                text.replacing("1.5", with: "0"), text.replacing("48", with: "-1"), text.replacing("}", with: ""),
            ]
            for damage in damages {
                #expect(damage != text, "the damage is none")
                try Data(damage.utf8).write(to: file)
                #expect(cache.readAgreement(key) == nil, "\(damage)")
            }
            #expect(warnings.all.count == 1, "only what is no document")
        }
    }

    @Test("a folder that cannot be written is an error, not a crash")
    func unwritable() throws {
        try with { cache, folder in
            try FileManager.default.createDirectory(
                at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("a file".utf8).write(to: folder)
            #expect(throws: (any Error).self) { try cache.write(Self.divisions, as: Self.key) }
        }
    }
}

import Foundation
import Testing

@Suite("Generated code")
struct GeneratedCodeTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let hasCompiler = ["/usr/bin/protoc-c", "/usr/local/bin/protoc-c"]
        .contains { FileManager.default.isExecutableFile(atPath: $0) }

    @Test("Sources/CNacreProto is what proto/ gives", .enabled(if: hasCompiler, "protoc-c is not installed"))
    func upToDate() throws {
        let fresh = FileManager.default.temporaryDirectory.appending(path: "nacre-proto-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: fresh) }
        let script = Self.root.appending(path: "Scripts/generate-proto").path()
        #expect(system("'\(script)' '\(fresh.path())'") == 0)

        let committed = Self.root.appending(path: "Sources/CNacreProto")
        let names = try FileManager.default.subpathsOfDirectory(atPath: fresh.path()).filter { $0.contains(".pb-c.") }
        #expect(names.count == 8)
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: committed.path()).count == 9, "eight files, one folder")
        for name in names {
            let old = try Data(contentsOf: committed.appending(path: name))
            let new = try Data(contentsOf: fresh.appending(path: name))
            #expect(old == new, "\(name) differs: run Scripts/generate-proto")
        }
    }
}

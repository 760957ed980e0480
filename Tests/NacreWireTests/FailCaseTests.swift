import Foundation
import NacreWire
import Testing

/// Inputs that broke the decoder once, found by the fuzzer and kept in FailCases/.
@Suite("Past failures")
struct FailCaseTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "FailCases")

    @Test("are decoded or refused, and nothing worse")
    func replay() throws {
        let files = try FileManager.default.contentsOfDirectory(at: Self.folder, includingPropertiesForKeys: nil)
        for file in files where file.pathExtension == "frame" {
            let bytes = [UInt8](try Data(contentsOf: file))
            // Refused is as good as decoded; a crash would not come here.
            guard let messages = try? parse(bytes) else { continue }
            for message in messages { #expect(try parse(MessageCodec.encode(message)) == [message]) }
        }
    }
}

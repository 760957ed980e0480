import Foundation
import NacreProtocol
import NacreWire
import Testing

/// Inputs that broke the decoder once, found by the fuzzer and kept in FailCases/.
@Suite("Past failures")
struct FailCaseTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "FailCases")

    @Test("are decoded or refused, and nothing worse")
    func replay() throws {
        let files = try FileManager.default.contentsOfDirectory(at: Self.folder, includingPropertiesForKeys: nil)
        for file in files where file.pathExtension == "input" {
            let bytes = [UInt8](try Data(contentsOf: file))
            // Refused is as good as decoded; a crash would not come here.
            var messages = (try? parse(bytes)) ?? []
            if let choice = bytes.first {
                // The fuzzer's other reading: a type and a payload (Tests/Fuzz/main.swift).
                let type = FrameType.allCases[Int(choice) % FrameType.allCases.count]
                messages += (try? parse(rawFrame(type: type.rawValue, payload: Array(bytes.dropFirst())))) ?? []
            }
            for message in messages { #expect(try parse(MessageCodec.encode(message)) == [message]) }
        }
    }
}

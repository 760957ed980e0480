import Foundation
import NacreProtocol
import NacreWire
import Testing

/// One committed frame of each type: what wire version 1 looks like. The fuzzer starts from them too.
@Suite("Golden frames")
struct GoldenFrameTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")
    private static let isUpdate = ProcessInfo.processInfo.environment["NACRE_GOLDEN"] == "update"

    @Test("of every type are written and read as they always were", arguments: FrameType.allCases)
    func unchanged(type: FrameType) throws {
        // Of a few, the one that says most in a size that a person can read.
        let samples = (0..<40 as Range<UInt64>).map { seed in
            var generator = MessageGenerator(seed: seed)
            return generator.message(type)
        }
        let frames = try samples.map { message in (message, try MessageCodec.encode(message)) }
            .filter { $0.1.count <= 400 }
        let (message, frame) = try #require(frames.max { $0.1.count < $1.1.count })
        let file = Self.folder.appending(path: "\(type).frame")
        if Self.isUpdate {
            try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
            try Data(frame).write(to: file)
        }
        let golden = [UInt8](try Data(contentsOf: file))
        #expect(frame == golden, "a change of the wire: raise Limits.wireVersion, then NACRE_GOLDEN=update")
        #expect(try parse(golden) == [message])
    }
}

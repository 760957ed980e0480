import Foundation
import NacreCore
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
        try check(frame, of: message, as: "\(type)")
    }

    /// Field 17 of `Hello`; a drafter without one sends none.
    @Test("of a drafter behind a bridge names it, and without one says nothing of it")
    func bridged() throws {
        func hello(_ bridge: BridgeKind) throws -> (Message, [UInt8]) {
            let message = Message.hello(
                Hello(
                    node: "drafter-1", incarnation: 7, role: .drafter, wireMin: 1, wireMax: Limits.wireVersion,
                    modelDigest: 0x1122_3344_5566_7788, vocabularyDigest: 0x99AA_BBCC_DDEE_FF00,
                    dataAddress: "127.0.0.1:7410",
                    capacity: Capacity(sequences: 8, context: 2_048, nodesMax: 256, shards: 1), modelName: "d by slem",
                    engineVersion: "e", cores: "1", place: .unknown, passTimes: [], isExact: false, disturbance: "",
                    bridge: bridge))
            return (message, try MessageCodec.encode(message))
        }
        let (message, frame) = try hello(.mixed)
        try check(frame, of: message, as: "hello-bridge")
        // The tag of field 17 in two bytes, and the number that stands for the bridge.
        for (bridge, number) in [(BridgeKind.tli, 1), (.slem, 2), (.slrs, 3), (.mixed, 4)] as [(BridgeKind, UInt8)] {
            #expect(try hello(bridge).1.firstRange(of: [0x88, 0x01, number]) != nil, "\(bridge)")
        }
        let plain = try hello(.none).1
        #expect(plain.count < frame.count, "a field that is not there says that there is no bridge")
    }

    private func check(_ frame: [UInt8], of message: Message, as name: String) throws {
        let file = Self.folder.appending(path: "\(name).frame")
        if Self.isUpdate {
            try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
            try Data(frame).write(to: file)
        }
        let golden = [UInt8](try Data(contentsOf: file))
        #expect(frame == golden, "a change of the wire: raise Limits.wireVersion, then NACRE_GOLDEN=update")
        #expect(try parse(golden) == [message])
    }
}

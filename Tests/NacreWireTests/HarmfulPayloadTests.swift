import NacreProtocol
import NacreWire
import Testing

@Suite("Payloads built to harm")
struct HarmfulPayloadTests {
    @Test("a frame of nothing but unknown fields is refused within its memory budget", arguments: FrameType.allCases)
    func unknownFields(type: FrameType) {
        // Two bytes of frame ask for some 80 bytes of memory: a field number this type lacks, and a zero.
        let field: UInt8 = type == .draftOpen ? 10 : type == .assignJob ? 13 : 15
        let payload = [[UInt8]](repeating: [field << 3, 0], count: Limits.frameBytesMax / 2).flatMap { $0 }
        let error = #expect(throws: WireError.self) { try parse(rawFrame(type: type.rawValue, payload: payload)) }
        #expect(error?.code == .malformed)
        #expect(error?.message.contains("memory") == true)
    }

    @Test("a few unknown fields of a later release do no harm")
    func laterRelease() throws {
        var payload = RawPayload()
        payload.number(1, 5)
        payload.text(1_000, "from the future")
        let frame = rawFrame(type: 23, payload: payload.bytes)
        #expect(try parse(frame) == [.heartbeatAck(HeartbeatAck(number: 5))])
    }

    @Test("a field cut short, a wrong wire type and an endless varint are malformed")
    func broken() {
        for payload: [UInt8] in [
            [0x08], [0x0A, 5, 1], [UInt8](repeating: 0xFF, count: 30), [0x07], [0x00, 0x00], [0x0B],
        ] {
            #expect(fault(of: rawFrame(type: 23, payload: payload)) == .malformed)
        }
    }

    @Test("sub-messages repeated without end stay within the budget")
    func repeatedParts() {
        var payload = RawPayload()
        payload.number(4, 1)
        for _ in 0..<200_000 { payload.part(3) { _ in } }
        let code = fault(of: rawFrame(type: 31, payload: payload.bytes))
        #expect(code == .malformed || code == .invalidValue)
    }
}

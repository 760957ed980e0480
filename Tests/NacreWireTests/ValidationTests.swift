import NacreProtocol
import NacreWire
import Testing

@Suite("Values out of range are refused")
struct ValidationTests {
    @Test("by the name of their field", arguments: Refusal.all)
    func refused(refusal: Refusal) {
        var payload = RawPayload()
        refusal.build(&payload)
        let frame = rawFrame(type: refusal.type.rawValue, payload: payload.bytes)
        let error = #expect(throws: WireError.self) { try parse(frame) }
        #expect(error?.code == .invalidValue)
        #expect(error?.message.hasPrefix("\(refusal.type).\(refusal.field) ") == true, "\(error?.message ?? "")")
    }

    @Test("but the parts they are built on are good")
    func goodParts() {
        func good(_ type: FrameType, _ build: (inout RawPayload) -> Void) -> Bool {
            var payload = RawPayload()
            build(&payload)
            return fault(of: rawFrame(type: type.rawValue, payload: payload.bytes)) == nil
        }
        #expect(good(.draftOpen) { $0.draftOpen() })
        #expect(good(.assignJob) { $0.assignJob() })
        #expect(good(.greeting) { $0.greeting() })
        #expect(good(.hello) { $0.hello() })
    }
}

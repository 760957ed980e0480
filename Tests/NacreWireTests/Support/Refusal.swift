import NacreWire
import Testing

/// One payload that is protobuf but no message, and the field that the error must name.
struct Refusal: Sendable, CustomTestStringConvertible {
    let type: FrameType
    let field: String
    let why: String
    let build: @Sendable (inout RawPayload) -> Void

    init(_ type: FrameType, _ field: String, _ why: String, _ build: @escaping @Sendable (inout RawPayload) -> Void) {
        self.type = type
        self.field = field
        self.why = why
        self.build = build
    }

    static let all = dataPlane + trees + scores + membership + jobs

    var testDescription: String { "\(type).\(field) \(why)" }
}

/// The first number that no count or position may be.
let beyondInt32: UInt64 = 1 << 31

/// The parts of a good message, to which a later field of the same number adds its own value.
extension RawPayload {
    mutating func sampling() { part(8) { $0.double(3, 1) } }

    mutating func draftOpen() {
        number(4, 1)
        sampling()
    }

    mutating func assignJob() {
        number(3, 1)
        number(14, 4)
        part(6) { $0.double(3, 1) }
        number(16, 100)
    }

    mutating func greeting() {
        number(1, 1)
        number(2, 1)
        text(3, "node")
        number(4, 1)
    }

    /// A pair in a heartbeat.
    mutating func pair(_ change: (inout RawPayload) -> Void) {
        part(4) { pair in
            pair.number(2, 1)
            pair.number(5, 1)
            change(&pair)
        }
    }

    mutating func hello() {
        text(1, "node")
        number(3, 1)
        number(4, 1)
        number(5, 1)
        part(9) { _ in }
    }
}

internal import CNacreProto
package import NacreCore
import NacreProtocol

/// The messages of a verifier and its engine as frames, and back: `length u32` (of the payload) · `kind u32`, both in
/// the host's order, then the payload. Pure.
///
/// Both ends are one executable on one host. Even so every value is checked: an engine that has gone wrong must not
/// take its verifier along.
package enum EngineCodec {
    package static let headerBytes = 8

    enum Kind: UInt32 {
        case start = 1
        case ready = 2
        case pass = 3
        case scores = 4
        case refused = 5
    }

    /// `message` as the bytes of one frame.
    /// - Throws: `.unsendable`.
    package static func encode(_ message: EngineMessage) throws(WireError) -> [UInt8] {
        let kind = kind(of: message)
        let writer = FieldWriter(type: kind)
        defer { extendLifetime(writer) }
        let packed = UnsafePointer(try pack(message, writer).assumingMemoryBound(to: ProtobufCMessage.self))
        let length = protobuf_c_message_get_packed_size(packed)
        guard length <= EngineLinkLimits.frameBytesMax else {
            throw WireError(
                .unsendable,
                "a message of kind \(kind) takes \(length) bytes; a frame holds \(EngineLinkLimits.frameBytesMax)",
                remedy: "report this; it should have been split")
        }
        return [UInt8](unsafeUninitializedCapacity: headerBytes + length) { room, count in
            guard let start = room.baseAddress else { return }
            UnsafeMutableRawPointer(start).storeBytes(of: UInt32(length), as: UInt32.self)
            UnsafeMutableRawPointer(start).storeBytes(of: kind.rawValue, toByteOffset: 4, as: UInt32.self)
            protobuf_c_message_pack(packed, start + headerBytes)
            count = headerBytes + length
        }
    }

    /// The kind and the payload's length in a frame's first bytes.
    /// - Throws: `.oversize`.
    package static func header(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> (kind: UInt32, length: Int) {
        precondition(bytes.count == headerBytes, "\(bytes.count) bytes are no header")
        let length = bytes.loadUnaligned(as: UInt32.self)
        guard length <= EngineLinkLimits.frameBytesMax else {
            throw WireError(
                .oversize, "a frame of \(length) bytes came; at most \(EngineLinkLimits.frameBytesMax) are allowed",
                remedy: remedy)
        }
        return (bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self), Int(length))
    }

    /// The message in a payload.
    /// - Throws: `.unknownType`, `.malformed`, `.invalidValue`.
    package static func decode(_ kind: UInt32, _ payload: UnsafeRawBufferPointer) throws(WireError) -> EngineMessage {
        guard let kind = Kind(rawValue: kind) else {
            throw WireError(.unknownType, "no message has kind \(kind)", remedy: remedy)
        }
        let arena = FrameArena(frameBytes: payload.count)
        let fields = FieldReader(type: kind)
        func unpack<C>(
            _ unpack: (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?) -> UnsafeMutablePointer<
                C
            >?
        ) throws(WireError) -> C {
            let bytes = payload.baseAddress?.assumingMemoryBound(to: UInt8.self)
            guard let message = unpack(arena.allocator, payload.count, bytes) else {
                throw WireError(
                    .malformed, "\(payload.count) bytes are no message of kind \(kind)", remedy: remedy)
            }
            return message.pointee
        }
        // The copies of C structs made here point into the arena, which lives to the end of this function.
        defer { extendLifetime(arena) }
        switch kind {
        case .start: return .start(try EngineStart(unpack(nacre__engine_start__unpack), fields))
        case .ready: return .ready(try EngineReady(unpack(nacre__engine_ready__unpack), fields))
        case .pass: return .pass(try EnginePass(unpack(nacre__engine_pass__unpack), fields))
        case .scores: return .scores(try fields.scores(unpack(nacre__engine_scores__unpack)))
        case .refused: return .refused(try fields.refusal(unpack(nacre__engine_refusal__unpack)))
        }
    }

    /// Splits scores into messages that fit frames: at least one, and no empty one but that of no scores.
    package static func messages(_ scores: [Score]) -> [EngineMessage] {
        var parts: [[Score]] = [[]]
        var values = 0
        for score in scores {
            if values >= EngineLinkLimits.valuesPerMessage {
                parts.append([])
                values = 0
            }
            parts[parts.count - 1].append(score)
            values += score.valueCount
        }
        return parts.map { .scores($0) }
    }

    private static let remedy = "report this; the verifier and its engine are one program"

    private static func kind(of message: EngineMessage) -> Kind {
        switch message {
        case .start: .start
        case .ready: .ready
        case .pass: .pass
        case .scores: .scores
        case .refused: .refused
        }
    }

    /// The C form of `message`, a `ProtobufCMessage`; lives as long as `writer`.
    private static func pack(
        _ message: EngineMessage, _ writer: borrowing FieldWriter
    ) throws(WireError) -> UnsafeMutableRawPointer {
        switch message {
        case .start(let start): try start.pack(writer)
        case .ready(let ready): try ready.pack(writer)
        case .pass(let pass): try pass.pack(writer)
        case .scores(let scores): writer.scores(scores)
        case .refused(let error): writer.refusal(error)
        }
    }
}

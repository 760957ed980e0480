internal import CNacreProto
package import NIOCore
package import NacreProtocol

/// Messages to frames and back. Both ways are pure; no C type comes out.
///
/// Whatever a peer sends is either a message whose every value is within its range, or a `WireError`. Texts for people
/// (`detail`, `error`, `modelName` ...) are cut to their limit on the way out; nothing else is changed.
package enum MessageCodec {
    /// Appends `message` as one frame.
    /// - Throws: `.unsendable` if it does not fit a frame or a number does not fit its field; `buffer` is unchanged.
    package static func encode(_ message: Message, into buffer: inout ByteBuffer) throws(WireError) {
        let type = FrameType(message)
        let writer = FieldWriter(type: type)
        defer { extendLifetime(writer) }
        let packed = UnsafePointer(try pack(message, writer).assumingMemoryBound(to: ProtobufCMessage.self))
        let length = protobuf_c_message_get_packed_size(packed)
        guard length <= Limits.frameBytesMax else {
            throw WireError(
                .unsendable, "a message of type \(type) takes \(length) bytes; a frame holds \(Limits.frameBytesMax)",
                remedy: "send it in smaller parts")
        }
        let version = UInt8(truncatingIfNeeded: Limits.wireVersion)
        let start = buffer.writerIndex
        buffer.reserveCapacity(minimumWritableBytes: FrameHeader.bytes + length)
        buffer.writeMultipleIntegers(UInt32(length), type.rawValue, version, 0 as UInt8, 0 as UInt32)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { room in
            protobuf_c_message_pack(packed, room.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
        let checksum = buffer.withVeryUnsafeBytes { bytes in
            Checksum.ofFrame(
                header: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + FrameHeader.checkedBytes)]),
                payload: UnsafeRawBufferPointer(
                    rebasing: bytes[(start + FrameHeader.bytes)..<(start + FrameHeader.bytes + length)]))
        }
        buffer.setInteger(checksum, at: start + FrameHeader.checkedBytes)
    }

    /// `message` as the bytes of one frame.
    /// - Throws: `.unsendable`.
    package static func encode(_ message: Message) throws(WireError) -> [UInt8] {
        var buffer = ByteBuffer()
        try encode(message, into: &buffer)
        return Array(buffer.readableBytesView)
    }

    /// The message in the payload of a frame of type `type`.
    /// - Throws: `.malformed`, `.invalidValue`.
    package static func decode(_ type: FrameType, _ payload: UnsafeRawBufferPointer) throws(WireError) -> Message {
        let arena = FrameArena(frameBytes: payload.count)
        let fields = FieldReader(type: type)
        func unpack<C>(
            _ unpack: (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?) -> UnsafeMutablePointer<
                C
            >?
        ) throws(WireError) -> C {
            let bytes = payload.baseAddress?.assumingMemoryBound(to: UInt8.self)
            guard let message = unpack(arena.allocator, payload.count, bytes) else {
                throw MessageCodec.malformed(type, bytes: payload.count, isExhausted: arena.isExhausted)
            }
            return message.pointee
        }
        // The copies of C structs made here point into the arena, which lives to the end of this function.
        defer { extendLifetime(arena) }
        switch type {
        case .draftOpen: return .draftOpen(try DraftOpen(unpack(nacre__draft_open__unpack), fields))
        case .draftReady: return .draftReady(DraftReady(try unpack(nacre__draft_ready__unpack)))
        case .draft: return .draft(try Draft(unpack(nacre__draft__unpack), fields))
        case .verdict: return .verdict(try Verdict(unpack(nacre__verdict__unpack), fields))
        case .streamPolicy: return .streamPolicy(try StreamPolicy(unpack(nacre__stream_policy__unpack), fields))
        case .draftClose: return .draftClose(try DraftClose(unpack(nacre__draft_close__unpack), fields))
        case .greeting: return .greeting(try Greeting(unpack(nacre__greeting__unpack), fields))
        case .rowRequest: return .rowRequest(try RowRequest(unpack(nacre__row_request__unpack), fields))
        case .draftRow: return .draftRow(try DraftRow(unpack(nacre__draft_row__unpack), fields))
        case .scoreOpen: return .scoreOpen(try ScoreOpen(unpack(nacre__score_open__unpack), fields))
        case .scoreShard: return .scoreShard(try ScoreShard(unpack(nacre__score_shard__unpack), fields))
        case .scores: return .scores(try Scores(unpack(nacre__scores__unpack), fields))
        case .scoreClose: return .scoreClose(try ScoreClose(unpack(nacre__score_close__unpack), fields))
        case .hello: return .hello(try Hello(unpack(nacre__hello__unpack), fields))
        case .welcome: return .welcome(try Welcome(unpack(nacre__welcome__unpack), fields))
        case .heartbeat: return .heartbeat(try Heartbeat(unpack(nacre__heartbeat__unpack), fields))
        case .heartbeatAck: return .heartbeatAck(HeartbeatAck(try unpack(nacre__heartbeat_ack__unpack)))
        case .assignJob: return .assignJob(try AssignJob(unpack(nacre__assign_job__unpack), fields))
        case .jobRefused: return .jobRefused(try JobRefused(unpack(nacre__job_refused__unpack), fields))
        case .commit: return .commit(try Commit(unpack(nacre__commit__unpack), fields))
        case .jobEnded: return .jobEnded(try JobEnded(unpack(nacre__job_ended__unpack), fields))
        case .cancelJob: return .cancelJob(try CancelJob(unpack(nacre__cancel_job__unpack), fields))
        case .hire: return .hire(try Hire(unpack(nacre__hire__unpack), fields))
        case .offers: return .offers(try Offers(unpack(nacre__offers__unpack), fields))
        case .jobPolicy: return .jobPolicy(try JobPolicy(unpack(nacre__job_policy__unpack), fields))
        case .vocabularyChunk:
            return .vocabularyChunk(try VocabularyChunk(unpack(nacre__vocabulary_chunk__unpack), fields))
        case .tokenize: return .tokenize(try Tokenize(unpack(nacre__tokenize__unpack), fields))
        case .jobTrace: return .jobTrace(try JobTrace(unpack(nacre__job_trace__unpack), fields))
        case .jobRecording: return .jobRecording(try JobRecording(unpack(nacre__job_recording__unpack), fields))
        case .tokenized: return .tokenized(try Tokenized(unpack(nacre__tokenized__unpack), fields))
        case .goodbye: return .goodbye(try Goodbye(unpack(nacre__goodbye__unpack), fields))
        }
    }

    private static func malformed(_ type: FrameType, bytes: Int, isExhausted: Bool) -> WireError {
        let fault = isExhausted ? "asks for more memory than it may" : "is not a protobuf message of that type"
        return WireError(
            .malformed, "the payload of a frame of type \(type), \(bytes) bytes, \(fault)",
            remedy: "run the same release of Nacre on both sides")
    }

    /// The C form of `message`, a `ProtobufCMessage`; lives as long as `writer`.
    private static func pack(
        _ message: Message, _ writer: borrowing FieldWriter
    ) throws(WireError) -> UnsafeMutableRawPointer {
        switch message {
        case .draftOpen(let message): try message.pack(writer)
        case .draftReady(let message): message.pack(writer)
        case .draft(let message): try message.pack(writer)
        case .verdict(let message): try message.pack(writer)
        case .streamPolicy(let message): message.pack(writer)
        case .draftClose(let message): message.pack(writer)
        case .greeting(let message): message.pack(writer)
        case .rowRequest(let message): try message.pack(writer)
        case .draftRow(let message): try message.pack(writer)
        case .scoreOpen(let message): try message.pack(writer)
        case .scoreShard(let message): try message.pack(writer)
        case .scores(let message): try message.pack(writer)
        case .scoreClose(let message): message.pack(writer)
        case .hello(let message): try message.pack(writer)
        case .welcome(let message): message.pack(writer)
        case .heartbeat(let message): try message.pack(writer)
        case .heartbeatAck(let message): message.pack(writer)
        case .assignJob(let message): try message.pack(writer)
        case .jobRefused(let message): message.pack(writer)
        case .commit(let message): try message.pack(writer)
        case .jobEnded(let message): try message.pack(writer)
        case .cancelJob(let message): message.pack(writer)
        case .hire(let message): message.pack(writer)
        case .offers(let message): message.pack(writer)
        case .jobPolicy(let message): message.pack(writer)
        case .vocabularyChunk(let message): try message.pack(writer)
        case .tokenize(let message): message.pack(writer)
        case .tokenized(let message): message.pack(writer)
        case .jobTrace(let message): try message.pack(writer)
        case .jobRecording(let message): try message.pack(writer)
        case .goodbye(let message): message.pack(writer)
        }
    }
}

import NIOCore
import NIOEmbedded
import NIOTestUtils
import NacreProtocol
import NacreWire
import Testing

@Suite("Frames")
struct FrameTests {
    private let heartbeat = Message.heartbeat(
        Heartbeat(number: 7, load: Load(jobs: 3, busy: 0.5, stepMicroseconds: 900)))

    @Test("the reference checksum has the published values of RFC 3720")
    func checksumVectors() {
        #expect(referenceChecksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(referenceChecksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(referenceChecksum(0..<32) == 0x46DD_794E)
        #expect(referenceChecksum(Array("123456789".utf8)) == 0xE306_9283)
    }

    @Test("frames of every length carry the reference checksum")
    func checksumOfFrames() throws {
        for length in 0..<70 {
            let frame = try MessageCodec.encode(
                .tokenize(Tokenize(request: 1, text: [UInt8](repeating: 9, count: length))))
            #expect(frame == rawFrame(type: 36, payload: Array(frame[12...])))
        }
    }

    @Test("the header is length, type, version, flags, checksum, big-endian")
    func header() throws {
        let frame = try MessageCodec.encode(.heartbeatAck(HeartbeatAck(number: 5)))
        #expect(frame[..<8] == [0, 0, 0, 2, 0, 23, 1, 0])
        #expect(frame[12...] == [0x08, 5])
    }

    @Test("any split of the bytes gives the same messages", arguments: FrameType.allCases)
    func everySplit(type: FrameType) throws {
        let decoder: () -> FrameDecoder = {
            let decoder = FrameDecoder()
            decoder.raiseLimit()
            return decoder
        }
        var pairs: [(ByteBuffer, [Message])] = []
        for seed in 0..<4 as Range<UInt64> {
            var generator = MessageGenerator(seed: seed)
            let message = generator.message(type)
            let frame = try MessageCodec.encode(message)
            if frame.count < 4_000 { pairs.append((ByteBuffer(bytes: frame), [message])) }
        }
        try ByteToMessageDecoderVerifier.verifyDecoder(inputOutputPairs: pairs, decoderFactory: decoder)
    }

    @Test("no frame with one flipped bit is accepted")
    func bitFlips() throws {
        let frame = try MessageCodec.encode(heartbeat)
        for bit in 0..<(8 * frame.count) {
            var flipped = frame
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(fault(of: flipped) != nil, "bit \(bit)")
        }
    }

    @Test("a frame cut anywhere is truncated")
    func truncated() throws {
        let frame = try MessageCodec.encode(heartbeat)
        for length in 1..<frame.count { #expect(fault(of: Array(frame[..<length])) == .truncated) }
        #expect(fault(of: []) == nil)
    }

    @Test("the decoder reports a frame cut by the end of the connection")
    func truncatedInPipeline() throws {
        let frame = try MessageCodec.encode(heartbeat)
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(FrameDecoder()))
        try channel.writeInbound(ByteBuffer(bytes: frame + frame[..<5]))
        #expect(try channel.readInbound(as: Message.self) == heartbeat)
        #expect(try channel.readInbound(as: Message.self) == nil)
        let error = #expect(throws: WireError.self) { try channel.finish() }
        #expect(error?.code == .truncated)
    }

    @Test("a frame beyond the limit is refused by its header alone, and the limit can be raised")
    func oversize() throws {
        let frame = try MessageCodec.encode(.tokenize(Tokenize(request: 1, text: [UInt8](repeating: 1, count: 5_000))))
        var small = FrameParser()
        small.append(frame[..<12])
        let error = #expect(throws: WireError.self) { try small.next() }
        #expect(error?.code == .oversize)
        #expect(fault(of: frame) == nil)
        #expect(fault(of: rawFrame(type: 3, length: UInt32(Limits.frameBytesMax) + 1)) == .oversize)
        #expect(fault(of: rawFrame(type: 3, length: .max)) == .oversize)
    }

    @Test("an unknown type, another version, flags and a wrong checksum are told apart")
    func headers() throws {
        #expect(fault(of: rawFrame(type: 27)) == .unknownType)
        #expect(fault(of: rawFrame(type: 0)) == .unknownType)
        #expect(fault(of: rawFrame(type: .max)) == .unknownType)
        #expect(fault(of: rawFrame(type: 23, version: 2)) == .wireVersion)
        #expect(fault(of: rawFrame(type: 23, flags: 1)) == .malformed)
        #expect(fault(of: rawFrame(type: 23, checksum: 0)) == .badChecksum)
        #expect(fault(of: rawFrame(type: 23)) == nil)
    }

    @Test(
        "who speaks another protocol is told which",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP"), ("POST /v1/jobs HTTP/1.1\r\n", "HTTP"),
            ("HTTP/1.1 400 Bad Request\r\n", "HTTP"), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
            ("PRI * HTTP/2", "HTTP/2"), ("SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
            ("\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}\u{00}\u{01}\u{7c}\u{03}\u{03}\u{00}", "TLS"),
            ("\u{16}\u{03}", "TLS"),
        ])
    func foreign(greeting: String, name: String) {
        var parser = FrameParser()
        parser.append(greeting.utf8)
        let error = #expect(throws: WireError.self) { try parser.next() }
        #expect(error?.code == .foreignPeer)
        #expect(error?.message == "this is not a Nacre peer, it speaks \(name)")
    }

    @Test("every fault names what to do")
    func remedies() {
        for frame in [rawFrame(type: 27), rawFrame(type: 3, version: 9), rawFrame(type: 3, checksum: 1)] {
            let error = #expect(throws: WireError.self) { try parse(frame) }
            #expect(error?.remedy.isEmpty == false)
        }
    }
}

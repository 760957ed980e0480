import NIOCore
import NacreProtocol

/// The 12 bytes before each payload, big-endian:
/// `length u32` (of the payload) · `type u16` · `version u8` · `flags u8` (zero) · `crc32c u32` (of the first 8 bytes
/// and the payload).
struct FrameHeader: Equatable {
    static let bytes = 12
    /// The part of the header that the checksum covers.
    static let checkedBytes = 8

    var length: Int
    var type: FrameType
    var checksum: UInt32

    /// Reads and checks a header without waiting for its payload, so that a wrong peer is known by its first bytes.
    /// - Returns: `nil` while fewer than 12 bytes are there.
    /// - Throws: `.wireVersion`, `.malformed`, `.oversize`, `.unknownType`.
    static func peek(_ buffer: ByteBuffer, payloadBytesMax: Int) throws(WireError) -> FrameHeader? {
        guard
            let (length, type, version, flags, checksum) = buffer.peekMultipleIntegers(
                as: (UInt32, UInt16, UInt8, UInt8, UInt32).self)
        else { return nil }
        guard version == Limits.wireVersion else {
            throw WireError(
                .wireVersion, "the peer's frames have version \(version), ours \(Limits.wireVersion)",
                remedy: "run the same release of Nacre on both sides")
        }
        guard flags == 0 else {
            throw WireError(
                .malformed, "a frame has flags \(flags); version \(version) knows none",
                remedy: "run the same release of Nacre on both sides")
        }
        guard length <= payloadBytesMax else {
            throw WireError(
                .oversize, "a frame of \(length) bytes came where at most \(payloadBytesMax) are allowed",
                remedy: "check what runs on the other side; a peer is held to small frames until it is known")
        }
        guard let type = FrameType(rawValue: type) else {
            throw WireError(
                .unknownType, "no message has frame type \(type)",
                remedy: "run the same release of Nacre on both sides")
        }
        return FrameHeader(length: Int(length), type: type, checksum: checksum)
    }
}

/// Other protocols that people point at a Nacre port, told by how they begin.
enum ForeignProtocol {
    private static let beginnings: [(bytes: [UInt8], name: String)] = [
        ([0x16, 0x03], "TLS"),
        (Array("PRI * HTTP/2.0".utf8), "HTTP/2"),
        (Array("HTTP/".utf8), "HTTP"),
        (Array("GET ".utf8), "HTTP"),
        (Array("POST".utf8), "HTTP"),
        (Array("PUT ".utf8), "HTTP"),
        (Array("HEAD".utf8), "HTTP"),
        (Array("DELETE ".utf8), "HTTP"),
        (Array("OPTIONS ".utf8), "HTTP"),
        (Array("SSH-".utf8), "SSH"),
    ]

    /// The error for a connection that begins with `bytes`, if these are another protocol's. None of the beginnings
    /// is a legal header: each gives a length above `Limits.frameBytesMax`.
    static func recognise(_ bytes: ByteBufferView) -> WireError? {
        for (beginning, name) in beginnings {
            let common = bytes.prefix(beginning.count)
            guard common.count >= min(beginning.count, 12), beginning.starts(with: common) else { continue }
            return WireError(
                .foreignPeer, "this is not a Nacre peer, it speaks \(name)",
                remedy: "point it at its own port, or give nodes the coordinator's node address, not its API address")
        }
        return nil
    }
}

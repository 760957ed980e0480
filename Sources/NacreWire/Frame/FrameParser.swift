import NIOCore
package import NacreProtocol

/// Takes messages out of a stream of bytes. Pure: whoever has the bytes, for instance a simulated network, feeds them.
///
/// ```swift
/// var parser = FrameParser()
/// parser.append(bytes)
/// while let message = try parser.next() { ... }
/// ```
/// After an error the stream cannot be read further: no later byte can be trusted to begin a frame.
package struct FrameParser: Sendable {
    private var reader = FrameReader()
    private var buffer = ByteBuffer()

    package init() {}

    /// The peer is known: payloads up to `Limits.frameBytesMax` are accepted from here on, not only up to
    /// `Limits.frameBytesBeforeWelcome`.
    package mutating func raiseLimit() { reader.raiseLimit() }

    /// Adds bytes as they came; a chunk may hold parts of frames.
    package mutating func append(_ bytes: some Sequence<UInt8>) {
        buffer.discardReadBytes()
        buffer.writeBytes(bytes)
    }

    /// The next whole message; `nil` when more bytes are needed.
    /// - Throws: any `WireError.Code` but `.truncated` and `.unsendable`.
    package mutating func next() throws(WireError) -> Message? { try reader.next(from: &buffer) }

    /// The bytes have ended, and `next()` has nothing more.
    /// - Throws: `.truncated` if that was inside a frame.
    package func finish() throws(WireError) { try reader.finish(buffer) }
}

/// The state of reading frames from bytes that someone else keeps.
struct FrameReader: Sendable {
    private var payloadBytesMax = Limits.frameBytesBeforeWelcome
    private var isFirst = true

    mutating func raiseLimit() { payloadBytesMax = Limits.frameBytesMax }

    mutating func next(from buffer: inout ByteBuffer) throws(WireError) -> Message? {
        if isFirst, let foreign = ForeignProtocol.recognise(buffer.readableBytesView) { throw foreign }
        guard let header = try FrameHeader.peek(buffer, payloadBytesMax: payloadBytesMax) else { return nil }
        let end = FrameHeader.bytes + header.length
        guard buffer.readableBytes >= end else { return nil }
        let message = try buffer.withUnsafeReadableBytes { bytes throws(WireError) in
            let payload = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.bytes..<end])
            let checked = UnsafeRawBufferPointer(rebasing: bytes[..<FrameHeader.checkedBytes])
            guard Checksum.ofFrame(header: checked, payload: payload) == header.checksum else {
                throw WireError(
                    .badChecksum, "a frame of type \(header.type) and \(header.length) bytes has a wrong checksum",
                    remedy: "the bytes changed on the way; if it happens again, check the network between the hosts")
            }
            return try MessageCodec.decode(header.type, payload)
        }
        buffer.moveReaderIndex(forwardBy: end)
        isFirst = false
        return message
    }

    func finish(_ buffer: ByteBuffer) throws(WireError) {
        guard buffer.readableBytes > 0 else { return }
        throw WireError(
            .truncated, "the peer closed after \(buffer.readableBytes) bytes of a frame",
            remedy: "it was stopped, or lost its network; its own log says which")
    }
}

package import NIOCore
package import NacreProtocol

/// What `FrameParser` does, in a NIO pipeline: bytes in, messages out. An error comes out of the pipeline as `WireError`.
///
/// A class, because the owner of the connection raises the limit while a message it gave out is being handled.
package final class FrameDecoder: ByteToMessageDecoder {
    package typealias InboundOut = Message

    private var reader = FrameReader()

    package init() {}

    /// See `FrameParser.raiseLimit()`.
    package func raiseLimit() { reader.raiseLimit() }

    package func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let message = try reader.next(from: &buffer) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(message))
        return .continue
    }

    package func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        if try decode(context: context, buffer: &buffer) == .continue { return .continue }
        if seenEOF { try reader.finish(buffer) }
        return .needMoreData
    }
}

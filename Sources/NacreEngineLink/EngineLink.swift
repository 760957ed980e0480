import Glibc
package import NacreWire

/// One end of the socket pair between a verifier and its engine. Its calls block; one thread at a time may send, and
/// one receive.
package final class EngineLink: Sendable {
    /// For `poll`; belongs to the link.
    package let descriptor: Int32

    /// Takes over an open stream socket.
    package init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Why nothing can be said any more.
    package enum Fault: Error, Sendable, Equatable {
        /// The other end is gone.
        case closed
        /// What came cannot be read, or what was to be sent not written.
        case wire(WireError)
    }

    /// Two ends that are connected, both closed by `exec`.
    ///
    /// - Throws: the system's error number.
    package static func pair() throws(Errno) -> (EngineLink, EngineLink) {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Errno(errno) }
        return (EngineLink(descriptor: ends[0]), EngineLink(descriptor: ends[1]))
    }

    /// Sends messages, all of them.
    package func send(_ messages: EngineMessage...) throws(Fault) { try send(messages) }

    /// Sends messages, all of them.
    package func send(_ messages: [EngineMessage]) throws(Fault) {
        for message in messages {
            let bytes: [UInt8]
            do throws(WireError) {
                bytes = try EngineCodec.encode(message)
            } catch {
                throw .wire(error)
            }
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes { room in
                    // Without a signal when the other end is gone.
                    Glibc.send(descriptor, room.baseAddress! + sent, room.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw .closed }
                sent += count
            }
        }
    }

    /// The next message, waiting for it.
    package func receive() throws(Fault) -> EngineMessage {
        let header = try bytes(EngineCodec.headerBytes)
        let (kind, length) = try Self.read(header, EngineCodec.header)
        let payload = try bytes(length)
        return try Self.read(payload) { (bytes) throws(WireError) in try EngineCodec.decode(kind, bytes) }
    }

    private static func read<Result>(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(WireError) -> Result
    ) throws(Fault) -> Result {
        do throws(WireError) {
            return try bytes.withUnsafeBufferPointer { (buffer) throws(WireError) in
                try body(UnsafeRawBufferPointer(buffer))
            }
        } catch {
            throw .wire(error)
        }
    }

    private func bytes(_ count: Int) throws(Fault) -> [UInt8] {
        var got = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, initialised in
            while got < count {
                let part = recv(descriptor, room.baseAddress! + got, count - got, 0)
                if part < 0 && errno == EINTR { continue }
                guard part > 0 else { break }
                got += part
            }
            initialised = got
        }
        guard got == count else { throw .closed }
        return bytes
    }
}

/// An error number of the C library, in its words.
package struct Errno: Error, Sendable, CustomStringConvertible {
    package let number: Int32

    package init(_ number: Int32) { self.number = number }

    package var description: String { String(cString: strerror(number)) }
}

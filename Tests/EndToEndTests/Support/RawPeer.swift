import Foundation
import NacreNode

/// A peer that knows nothing of Nacre: a socket and some bytes.
enum RawPeer {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Connects, sends, and reads until the other side closes.
    ///
    /// - Returns: how many bytes came back.
    /// - Throws: `Failure` if nobody listens, or if the connection is still open after the tests' patience.
    static func send(_ bytes: [UInt8], to address: HostPort) throws -> Int {
        let descriptor = try connect(to: address)
        defer { close(descriptor) }
        try write(bytes, to: descriptor)
        var limit = timeval(tv_sec: Int(TestCluster.patience / .seconds(1)), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var count = 0
        while true {
            let got = recv(descriptor, &buffer, buffer.count, 0)
            if got > 0 {
                count += got
            } else if got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) {
                throw Failure(description: "\(address) keeps the connection open")
            } else {
                // In order, or with a reset because bytes were left unread: it is closed.
                return count
            }
        }
    }

    /// Connects, sends and leaves without reading.
    static func sendAndLeave(_ bytes: [UInt8], to address: HostPort) throws {
        let descriptor = try connect(to: address)
        defer { close(descriptor) }
        try write(bytes, to: descriptor)
    }

    private static func connect(to address: HostPort) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = in_port_t(UInt16(address.port)).bigEndian
        name.sin_addr.s_addr = inet_addr(address.host)
        let status = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            close(descriptor)
            throw Failure(description: "cannot connect to \(address): \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    // A peer that closes while it is being written to is one that has understood.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }
}

internal import CLlama
import Glibc
package import NacreEngine

/// A server of layers, tried out by hand: llama.cpp's client ends its process over what is only a wrong address.
package struct LayerServerAddress: Sendable {
    private let text: String
    private let host: String
    private let port: String

    /// - Parameter text: `host:port`, checked before.
    package init(_ text: String) {
        self.text = text
        let colon = text.lastIndex(of: ":") ?? text.endIndex
        host = String(text[..<colon])
        port = String(text[colon...].dropFirst())
    }

    private static let patienceSeconds = 5
    private static let helloCommand: UInt8 = 14
    private static let capabilitiesBytes = 24

    /// Connects, greets and leaves.
    ///
    /// - Returns: the address in numbers, as llama.cpp takes it.
    /// - Throws: `.lost` if nobody answers, now; `.failed` if the address is none, or whoever answers no such server.
    package func check() throws(EngineError) -> String {
        var address = try resolve()
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw silent(errno) }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: Self.patienceSeconds, tv_usec: 0)
        for option in [SO_SNDTIMEO, SO_RCVTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw silent(errno) }
        try greet(descriptor)
        return Self.numeric(address)
    }

    /// The one exchange that all versions of the protocol begin with: a command and an empty list of what this side
    /// can do, answered with the version.
    private func greet(_ descriptor: Int32) throws(EngineError) {
        let size = Self.bytes(of: UInt64(Self.capabilitiesBytes))
        let hello = [Self.helloCommand] + size + [UInt8](repeating: 0, count: Self.capabilitiesBytes)
        guard send(descriptor, hello, hello.count, Int32(MSG_NOSIGNAL)) == hello.count else {
            throw stranger
        }
        // The size of the answer, then the version in three bytes and one of padding, then its capabilities.
        let expected = 4 + Self.capabilitiesBytes
        var answer: [UInt8] = []
        while answer.count < 8 + expected {
            var buffer = [UInt8](repeating: 0, count: 8 + expected - answer.count)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) { throw busy }
            guard count > 0 else { throw stranger }
            answer += buffer.prefix(count)
            guard answer.count < 8 || Array(answer.prefix(8)) == Self.bytes(of: UInt64(expected)) else {
                throw stranger
            }
        }
        let (major, minor) = (Int32(answer[8]), Int32(answer[9]))
        guard major == RPC_PROTO_MAJOR_VERSION, minor <= RPC_PROTO_MINOR_VERSION else {
            throw EngineError(
                .failed,
                "the layer server at \(text) speaks version \(major).\(minor) of llama.cpp's RPC, this verifier "
                    + "\(RPC_PROTO_MAJOR_VERSION).\(RPC_PROTO_MINOR_VERSION)",
                remedy: "install the same release of Nacre on both hosts")
        }
    }

    private func resolve() throws(EngineError) -> sockaddr_in {
        var hints = addrinfo()
        // llama.cpp knows no other family.
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, port, &hints, &list)
        defer { freeaddrinfo(list) }
        guard status == 0, let found = list?.pointee.ai_addr else {
            let reason = String(cString: gai_strerror(status))
            throw EngineError(
                .failed, "the host of the layer server \(text) has no IPv4 address (\(reason))", remedy: "check --rpc")
        }
        return found.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee }
    }

    private func silent(_ number: Int32) -> EngineError {
        // A connection that was not made within the socket's patience is said to be in progress.
        let reason = number == EINPROGRESS ? "no answer" : String(cString: strerror(number))
        return EngineError(
            .lost, "no layer server answers at \(text) (\(reason))",
            remedy: "start one there with `nacre-layers --listen \(text)`, or correct --rpc")
    }

    private var busy: EngineError {
        EngineError(
            .lost, "what listens at \(text) does not answer within \(Self.patienceSeconds) s",
            remedy: "a layer server serves one verifier at a time: end the other one, or correct --rpc")
    }

    private var stranger: EngineError {
        EngineError(
            .failed, "what listens at \(text) is no layer server",
            remedy: "give the addresses of `nacre-layers` processes with --rpc")
    }

    private static func bytes(of number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    /// `1.2.3.4:5678`.
    static func numeric(_ address: sockaddr_in) -> String {
        let host = UInt32(bigEndian: address.sin_addr.s_addr)
        let parts = [24, 16, 8, 0].map { String(host >> $0 & 0xFF) }
        return parts.joined(separator: ".") + ":\(UInt16(bigEndian: address.sin_port))"
    }
}

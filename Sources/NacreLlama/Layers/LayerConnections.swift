import Glibc

/// This process's TCP sockets, found from outside: llama.cpp's RPC backend opens its own and shows nobody.
enum LayerConnections {
    /// One end of a connection.
    struct Connection: Sendable, Hashable {
        let descriptor: Int32
        /// Of the other end, in numbers.
        let peer: String
    }

    /// More sockets than a process with layers elsewhere has.
    private static let descriptorsMax: Int32 = 256
    // From Linux's <poll.h>: the other end has closed, or its half. Swift does not import it.
    private static let peerClosed: Int32 = 0x2000

    /// Those that are connected over IPv4.
    static func all() -> [Connection] {
        (0..<descriptorsMax).compactMap { descriptor in
            address(descriptor, getpeername).map {
                Connection(descriptor: descriptor, peer: LayerServerAddress.numeric($0))
            }
        }
    }

    /// The one that listens, if any, and its port.
    static func listener() -> (descriptor: Int32, port: Int)? {
        for descriptor in 0..<descriptorsMax {
            var listens: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens != 0,
                let own = address(descriptor, getsockname)
            else { continue }
            return (descriptor, Int(UInt16(bigEndian: own.sin_port)))
        }
        return nil
    }

    /// Has the system find out about hosts that went away without a word, within half a minute. Sockets that a
    /// listening one accepts take it over.
    static func keepAlive(_ descriptor: Int32) {
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        let level = Int32(IPPROTO_TCP)
        set(descriptor, level, TCP_KEEPIDLE, 10)
        set(descriptor, level, TCP_KEEPINTVL, 5)
        set(descriptor, level, TCP_KEEPCNT, 4)
        // What was sent and is not acknowledged: milliseconds.
        set(descriptor, level, TCP_USER_TIMEOUT, 30_000)
    }

    /// Those of `connections` whose other end is gone, waiting until there is one.
    ///
    /// - Parameter milliseconds: how long to wait at most; below 0, for ever.
    static func lost(of connections: [Connection], milliseconds: Int32) -> [Connection] {
        var polls = connections.map { pollfd(fd: $0.descriptor, events: Int16(peerClosed), revents: 0) }
        while poll(&polls, nfds_t(polls.count), milliseconds) < 0 && errno == EINTR {}
        return zip(connections, polls).filter { $1.revents != 0 }.map(\.0)
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func address(
        _ descriptor: Int32,
        _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> sockaddr_in? {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask(descriptor, $0, &size) }
        }
        return status == 0 && address.sin_family == sa_family_t(AF_INET) ? address : nil
    }
}

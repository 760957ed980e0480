package import NIOCore
import NIOPosix

/// An open port. Every connection to it becomes a `PeerConnection` on the listener's own event loop.
package final class PeerListener: Sendable {
    /// Where it listens, with the port in place of 0.
    package let address: PeerAddress
    private let channel: any Channel

    private init(address: PeerAddress, channel: any Channel) {
        self.address = address
        self.channel = channel
    }

    /// Opens `address`; `handler` takes the events of all connections that come in.
    /// - Throws: `TransportError` `.portInUse`, `.addressUnusable`, `.permissionDenied`.
    package static func listen(
        at address: PeerAddress, on eventLoop: any EventLoop, options: PeerOptions = PeerOptions(),
        handler: @escaping PeerHandler
    ) async throws -> PeerListener {
        var bootstrap = ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                eventLoop.makeCompletedFuture {
                    let remote = channel.remoteAddress.map(PeerListener.text) ?? "unknown"
                    try PeerConnection(to: remote, on: eventLoop, options, handler).attach(to: channel)
                }
            }
        for (option, value) in KeepAlive.options {
            bootstrap = bootstrap.childChannelOption(option, value: value)
        }
        do {
            let channel = try await bootstrap.bind(host: address.host, port: address.port).get()
            let port = channel.localAddress?.port ?? address.port
            return PeerListener(address: PeerAddress(host: address.host, port: port), channel: channel)
        } catch {
            throw explain(error, address)
        }
    }

    /// Stops accepting. Connections that are open stay so.
    package func close() async {
        // The only way this fails is that it is closed already.
        try? await channel.close().get()
    }

    private static func text(_ address: SocketAddress) -> String {
        PeerAddress(host: address.ipAddress ?? "unknown", port: address.port ?? 0).description
    }

    private static func explain(_ error: any Error, _ address: PeerAddress) -> TransportError {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            TransportError(
                .portInUse, "port \(address.port) on \(address.host) is in use",
                remedy: "stop the other process or choose another with --listen")
        case EACCES, EPERM:
            TransportError(
                .permissionDenied, "this user may not open port \(address.port) on \(address.host)",
                remedy: "choose one from 1024 on with --listen")
        default:
            TransportError(
                .addressUnusable, "cannot listen on \(address) (\(error))",
                remedy: "choose an address of this machine with --listen, for instance 127.0.0.1:\(address.port)")
        }
    }
}

package import NIOCore
import NIOPosix

/// Connects to peers that listen.
package enum PeerDialer {
    /// Starts to connect and returns at once. `handler` gets `opened` or, if nobody answers within `timeout`, `closed`
    /// with the reason. Messages sent meanwhile wait.
    package static func dial(
        _ address: PeerAddress, timeout: Duration = .seconds(3), on eventLoop: any EventLoop,
        options: PeerOptions = PeerOptions(), handler: @escaping PeerHandler
    ) -> PeerConnection {
        let connection = PeerConnection(to: address.description, on: eventLoop, options, handler)
        // In a turn of its own, so that not even a connection that stands at once speaks before it is returned.
        eventLoop.execute { connect(connection, to: address, timeout) }
        return connection
    }

    private static func connect(_ connection: PeerConnection, to address: PeerAddress, _ timeout: Duration) {
        var bootstrap = ClientBootstrap(group: connection.eventLoop)
        for (option, value) in KeepAlive.options { bootstrap = bootstrap.channelOption(option, value: value) }
        bootstrap
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            // A host with several addresses is tried on several channels. Only the one that connects gets the
            // connection, and must not be read before.
            .channelOption(.autoRead, value: false)
            .connect(host: address.host, port: address.port)
            .flatMap { channel in
                channel.eventLoop.makeCompletedFuture { try connection.attach(to: channel) }
                    .flatMap { channel.setOption(.autoRead, value: true) }
            }
            .whenFailure { error in
                connection.fail(reason: "could not connect to \(address): \(explain(error, timeout))")
            }
    }

    private static func explain(_ error: any Error, _ timeout: Duration) -> String {
        switch error {
        case ChannelError.connectTimeout: return "no answer within \(timeout)"
        case let error as NIOConnectionError:
            if let lookup = error.dnsAError ?? error.dnsAAAAError { return "the host is unknown (\(lookup))" }
            guard let first = error.connectionErrors.first?.error else { return "no address to try" }
            return explain(first, timeout)
        case let error as IOError where error.errnoCode == ECONNREFUSED: return "nothing listens there"
        default: return String(describing: error)
        }
    }
}

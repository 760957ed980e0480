import Glibc
import NIOCore

/// TCP's own signs of life. A link on which neither side has anything to say would otherwise outlive a host that
/// vanished without a word, and hold what it was given.
enum KeepAlive {
    /// Silence before the first probe, between probes, and probes without an answer that end the link: 9 s in all.
    static let options: [(option: ChannelOptions.Types.SocketOption, value: SocketOptionValue)] = [
        (ChannelOptions.Types.SocketOption(level: .socket, name: .so_keepalive), 1),
        (ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_KEEPIDLE)), 3),
        (ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_KEEPINTVL)), 2),
        (ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_KEEPCNT)), 3),
        // As long, in milliseconds, for what was sent and not acknowledged: as long as something is on its way nothing
        // is probed, and TCP would send it again for a quarter of an hour.
        (ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT)), 9_000),
    ]
}

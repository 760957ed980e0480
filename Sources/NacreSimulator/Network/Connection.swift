import NacreCore
import NacreProtocol
import NacreWire

/// A process's place in the world: 0 is the coordinator, then the verifiers, then the drafters.
struct HostID: Hashable, Comparable, Sendable, CustomStringConvertible {
    let index: Int
    static func < (left: HostID, right: HostID) -> Bool { left.index < right.index }
    var description: String { "host\(index)" }
}

/// A connection, numbered in the order they came to be.
struct ConnectionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    let rawValue: Int
    static func < (left: ConnectionID, right: ConnectionID) -> Bool { left.rawValue < right.rawValue }
    var description: String { "c\(rawValue)" }
    /// The number under which a machine knows it.
    var link: LinkID { LinkID(rawValue: rawValue) }

    init(rawValue: Int) { self.rawValue = rawValue }
    init(_ link: LinkID) { rawValue = link.rawValue }
}

/// A try to connect, numbered likewise.
struct DialID: Hashable, Sendable {
    let rawValue: Int
}

/// The two ends of a connection.
enum Side: Int, Sendable {
    case dialer = 0
    case acceptor = 1
    var other: Side { self == .dialer ? .acceptor : .dialer }
}

/// A byte stream both ways, as TCP gives it: in order and whole until it breaks, and then both ends learn of it, at
/// different times.
struct Connection {
    /// One process's hold on the connection.
    struct End {
        var host: HostID
        /// Which run of the process: a connection never outlives it.
        var life: Int
        var isOpen = true
        var parser = FrameParser()
        var isKnown = false
    }

    /// The bytes on their way to one end.
    struct Lane {
        /// Written and not delivered yet.
        var bytes: [UInt8] = []
        /// Bytes delivered so far.
        var delivered = 0
        /// When the last byte written arrives; nothing overtakes.
        var lastArrival: Instant = 0
        /// What is written or on its way is lost, and nobody is told.
        var isSilent = false
    }

    var ends: [End]
    /// Indexed by the receiving side.
    var lanes = [Lane(), Lane()]
    /// One-way delay in microseconds.
    var delay: Int
    var isBroken = false
}

/// Every bound of one server or client connection. Set once, at start.
package struct HTTPLimits: Sendable, Hashable {
    /// Connections a server holds at once; one more is closed as it is accepted.
    package var connectionsMax = 1024
    /// Streams a peer may have open on one connection.
    package var streamsMax = 128
    /// Handlers that may run for one connection; more than `streamsMax`, since a handler returns a moment after its
    /// stream has closed, and the client may use that moment. Beyond it streams are refused.
    package var handlersMax = 512
    /// Bytes of one header list, counted as in RFC 9113 §6.5.2: name + value + 32 for each field.
    package var headerBytesMax = 16 << 10
    /// Bytes of one request body; beyond it the answer is 413.
    package var bodyBytesMax = 1 << 20
    /// Bytes of unfinished request bodies held for one connection; beyond it the answer is 503.
    package var bodiesBytesMax = 8 << 20
    /// Body bytes that wait in one stream for the peer's window; a writer suspends when they are reached.
    package var queuedBytesMax = 256 << 10
    /// Body bytes the peer may send on one stream before we took them.
    package var streamWindowBytes = 256 << 10
    /// Body bytes the peer may have in flight on the whole connection.
    package var connectionWindowBytes = 1 << 20

    /// Streams a client may reset at once.
    package var resetsBurst = 200
    /// Resets it regains per second.
    package var resetsPerSecond = 33
    /// CONTINUATION frames after one HEADERS frame.
    package var continuationsMax = 8
    /// Entries in one SETTINGS frame.
    package var settingsMax = 32
    /// Answers to PING and SETTINGS that wait for a peer that does not read.
    package var acksQueuedMax = 128
    /// Small protocol offences after which the connection is closed.
    package var offencesMax = 100

    /// A stream with bytes to move that moves none for this long is reset.
    package var stallTimeout: Duration = .seconds(60)
    /// A peer must have sent its preface and settings by then.
    package var handshakeTimeout: Duration = .seconds(5)
    /// A connection without streams is closed after this.
    package var idleTimeout: Duration = .seconds(300)
    /// How long a finished connection waits for the peer to close its side.
    package var lingerTimeout: Duration = .seconds(2)

    /// The defaults.
    package init() {}

    /// How often a connection looks at its clocks: often enough to be late by a quarter at most.
    var tick: Duration {
        let shortest = min(stallTimeout, handshakeTimeout, idleTimeout, lingerTimeout)
        return max(.milliseconds(5), min(.seconds(1), shortest / 4))
    }
}

import NacreCore

/// A job's name, drawn at random by the coordinator.
package struct JobID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    package static func < (left: JobID, right: JobID) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

// Names of time (docs/protocol.md): each has one writer. Older than known: drop and count.
// Newer than possible: a protocol error.

/// One start of the coordinator. Writer: the coordinator.
package struct Generation: Ordinal {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One start of a node, drawn at random. Writer: the node.
package struct Incarnation: Ordinal {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One placement of a job on a verifier, counted from 1. Writer: the coordinator.
package struct Attempt: Ordinal {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Drafting of one stream since its last rollback. Writer: the verifier, which offers the number in a verdict.
package struct Epoch: Ordinal {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// A draft stream of one connection: one job and drafter. Writer: the verifier.
package struct StreamID: Ordinal {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

package import NacreCore

/// A role's decisions: input and time in, effects out. Never suspends, never reads a clock, never throws for a
/// peer's fault; a shell performs the effects in order.
package protocol Machine {
    associatedtype Input: Sendable
    associatedtype Effect: Sendable
    mutating func step(_ input: Input, at now: Instant, into effects: inout [Effect])
}

/// Microseconds since an origin of the host's own; instants of two hosts are never compared.
package struct Instant: Ordinal {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static func milliseconds(_ count: Int) -> Int { count * 1_000 }
    package static func seconds(_ count: Int) -> Int { count * 1_000_000 }
}

/// A connection, numbered by the shell that owns it; never reused.
package struct LinkID: Ordinal {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
}

/// What came of an `EnginePass`.
package enum PassOutcome: Sendable, Equatable {
    /// One score per scored node, in node order; when the engine began and ended.
    case done([Score], started: Instant, ended: Instant)
    /// The cache had no room: nothing was evaluated, the edits stand.
    case cacheFull
    /// The engine failed: every sequence of the pass is void.
    case failed(String)
}

/// A peer broke the protocol: the link closes with this text.
package struct ProtocolFault: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

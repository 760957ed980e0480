/// A number that counts one kind of thing. Each kind is a type of its own, so that a position passed where a
/// sequence is meant does not compile.
package protocol Ordinal: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible,
    ExpressibleByIntegerLiteral
where RawValue: FixedWidthInteger & Sendable, IntegerLiteralType == RawValue {
    init(rawValue: RawValue)
}

extension Ordinal {
    package init(integerLiteral value: RawValue) { self.init(rawValue: value) }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    /// The ordinal `distance` further on. Overflow is our own bug and traps.
    package static func + (left: Self, distance: Int) -> Self { Self(rawValue: left.rawValue + RawValue(distance)) }
    /// The signed distance from `right` to `left`.
    package static func - (left: Self, right: Self) -> Int { Int(left.rawValue) - Int(right.rawValue) }
    /// The one after this.
    package var next: Self { self + 1 }
    package var description: String { String(rawValue) }
}

/// A token of the target's vocabulary.
package struct TokenID: Ordinal {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// An absolute, 0-based index into prompt + output; also used for lengths (one past the last token).
package struct Position: Ordinal {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
}

/// A node of a draft tree, in the order of appending: a parent's index is less than its children's.
package struct NodeIndex: Ordinal {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
}

/// A sequence of a KV cache, 0 ..< `EngineShape.sequences`.
package struct SequenceID: Ordinal {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
}

/// The key of a job's noise: with the target and the prompt it determines every sampled token (ALGORITHMS 9.4).
package struct StreamKey: Ordinal {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

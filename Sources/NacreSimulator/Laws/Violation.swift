package import NacreProtocol

/// A law that a run broke, with what led to it.
package struct Violation: Error, Sendable, CustomStringConvertible {
    package enum Law: String, Sendable, CaseIterable {
        /// What was committed stays, and is what plain decoding gives.
        case commitment
        /// A client sees only beginnings of the final text.
        case text
        /// A job ends as it must.
        case outcome
        /// Each row is computed on the committed prefix and its own chain, nothing else.
        case cache
        /// A pass keeps the engine's rules.
        case engine
        /// Windows and position limits hold.
        case window
        /// Of a drafter and a verifier on the same cores one computes.
        case alternation
        /// Nobody who keeps the protocol is accused of breaking it.
        case accusation
        /// What one machine sends, the other reads.
        case codec
        /// After the healing every job ends.
        case liveness
        /// After the last job nothing is left.
        case leak
    }

    package let seed: UInt64
    package let time: Instant
    package let law: Law
    package let detail: String
    /// The last events before it, one line each.
    package let events: [String]

    package var description: String {
        """
        seed \(seed) breaks the law of \(law.rawValue) at \(Journal.clock(time)): \(detail)
        the last events:
        \(events.map { "  " + $0 }.joined(separator: "\n"))
        again: nacre-sim --first \(seed) --seeds 1 --verbose
        """
    }
}

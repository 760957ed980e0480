/// What is wrong with what a drafter says about its draws: its fault, not ours, so an error and never a trap.
///
/// That its nodes make no tree is a `DraftTreeFault`; that a rule has no answer for a tree is a `RuleRefusal`.
package struct PayloadFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which promise is broken.
    package enum Code: Sendable, Hashable {
        /// A row of q that is no law.
        case row
        /// Children without a payload, a payload without its node, two for one node.
        case place
        /// A token that the payload says could not have been drawn.
        case token
        /// An order of drawing that does not fit the children.
        case draws
        /// A row fetched late that is not the one the scalar came from.
        case mismatch
    }

    package let code: Code
    /// What is wrong and what the drafter has to send instead.
    package let description: String

    static func row(_ description: String) -> PayloadFault { PayloadFault(code: .row, description: description) }
    static func place(_ description: String) -> PayloadFault { PayloadFault(code: .place, description: description) }
    static func token(_ description: String) -> PayloadFault { PayloadFault(code: .token, description: description) }
    static func draws(_ description: String) -> PayloadFault { PayloadFault(code: .draws, description: description) }
    static func mismatch(_ description: String) -> PayloadFault {
        PayloadFault(code: .mismatch, description: description)
    }
}

extension NodeIndex? {
    /// For messages.
    var name: String { map { "node \($0)" } ?? "the root" }
}

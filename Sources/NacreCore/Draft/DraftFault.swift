/// What is wrong with a proposal that a drafter made: its fault, not ours, so an error and never a trap.
package struct DraftFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which promise is broken.
    package enum Code: Sendable, Hashable {
        /// A row of q that is no law.
        case row
        /// Nodes that form no tree, or a tree that this rule cannot judge.
        case tree
        /// A token that the payload says could not have been drawn.
        case token
        /// A row fetched late that is not the one the scalar came from.
        case mismatch
    }

    package let code: Code
    /// What is wrong and what the drafter has to send instead.
    package let description: String

    static func row(_ description: String) -> DraftFault { DraftFault(code: .row, description: description) }
    static func tree(_ description: String) -> DraftFault { DraftFault(code: .tree, description: description) }
    static func token(_ description: String) -> DraftFault { DraftFault(code: .token, description: description) }
    static func mismatch(_ description: String) -> DraftFault { DraftFault(code: .mismatch, description: description) }
}

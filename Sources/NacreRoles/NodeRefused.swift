/// The coordinator will never take this node.
package struct NodeRefused: Error, Sendable, CustomStringConvertible {
    package let reason: String
    package var description: String { reason }
}

import NacreCore

/// A node as the coordinator knows it.
package struct NodeRecord: Sendable {
    package let link: LinkID
    package let hello: Hello
    package let joined: Instant
    package internal(set) var lastHeard: Instant
    /// Whether a verifier of this drafter's vocabulary has been here since it registered.
    package internal(set) var hasMatched = false
    package internal(set) var load = Load(jobs: 0, busy: 0, stepMicroseconds: 0)

    package var isVerifier: Bool { hello.role == .verifier }
}

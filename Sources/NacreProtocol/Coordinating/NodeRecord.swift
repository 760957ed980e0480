import NacreCore

/// A node as the coordinator knows it.
package struct NodeRecord: Sendable {
    package let link: LinkID
    package let hello: Hello
    package let joined: Instant
    package internal(set) var lastHeard: Instant
    package internal(set) var load = Load(jobs: 0, busy: 0, stepMicroseconds: 0)

    package var isVerifier: Bool { hello.role == .verifier }
}

package import NIOCore

/// An actor that runs on an event loop, so that what happens on its connections is handled there and then: no task, no
/// hop, in the order of the wire.
///
/// ```swift
/// actor Drafter: EventLoopActor {
///     nonisolated let eventLoop: any EventLoop
///     nonisolated func handle(_ peer: PeerConnection, _ event: PeerEvent) {
///         assumeIsolated { drafter in drafter.take(event, from: peer) }
///     }
/// }
/// ```
/// The loop must be one of a `MultiThreadedEventLoopGroup` and outlive the actor: an actor does not keep its executor.
package protocol EventLoopActor: Actor {
    nonisolated var eventLoop: any EventLoop { get }
}

extension EventLoopActor {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
}

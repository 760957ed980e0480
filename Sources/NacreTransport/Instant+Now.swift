import NIOCore
package import NacreProtocol

extension Instant {
    /// The time on this host's monotonic clock; engines stamp their passes with the same one.
    package static var now: Instant { Instant(rawValue: Int(NIODeadline.now().uptimeNanoseconds / 1_000)) }
}

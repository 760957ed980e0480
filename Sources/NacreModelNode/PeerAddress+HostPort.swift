package import NacreNode
package import NacreTransport

extension PeerAddress {
    /// A setting's address as the transport takes it.
    package init(_ address: HostPort) { self.init(host: address.host, port: address.port) }
}

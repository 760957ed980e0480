package import NacreNode
import NacreWire

/// The servers that hold a target's layers, written `host:port,host:port`.
package struct LayerAddresses: SettingValue, Hashable {
    package let addresses: [HostPort]

    /// - Throws: `.badUsage`, naming the part that is wrong.
    package init(settingText: String) throws(NacreError) {
        var addresses: [HostPort] = []
        for part in settingText.split(separator: ",", omittingEmptySubsequences: false) {
            let address = try HostPort(String(part))
            guard address.port > 0, !address.host.contains(":") else {
                throw NacreError(.badUsage, "'\(part)' is no address of a layer server: IPv4 and a port above 0")
            }
            guard !addresses.contains(address) else {
                throw NacreError(.badUsage, "the layer server \(address) is named twice")
            }
            addresses.append(address)
        }
        guard addresses.count <= EngineLinkLimits.layersMax else {
            throw NacreError(
                .badUsage, "\(addresses.count) layer servers; at most \(EngineLinkLimits.layersMax) can be used")
        }
        self.addresses = addresses
    }

    package var settingText: String { addresses.map(\.description).joined(separator: ",") }
}

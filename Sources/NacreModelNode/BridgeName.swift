package import NacreCore
package import NacreNode

/// The bridge between two vocabularies, written `auto`, `tli`, `slem`, `slem+tli` or `slrs`.
package struct BridgeName: SettingValue, Hashable {
    /// `nil` is `auto`.
    package let kind: BridgeKind?

    package static var known: [String] { BridgeKind.names }

    /// - Throws: `.badUsage`, naming what is known.
    package init(settingText: String) throws(NacreError) {
        guard Self.known.contains(settingText) else {
            throw NacreError(
                .badUsage, "'\(settingText)' is no bridge",
                remedy: "give one of \(Self.known.joined(separator: ", "))")
        }
        kind = BridgeKind(rawValue: settingText)
    }

    package var settingText: String { kind?.rawValue ?? "auto" }
}

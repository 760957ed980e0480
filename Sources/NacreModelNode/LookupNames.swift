package import NacreCore
package import NacreNode

/// Drafters without a model, written `suffix,phrases`, the most trusted first.
package struct LookupNames: SettingValue, Hashable {
    package let kinds: [LookupKind]

    /// - Throws: `.badUsage`, naming the part that is wrong.
    package init(settingText: String) throws(NacreError) {
        do throws(LookupNameError) {
            kinds = try [LookupKind](parsing: settingText)
        } catch {
            throw NacreError(.badUsage, error.description)
        }
    }

    package var settingText: String { kinds.names }
}

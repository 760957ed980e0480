package import Logging

/// A type that a setting can have: written and read as one short text in flags, files and the environment.
package protocol SettingValue: Sendable {
    /// - Throws: `.badUsage`, saying what the text should look like.
    init(settingText: String) throws(NacreError)
    var settingText: String { get }
}

/// What `Settings` needs to know about a setting, whatever its type.
package protocol SettingDeclaration: Sendable {
    /// The flag without its dashes; also the key in the file and, as `NACRE_<NAME>`, in the environment.
    var name: String { get }
    /// What holds when nobody says otherwise.
    var fallbackText: String? { get }
    /// Whether somebody has to give it, because there is no default.
    var isRequired: Bool { get }
    /// - Throws: `.badUsage` for a text that is no value of this setting.
    func parse(_ text: String) throws(NacreError) -> any Sendable
}

/// A setting that always has a value, because it has a default or must be given.
///
/// ```swift
/// static let model = Setting<String>("model")
/// static let slots = Setting("slots", default: 8, in: 1...64)
/// ```
package struct Setting<Value: SettingValue>: SettingDeclaration {
    package let name: String
    package let fallback: Value?
    private let check: @Sendable (Value) -> String?

    /// - Parameter check: what is wrong with a value, `nil` if nothing: "must be …".
    package init(
        _ name: String, default fallback: Value? = nil, check: @escaping @Sendable (Value) -> String? = { _ in nil }
    ) {
        self.name = name
        self.fallback = fallback
        self.check = check
    }

    package var fallbackText: String? { fallback?.settingText }
    package var isRequired: Bool { fallback == nil }

    package func parse(_ text: String) throws(NacreError) -> any Sendable {
        let value = try Value(settingText: text)
        if let complaint = check(value) { throw NacreError(.badUsage, complaint) }
        return value
    }
}

extension Setting where Value == Int {
    /// A whole number within `range`.
    package init(_ name: String, default fallback: Int? = nil, in range: ClosedRange<Int>) {
        self.init(name, default: fallback, check: Self.within(range))
    }

    static func within(_ range: ClosedRange<Int>) -> @Sendable (Int) -> String? {
        { range.contains($0) ? nil : "must lie between \(range.lowerBound) and \(range.upperBound), not \($0)" }
    }
}

/// A setting that may be left out, because its absence means something.
package struct OptionalSetting<Value: SettingValue>: SettingDeclaration {
    private let setting: Setting<Value>

    /// - Parameter check: what is wrong with a value, `nil` if nothing: "must be …".
    package init(_ name: String, check: @escaping @Sendable (Value) -> String? = { _ in nil }) {
        setting = Setting(name, check: check)
    }

    package var name: String { setting.name }
    package var fallbackText: String? { nil }
    package var isRequired: Bool { false }
    package func parse(_ text: String) throws(NacreError) -> any Sendable { try setting.parse(text) }
}

extension OptionalSetting where Value == Int {
    /// A whole number within `range`.
    package init(_ name: String, in range: ClosedRange<Int>) {
        self.init(name, check: Setting.within(range))
    }
}

extension String: SettingValue {
    package init(settingText: String) throws(NacreError) {
        guard !settingText.isEmpty else { throw NacreError(.badUsage, "must not be empty") }
        self = settingText
    }

    package var settingText: String { self }
}

extension Int: SettingValue {
    package init(settingText: String) throws(NacreError) {
        guard let value = Int(settingText) else {
            throw NacreError(.badUsage, "must be a whole number, not '\(settingText)'")
        }
        self = value
    }

    package var settingText: String { String(self) }
}

extension Bool: SettingValue {
    package init(settingText: String) throws(NacreError) {
        guard let value = Bool(settingText) else {
            throw NacreError(.badUsage, "must be true or false, not '\(settingText)'")
        }
        self = value
    }

    package var settingText: String { self ? "true" : "false" }
}

extension HostPort: SettingValue {
    package init(settingText: String) throws(NacreError) { try self.init(settingText) }
    package var settingText: String { description }
}

extension CPUList: SettingValue {
    package init(settingText: String) throws(NacreError) { try self.init(settingText) }
    package var settingText: String { description }
}

extension Logger.Level: SettingValue {
    package init(settingText: String) throws(NacreError) {
        guard let level = Logger.Level(rawValue: settingText) else {
            throw NacreError(
                .badUsage, "must be one of \(Telemetry.levels.joined(separator: ", ")), not '\(settingText)'")
        }
        self = level
    }

    package var settingText: String { rawValue }
}

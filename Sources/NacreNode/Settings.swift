import Configuration
import Foundation
package import Logging
import NacreAPI
import Yams

/// A daemon's settings, merged from defaults, then the YAML file, then `NACRE_…` in the environment, then flags; the
/// later wins. Read once at start and checked as a whole.
///
/// ```swift
/// let settings = try Settings(
///     [Self.model, Self.threads, Settings.logLevel], flags: ["model": model, "threads": threads], file: config)
/// let model = settings[Self.model]
/// ```
package struct Settings: Sendable {
    /// The setting that every daemon has.
    package static let logLevel = Setting<Logger.Level>("log-level", default: .notice)

    /// One line of `--print-config`.
    package struct Line: Sendable, Hashable {
        package let name: String
        /// Absent for an optional setting that nobody gave.
        package let text: String?
        /// default, "file F", "environment NACRE_X" or "flag --x".
        package let source: String
    }
    /// All settings in the order of their declaration.
    package let lines: [Line]
    private let values: [String: any Sendable]

    /// - Parameters:
    ///   - flags: the command line's values by setting name; `nil` for a flag that was not given.
    ///   - file: the path of a YAML file of `name: value` lines.
    /// - Throws: `.badUsage` with every mistake, one per line.
    package init(
        _ declarations: [any SettingDeclaration], flags: [String: String?], file: String? = nil,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(NacreError) {
        var mistakes: [String] = []
        let names = declarations.map(\.name)
        var layers = [Self.flagLayer(flags), Self.environmentLayer(environment, names: names)]
        if let file {
            do {
                if let layer = try Self.fileLayer(file, names: names, mistakes: &mistakes) { layers.append(layer) }
            } catch let error as NacreError {
                mistakes.append(error.description)
            } catch {
                mistakes.append("\(file) is not a file of settings: \(error)")
            }
        }
        layers.append(Self.defaultLayer(declarations))

        var lines: [Line] = []
        var values: [String: any Sendable] = [:]
        for declaration in declarations {
            do throws(NacreError) {
                guard let (text, source) = try Self.lookUp(declaration.name, in: layers) else {
                    if declaration.isRequired { mistakes.append(Self.absence(of: declaration.name)) }
                    lines.append(Line(name: declaration.name, text: nil, source: "default"))
                    continue
                }
                lines.append(Line(name: declaration.name, text: text, source: source))
                do throws(NacreError) {
                    values[declaration.name] = try declaration.parse(text)
                } catch {
                    mistakes.append("\(declaration.name) (\(source)): \(error.description)")
                }
            } catch {
                mistakes.append(error.description)
            }
        }
        guard mistakes.isEmpty else { throw NacreError(.badUsage, mistakes.joined(separator: "\n")) }
        self.lines = lines
        self.values = values
    }

    /// The value of a setting that always has one.
    package subscript<Value>(_ setting: Setting<Value>) -> Value {
        guard let value = values[setting.name] as? Value else {
            preconditionFailure("setting '\(setting.name)' was not among the declarations")
        }
        return value
    }

    /// The value of a setting that may be left out; `nil` if nobody gave it.
    package subscript<Value>(_ setting: OptionalSetting<Value>) -> Value? {
        values[setting.name] as? Value
    }

    /// What `--print-config` prints: name, value and source of every setting, in columns.
    package var table: String {
        let rows = lines.map { ($0.name, $0.text ?? "(none)", $0.source) }
        let nameWidth = rows.map(\.0.count).max() ?? 0
        let textWidth = rows.map(\.1.count).max() ?? 0
        return rows.map { name, text, source in
            let name = name.padding(toLength: nameWidth, withPad: " ", startingAt: 0)
            let text = text.padding(toLength: textWidth, withPad: " ", startingAt: 0)
            return "\(name)  \(text)  \(source)"
        }.joined(separator: "\n")
    }

    // MARK: layers

    /// One place that settings come from.
    private struct Layer {
        let snapshot: any ConfigSnapshot
        let source: (_ name: String) -> String
    }

    // Every layer is read as text and parsed by the declaration, so that one mistake reads the same wherever it is.
    private static func lookUp(
        _ name: String, in layers: [Layer]
    ) throws(NacreError) -> (text: String, source: String)? {
        for layer in layers {
            let value: ConfigValue?
            do {
                value = try layer.snapshot.value(forKey: AbsoluteConfigKey([name]), type: .string).value
            } catch {
                throw NacreError(.badUsage, "\(name) (\(layer.source(name))): must be a single value")
            }
            if case .string(let text) = value?.content { return (text, layer.source(name)) }
        }
        return nil
    }

    private static func flagLayer(_ flags: [String: String?]) -> Layer {
        Layer(snapshot: memory(flags.compactMapValues { $0 })) { "flag --\($0)" }
    }

    private static func defaultLayer(_ declarations: [any SettingDeclaration]) -> Layer {
        let pairs = declarations.compactMap { declaration in
            declaration.fallbackText.map { (declaration.name, $0) }
        }
        return Layer(snapshot: memory(Dictionary(uniqueKeysWithValues: pairs))) { _ in "default" }
    }

    private static func memory(_ texts: [String: String]) -> any ConfigSnapshot {
        let values = texts.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: false)) }
        return InMemoryProvider(values: Dictionary(uniqueKeysWithValues: values)).snapshot()
    }

    // Unknown NACRE_ names are no mistake here: daemons of other roles read the same environment.
    private static func environmentLayer(_ environment: [String: String], names: [String]) -> Layer {
        let prefix = "NACRE_"
        let ours = environment.filter { $0.key.hasPrefix(prefix) }
            .map { (String($0.key.dropFirst(prefix.count)), $0.value) }
        let provider = EnvironmentVariablesProvider(environmentVariables: Dictionary(uniqueKeysWithValues: ours))
        return Layer(snapshot: provider.snapshot()) {
            "environment \(variable($0))"
        }
    }

    private static func variable(_ name: String) -> String {
        "NACRE_" + name.uppercased().replacing("-", with: "_")
    }

    private static func absence(of name: String) -> String {
        "\(name) is not set: pass --\(name), set \(variable(name)) or write '\(name): …' in the --config file"
    }

    // `nil` for a file without any settings.
    private static func fileLayer(_ path: String, names: [String], mistakes: inout [String]) throws -> Layer? {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw NacreError(.badUsage, "cannot read the settings file \(path)", remedy: "check --config")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: String(decoding: data, as: UTF8.self))
        } catch YamlError.parser(_, let problem, let mark, _), YamlError.scanner(_, let problem, let mark, _) {
            throw NacreError(.badUsage, "\(path), line \(mark.line): \(problem)")
        }
        guard let root, root.null == nil else { return nil }
        guard let mapping = root.mapping else {
            throw NacreError(.badUsage, "\(path) is not a file of settings, which has lines like 'threads: 4'")
        }
        for key in mapping.keys {
            guard let name = key.string, names.contains(name) else {
                let line = key.mark.map { ", line \($0.line)" } ?? ""
                let name = key.string ?? "?"
                mistakes.append("\(path)\(line): \(NearestName.complaint(about: name, kind: "key", among: names))")
                continue
            }
            // The snapshot flattens nested mappings into longer keys, which nobody would look up.
            if mapping[key]?.mapping != nil { mistakes.append("\(name) (file \(path)): must be a single value") }
        }
        let snapshot = try YAMLSnapshot(data: data.bytes, providerName: path, parsingOptions: .default)
        return Layer(snapshot: snapshot) { _ in "file \(path)" }
    }
}

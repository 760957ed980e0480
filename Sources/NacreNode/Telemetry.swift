import Foundation
package import Logging

/// Logging to stderr: one line per event, ISO 8601 time in UTC, level, label, message, then the facts as `key=value`.
package enum Telemetry {
    /// The names that `--log-level` takes.
    package static let levels = Logger.Level.allCases.map(\.rawValue)

    /// A logger that writes to stderr, in colour only if stderr is a terminal and `NO_COLOR` is unset.
    package static func logger(_ label: String, level: Logger.Level = .notice) -> Logger {
        let isColoured = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
        return Logger(label: label) { label in
            StandardErrorLog(label: label, logLevel: level, isColoured: isColoured)
        }
    }

    /// Makes every `Logger(label:)` of the process, also those of libraries, write like `logger`. Once per process.
    package static func bootstrap(level: Logger.Level) {
        let isColoured = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
        LoggingSystem.bootstrap { label in
            StandardErrorLog(label: label, logLevel: level, isColoured: isColoured)
        }
    }
}

/// Writes each event with one `write`, so that lines of several threads never mix.
struct StandardErrorLog: LogHandler {
    let label: String
    var logLevel: Logger.Level
    let isColoured: Bool
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let line = Array((render(event, at: Date()) + "\n").utf8)
        // A log line that cannot be written has nowhere to be reported.
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    func render(_ event: LogEvent, at date: Date) -> String {
        var facts = metadata
        if let provided = metadataProvider?.get() { facts.merge(provided) { $1 } }
        if let own = event.metadata { facts.merge(own) { $1 } }
        if let error = event.error { facts["error"] = "\(error)" }
        let time = date.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
        var line = "\(time)Z \(coloured(event.level)) \(label): \(event.message)"
        for (key, value) in facts.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(quoted("\(value)"))" }
        return line.replacing("\n", with: "\\n")
    }

    private func coloured(_ level: Logger.Level) -> String {
        guard isColoured else { return level.rawValue }
        let colour =
            switch level {
            case .trace, .debug: 2
            case .info, .notice: 36
            case .warning: 33
            case .error, .critical: 31
            }
        return "\u{1B}[\(colour)m\(level.rawValue)\u{1B}[0m"
    }

    private func quoted(_ value: String) -> String {
        guard value.isEmpty || value.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return value }
        return "\"" + value.replacing("\"", with: "\\\"") + "\""
    }
}

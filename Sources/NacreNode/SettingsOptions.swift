package import ArgumentParser

/// The flags that every daemon has besides its own settings.
package struct SettingsOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read settings from this YAML file of 'name: value' lines.", valueName: "file"))
    package var config: String?

    @Option(help: ArgumentHelp("How much to log: \(Telemetry.levels.joined(separator: ", ")).", valueName: "level"))
    package var logLevel: String?

    @Flag(help: "Print every setting and where it comes from, and exit.")
    package var printConfig = false

    @Flag(help: .hidden)
    package var exitWithStdin = false

    package init() {}

    /// Merges and checks the daemon's settings; with `--print-config` prints them and ends the command.
    ///
    /// - Parameters:
    ///   - declarations: the daemon's own settings, without `log-level`.
    ///   - flags: its own flags by setting name.
    /// - Throws: `.badUsage` with every mistake; `ExitCode.success` after `--print-config`.
    package func settings(
        _ declarations: [any SettingDeclaration], flags: [String: String?]
    ) throws -> Settings {
        var flags = flags
        flags[Settings.logLevel.name] = logLevel
        let settings = try Settings(declarations + [Settings.logLevel], flags: flags, file: config)
        if printConfig {
            print(settings.table)
            throw ExitCode.success
        }
        return settings
    }
}

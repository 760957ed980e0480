/// A time as people write it on a command line: 90s, 10m, 1h, or a number of seconds.
package struct TimeSpan: Sendable, Hashable {
    package let duration: Duration

    private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3_600]
    private static let secondsMax = 7 * 86_400.0

    /// - Parameter flag: whose value it is.
    /// - Throws: `.badUsage` for anything else, for nothing, and for more than a week.
    package init(_ text: String, flag: String) throws(NacreError) {
        let unit = text.last.flatMap { Self.units[$0] }
        guard let number = Double(unit == nil ? text[...] : text.dropLast()), number > 0,
            number * (unit ?? 1) <= Self.secondsMax
        else {
            throw NacreError(.badUsage, "'\(text)' is no time", remedy: "\(flag) takes 90s, 10m or 1h, up to 168h")
        }
        duration = .seconds(number * (unit ?? 1))
    }
}

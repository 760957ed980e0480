package import NacreNode

/// Stop strings as they are typed in a shell, where line breaks are hard to write.
package enum StopText {
    /// Turns `\n`, `\t`, `\r` and `\\` into what they stand for.
    ///
    /// - Throws: `.badUsage` for any other backslash, which would silently never match.
    package static func unescaped(_ text: String) throws(NacreError) -> String {
        var result = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            guard character == "\\" else {
                result.append(character)
                continue
            }
            switch rest.popFirst() {
            case "n": result.append("\n")
            case "t": result.append("\t")
            case "r": result.append("\r")
            case "\\": result.append("\\")
            default:
                throw NacreError(
                    .badUsage, "the stop string '\(text)' has a backslash that means nothing",
                    remedy: #"write \\ for a backslash"#)
            }
        }
        return result
    }
}

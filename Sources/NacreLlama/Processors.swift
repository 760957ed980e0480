import Glibc

/// The machine's cores, as far as this process may use them.
enum Processors {
    /// The cores this process may run on, ascending; empty if the system does not say.
    static var allowed: [Int] {
        guard let status = fopen("/proc/self/status", "re") else { return [] }
        defer { fclose(status) }
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), status) != nil {
            let text = line.withUnsafeBufferPointer { $0.baseAddress.map(String.init(cString:)) } ?? ""
            if text.hasPrefix("Cpus_allowed_list:") {
                return parse(text.drop { $0 != ":" }.dropFirst().filter { !$0.isWhitespace })
            }
        }
        return []
    }

    /// The numbers in a list such as `0-3,8`.
    private static func parse(_ list: String) -> [Int] {
        list.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }
}

import Foundation

/// A set of CPU cores, written `0-3,6`.
package struct CPUList: Hashable, Sendable, CustomStringConvertible {
    /// Ascending, without repetition, never empty.
    package let cores: [Int]

    // Linux's own limit on the CPUs of one machine is 8,192 (CONFIG_MAXSMP).
    private static let coreMax = 8_191

    /// `nil` if there are no cores in `cores`.
    package init?(cores: some Sequence<Int>) {
        let sorted = Set(cores).sorted()
        guard !sorted.isEmpty else { return nil }
        self.cores = sorted
    }

    /// - Throws: `.badUsage`, naming the part that is wrong.
    package init(_ text: String) throws(NacreError) {
        func core(_ digits: Substring) throws(NacreError) -> Int {
            guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let core = Int(digits),
                core <= Self.coreMax
            else {
                throw NacreError(.badUsage, "'\(text)' is not a list of CPU cores: '\(digits)' is no core, as in 0-3,6")
            }
            return core
        }
        var cores: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            let first = try core(ends[0])
            let last = try ends.count > 1 ? core(ends[1]) : first
            guard first <= last else {
                throw NacreError(.badUsage, "'\(text)' is not a list of CPU cores: \(part) runs backwards")
            }
            cores.formUnion(first...last)
        }
        self.cores = cores.sorted()
    }

    /// The shortest text that gives this set.
    package var description: String {
        RangeSet(cores.map { $0..<$0 + 1 }).ranges
            .map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
            .joined(separator: ",")
    }

    /// The cores that this process may run on: the machine's, less what a container or `taskset` took away.
    ///
    /// - Throws: `.failed` when the system does not say.
    package static func available() throws(NacreError) -> CPUList {
        // glibc shows `sched_getaffinity` to Swift only with feature macros; the kernel prints the same set here.
        let field = "Cpus_allowed_list:"
        let status = FileManager.default.contents(atPath: "/proc/self/status") ?? Data()
        let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(field) }
        guard let line else {
            throw NacreError(.failed, "the system does not say which CPU cores there are", remedy: "pass --cpus")
        }
        return try CPUList(line.dropFirst(field.count).trimmingCharacters(in: .whitespaces))
    }

    /// How many threads are to compute.
    ///
    /// - Parameters:
    ///   - asked: what was asked for; `nil`: one for each core.
    ///   - cores: those to stay on; `nil`: all that this process may use.
    /// - Throws: `.badUsage` for more threads than cores.
    package static func threads(_ asked: Int?, on cores: CPUList?) throws(NacreError) -> Int {
        let available = try available()
        let count = cores?.cores.count ?? available.cores.count
        let threads = asked ?? count
        guard threads <= count else {
            throw NacreError(
                .badUsage, "\(threads) threads on \(count) cores would wait for each other",
                remedy: "use --threads \(count) or fewer, or name more cores with --cpus")
        }
        return threads
    }
}

import Foundation
import NacreNode

/// What figures were taken on: without it they say nothing.
package struct MeasuringMachine: Sendable, Codable, Equatable, CustomStringConvertible {
    package let processor: String
    /// Cores that this process may use.
    package let cores: Int
    /// Extensions of the processor that passes are faster by.
    package let extensions: [String]
    package let system: String
    /// Of the last minute, when the measuring began: others' work makes figures worthless.
    package let load: Double?
    /// In UTC, as 2026-11-28T09:30:00Z.
    package let date: String

    private static let telling = [
        "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm", "sve",
    ]

    /// This one, now.
    package static func current() -> MeasuringMachine {
        let lines = text("/proc/cpuinfo").split(separator: "\n")
        func value(_ key: String) -> String? {
            lines.first { $0.hasPrefix(key) }?.split(separator: ":", maxSplits: 1).last
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let flags = Set((value("flags") ?? value("Features") ?? "").split(separator: " ").map(String.init))
        let cores = (try? CPUList.available().cores.count) ?? ProcessInfo.processInfo.activeProcessorCount
        return MeasuringMachine(
            processor: value("model name") ?? "an unnamed processor", cores: cores,
            extensions: telling.filter { flags.contains($0) },
            system: ProcessInfo.processInfo.operatingSystemVersionString,
            load: text("/proc/loadavg").split(separator: " ").first.flatMap { Double($0) },
            date: Date.now.formatted(.iso8601))
    }

    // FileManager asks for a size first, and files of /proc have none.
    private static func text(_ path: String) -> String {
        guard let file = FileHandle(forReadingAtPath: path) else { return "" }
        defer { file.closeFile() }
        return String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    }

    /// "2 cores of AMD EPYC, avx2 avx512f".
    package var description: String {
        let extra = extensions.isEmpty ? "" : ", " + extensions.joined(separator: " ")
        return "\(cores) core\(cores == 1 ? "" : "s") of \(processor)\(extra)"
    }
}

import Foundation
import NacreCore
package import NacreProtocol

/// What `auto` found of pairs' policies, kept from one start of a coordinator to the next: one JSON file. What is
/// missing, damaged or of policies that are tried no more counts as never found.
package struct TuningStore: Sendable {
    private struct Document: Codable {
        var version = TuningStore.version
        /// The latest last.
        var pairs: [Pair]
    }

    private struct Pair: Codable {
        struct Policy: Codable {
            var name: String
            var weight: Double
            var sum: Double
            var squares: Double
            var pauseTokens: Double
        }
        var target: String
        var draft: String
        var method: String
        var places: [String]
        /// The policy that was the fastest, and what trials of the others showed.
        var policy: String
        var trials: [Policy]

        init(_ tuning: KeptTuning) {
            target = tuning.key.target
            draft = tuning.key.draft
            method = tuning.key.method
            places = tuning.key.places
            policy = tuning.incumbent.description
            trials = tuning.arms.map { policy, arm in
                Policy(
                    name: policy.description, weight: arm.weight, sum: arm.sum, squares: arm.squares,
                    pauseTokens: arm.pause)
            }.sorted { $0.name < $1.name }
        }

        var tuning: KeptTuning? {
            guard let incumbent = try? PolicySpecification(parsing: policy) else { return nil }
            var arms: [PolicySpecification: OnlineTuner.Arm] = [:]
            for trial in trials {
                guard let policy = try? PolicySpecification(parsing: trial.name) else { continue }
                arms[policy] = OnlineTuner.Arm(
                    weight: trial.weight, sum: trial.sum, squares: trial.squares, pause: trial.pauseTokens)
            }
            let key = KeptTuning.Key(target: target, draft: draft, method: method, places: places)
            return KeptTuning(key: key, incumbent: incumbent, arms: arms)
        }
    }

    /// Of the file's content. A file of another version counts as damaged.
    private static let version = 1
    /// Kept are so many, the latest.
    private static let pairsMax = 256

    package let path: String

    /// The file of this user: `nacre/policies.json` in the user's cache folder; `nil` if there is no such folder.
    package init?() {
        guard let folder = FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask).first else {
            return nil
        }
        self.init(path: folder.appending(path: "nacre/policies.json").path)
    }

    package init(path: String) { self.path = path }

    private var pairs: [Pair] {
        guard let data = FileManager.default.contents(atPath: path),
            let document = try? JSONDecoder().decode(Document.self, from: data), document.version == Self.version
        else { return [] }
        return document.pairs
    }

    /// All that is kept.
    package func read() -> [KeptTuning.Key: KeptTuning] {
        Dictionary(pairs.compactMap(\.tuning).map { ($0.key, $0) }) { _, latest in latest }
    }

    /// Keeps these in place of what there was under their keys; what other coordinators keep stays. Readers see the old
    /// file or the new one.
    ///
    /// - Throws: what the file system says.
    package func write(_ tunings: some Collection<KeptTuning>) throws {
        let new = Set(tunings.map(\.key))
        let others = pairs.filter { $0.tuning.map { !new.contains($0.key) } ?? false }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let file = URL(filePath: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let all = others + tunings.map { Pair($0) }
        try encoder.encode(Document(pairs: Array(all.suffix(Self.pairsMax)))).write(to: file, options: .atomic)
    }
}

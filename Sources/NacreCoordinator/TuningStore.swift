import NacreCache
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
    static let pairsMax = 256

    /// What to do where there is no such file.
    package static var remedy: String { UserCache.remedy }

    private let file: CacheFile<Document>

    /// The file of the user that these variables belong to, `nacre/policies.json` in the cache folder; `nil` if nothing
    /// names a folder.
    ///
    /// - Parameter warn: told of a file that cannot be used.
    package init?(environment: [String: String], warn: @escaping @Sendable (_ reason: String) -> Void) {
        guard let cache = UserCache.path(environment: environment) else { return nil }
        self.init(path: "\(cache)/policies.json", warn: warn)
    }

    package init(path: String, warn: @escaping @Sendable (_ reason: String) -> Void) {
        file = CacheFile(path: path, warn: warn)
    }

    package var path: String { file.path }

    private func pairs(isQuiet: Bool) -> [Pair] {
        file.read(isQuiet: isQuiet) { $0.version == Self.version }?.pairs ?? []
    }

    /// All that is kept.
    package func read() -> [KeptTuning.Key: KeptTuning] {
        Dictionary(pairs(isQuiet: false).compactMap(\.tuning).map { ($0.key, $0) }) { _, latest in latest }
    }

    /// Keeps these in place of what there was under their keys; what other coordinators keep stays. Blocks.
    ///
    /// - Throws: what the file system says.
    package func write(_ tunings: some Collection<KeptTuning>) throws {
        let new = Set(tunings.map(\.key))
        // What is wrong with the file was said when it was read; a write that fails comes again.
        let others = pairs(isQuiet: true).filter { $0.tuning.map { !new.contains($0.key) } ?? false }
        let all = others + tunings.map { Pair($0) }
        try file.write(Document(pairs: Array(all.suffix(Self.pairsMax))))
    }
}

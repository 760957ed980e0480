import NacreCache
import NacreCore

/// Measurements of models on this machine, kept from one start to the next: a JSON file each in `nacre/calibration` of
/// the user's cache folder. What is missing, damaged or of something else counts as never measured.
package struct CalibrationCache: Sendable {
    /// What a measurement holds for.
    package struct Key: Sendable, Hashable {
        /// Digest of the model file.
        package var model: UInt64
        /// Stamp of the engine's build, which covers the kind of CPU.
        package var engine: String
        /// The cores by name, or "any".
        package var cores: String
        package var threads: Int

        package init(model: UInt64, engine: String, cores: String, threads: Int) {
            self.model = model
            self.engine = engine
            self.cores = cores
            self.threads = threads
        }

        /// 16 hexadecimal digits.
        fileprivate var modelText: String {
            let digits = String(model, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }

        fileprivate var fileName: String {
            let text = "\(modelText)-\(engine)-\(cores)-\(threads)"
            return text.map { $0.isLetter || $0.isNumber || "-,.".contains($0) ? String($0) : "_" }.joined() + ".json"
        }
    }

    private struct Document: Codable {
        struct Pass: Codable {
            var nodes: Int
            var microseconds: Double
            var spread: Double
        }
        struct Division: Codable {
            var shards: Int
            var passes: [Pass]
        }
        var version: Int
        var model: String
        var engine: String
        var cores: String
        var threads: Int
        var divisions: [Division]
    }

    /// Of the files' content. A file of another version counts as damaged.
    private static let version = 2

    /// What to do where there is no cache.
    package static var remedy: String { UserCache.remedy }

    private let folder: String
    private let warn: @Sendable (_ reason: String) -> Void

    /// The cache of the user that these variables belong to; `nil` if nothing names a folder.
    ///
    /// - Parameter warn: told of files that cannot be used.
    package init?(environment: [String: String], warn: @escaping @Sendable (_ reason: String) -> Void) {
        guard let cache = UserCache.path(environment: environment) else { return nil }
        folder = "\(cache)/calibration"
        self.warn = warn
    }

    func file<Kept: Codable>(_ name: String, of type: Kept.Type) -> CacheFile<Kept> {
        CacheFile(path: "\(folder)/\(name)", warn: warn)
    }

    private func file(of key: Key) -> CacheFile<Document> { file(key.fileName, of: Document.self) }

    private func document(of key: Key) -> Document? {
        guard let document = file(of: key).read(where: { $0.version == Self.version }),
            document.model == key.modelText, document.engine == key.engine, document.cores == key.cores,
            document.threads == key.threads
        else { return nil }
        return document
    }

    /// What was measured under this key.
    ///
    /// - Parameter shards: the divisions asked for; without all of them there is nothing.
    package func read(_ key: Key, shards: [Int]) -> [ShardDivision]? {
        guard let document = document(of: key) else { return nil }
        var divisions: [ShardDivision] = []
        for count in shards {
            guard let division = document.divisions.first(where: { $0.shards == count }),
                division.passes.map(\.nodes) == ShardCalibration.sizes,
                division.passes.allSatisfy({ $0.microseconds > 0 && $0.microseconds.isFinite && $0.spread >= 0 })
            else { return nil }
            divisions.append(
                ShardDivision(
                    shards: count,
                    costs: division.passes.map {
                        PassCost(nodes: $0.nodes, microseconds: $0.microseconds, spread: $0.spread)
                    }))
        }
        return divisions
    }

    /// Keeps a measurement in place of what there was.
    ///
    /// - Throws: what the file system says.
    package func write(_ divisions: [ShardDivision], as key: Key) throws {
        let document = Document(
            version: Self.version, model: key.modelText, engine: key.engine, cores: key.cores, threads: key.threads,
            divisions: divisions.map { division in
                Document.Division(
                    shards: division.shards,
                    passes: division.costs.map {
                        Document.Pass(nodes: $0.nodes, microseconds: $0.microseconds, spread: $0.spread)
                    })
            })
        try file(of: key).write(document)
    }

    /// Keeps a measurement of one division beside those of others that are kept.
    ///
    /// - Throws: what the file system says.
    package func add(_ division: ShardDivision, to key: Key) throws {
        let kept = document(of: key)?.divisions.map(\.shards) ?? []
        let others = kept.filter { $0 != division.shards }.compactMap { read(key, shards: [$0])?.first }
        try write((others + [division]).sorted { $0.shards < $1.shards }, as: key)
    }

    /// Where the measurement of this key is or would be.
    package func path(of key: Key) -> String { file(of: key).path }
}

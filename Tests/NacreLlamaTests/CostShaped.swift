import Glibc
import Testing

/// The models that cost more than they know, made if they are not there.
enum CostShaped {
    /// The path of the model in Nacre's cache.
    static func path(_ preset: String, _ type: String) throws -> String {
        let answer = TemporaryFile([])
        let script = Fixture.root + "Scripts/cost-shaped"
        try #require(system("'\(script)' \(preset) \(type) >'\(answer.path)'") == 0, "\(script) failed")
        let text = String(decoding: Fixture.read(answer.path), as: UTF8.self)
        return String(text.prefix { $0 != "\n" })
    }
}

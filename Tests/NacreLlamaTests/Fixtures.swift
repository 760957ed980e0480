import Glibc
import NacreCore
import NacreEngine
import NacreLlama

/// The files that the tests use, found from where this source lies.
enum Fixture {
    static let root = String(#filePath.dropLast("Tests/NacreLlamaTests/Fixtures.swift".count))
    static let target = root + "Models/pycode-8m-q8_0.gguf"
    static let draft = root + "Models/pycode-3m-q8_0.gguf"
    static let vocabularies = root + ".engine/models/"

    /// The whole content of a file.
    static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "re") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while case let got = fread(&chunk, 1, chunk.count, file), got > 0 { bytes += chunk.prefix(got) }
        return bytes
    }
}

/// A file that goes away with its last use.
final class TemporaryFile {
    let path: String

    init(_ bytes: some Collection<UInt8>) {
        var template = Array("/tmp/nacre-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        path = template.withUnsafeBufferPointer { $0.baseAddress.map(String.init(cString:)) ?? "" }
        let content = Array(bytes)
        var done = 0
        while done < content.count {
            let put = content.withUnsafeBytes { write(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done) }
            if put <= 0 { break }
            done += put
        }
        close(descriptor)
    }

    deinit { unlink(path) }
}

/// A small generator for tests: SplitMix64. The seed is in the test's name or message.
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

extension ForestNode {
    /// `tokens` at consecutive positions of one sequence, all scored with the same key.
    static func chain(
        _ tokens: some Sequence<TokenID>, from start: Int, sequence: SequenceID, key: StreamKey = 7,
        policy: SamplingPolicy? = SamplingPolicy(temperature: 1)
    ) -> [ForestNode] {
        tokens.enumerated().map { offset, token in
            ForestNode(
                token: token, position: Position(rawValue: start + offset), sequence: sequence,
                score: policy.map { ScoreRequest(key: key, index: start + offset, policy: $0) })
        }
    }
}

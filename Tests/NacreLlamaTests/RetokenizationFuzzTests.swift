import Foundation
import NacreCore
import NacreLlama
import Testing

/// T9: one text in two vocabularies of real model files (ALGORITHMS 5.1, 11). `make fuzz-tokens` asks for more.
@Suite("Retokenization fuzz")
struct RetokenizationFuzzTests {
    struct Pair: Sendable, CustomTestStringConvertible {
        let target: String
        let draft: String
        var testDescription: String { "\(target) with drafts of \(draft)" }
    }

    /// How many lives of a text all pairs have together; without NACRE_FUZZ_CASES a few.
    private static let cases = ProcessInfo.processInfo.environment["NACRE_FUZZ_CASES"].flatMap(Int.init)

    /// The shipped vocabulary, those of SentencePiece, byte pairs in many families, and WordPiece.
    private static let names = ["shipped"] + TokenizerTests.names

    /// Every vocabulary with every other; in a short run each is target once and drafts once.
    private static let pairs: [Pair] = {
        let count = names.count
        return (0..<count).flatMap { target in
            (cases == nil ? [8] : Array(1..<count)).map {
                Pair(target: names[target], draft: names[(target + $0) % count])
            }
        }
    }()

    @Test("a text is the same in both vocabularies, whatever is committed, drafted and cut", arguments: pairs)
    func fuzz(pair: Pair) throws {
        let fuzz = BridgeFuzz(target: try .named(pair.target), draft: try .named(pair.draft))
        var failures = 0
        for seed in 0..<UInt64(Self.cases.map { ($0 + Self.pairs.count - 1) / Self.pairs.count } ?? 20) {
            do {
                try fuzz.run(seed: seed)
            } catch {
                failures += 1
                Issue.record("seed \(seed): \(error)")
                if failures == 3 { return }
            }
        }
    }
}

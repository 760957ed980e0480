import NacreCore
import Testing

/// ψ, the law of the target's next token under a drafter of another vocabulary (ALGORITHMS 5.2).
@Suite("String-level rejection sampling")
struct StringLevelTests {
    @Test("ψ is the law of the first target token of what the drafter says", arguments: BridgeLawTests.cases)
    func psi(example: BridgeLawTests.Case) throws {
        for seed in 0..<6 as Range<UInt64> {
            let example = example.seeded(seed)
            let text = AlignedText(example.target, example.draft)
            let rule = try StringLevelRejectionSampling(target: text.target, draft: text.draft)
            let psi = try rule.law { example.q.q(after: $0) }
            let said = EnumeratedChance.law { chance -> TokenID? in
                var path: [TokenID] = []
                while true {
                    let q = example.q.q(after: path)
                    let token = chance.token(from: q, at: ChancePlace(0, .draft, sibling: path.count))
                    let isWhole = text.draft.isCommand(token)
                    if !isWhole { path.append(token) }
                    let first = rule.firstToken(of: path.flatMap { text.draft.text(of: $0) }, isWhole: isWhole)
                    if first.isDecided { return first.token }
                }
            }
            let left = 1 - (said[nil] ?? 0)
            for token in psi.probabilities.indices {
                let mass = said[TokenID(rawValue: UInt32(token))] ?? 0
                #expect(abs(psi.probabilities[token] - mass / left) < 1e-12, "seed \(seed), token \(token)")
            }
        }
    }

    @Test("bytes that the drafter has not seen yet condition ψ")
    func psiBehindHeldBytes() throws {
        let target = ToyTokenizer.pieces(["a", "b", "ab", "ba"])
        let text = AlignedText(target, .pieces(["a", "b", "ab"]))
        let rule = try StringLevelRejectionSampling(target: text.target, draft: text.draft)
        let q = distribution(0.2, 0.3, 0.5)
        // What begins with a: "a" and whatever comes (.2), or "ab" (.5), and then the longest match behind the a.
        let psi = try rule.law(after: Array("a".utf8)) { _ in q }
        // Behind "a": a, b, ab by .2, .3, .5; a is held, so "b…" from "ab" joins b.
        let whole = try rule.law { _ in q }
        let b = try rule.law(after: Array("b".utf8)) { _ in q }
        #expect(abs(b.probabilities.reduce(0, +) - 1) < 1e-12)
        #expect(zip(b.probabilities, whole.probabilities).allSatisfy { abs($0 - $1) < 1e-12 })
        // .2 · ψ + .5 · (b: then a, or ab → "ba"; or b → "b"), over .7.
        let behindAB = [0, 0.3, 0, 0.7]
        for token in 0..<4 {
            let expected = (0.2 * whole.probabilities[token] + 0.5 * behindAB[token]) / 0.7
            #expect(abs(psi.probabilities[token] - expected) < 1e-12)
        }
    }

    @Test("an end before the bytes that the drafter has not seen is no proposal")
    func endBehindHeldBytes() throws {
        let text = AlignedText(.pieces(["a", "b", "ab", "$"], end: 3), .pieces(["a", "#"], end: 1))
        let rule = try StringLevelRejectionSampling(target: text.target, draft: text.draft)
        let q = distribution(0.5, 0.5)
        // Behind the a that is held: an end, or an a and whatever comes.
        #expect(try rule.law(after: Array("a".utf8)) { _ in q }.probabilities == [0.5, 0, 0, 0.5])
    }

    @Test("SLRS accepts no less than SLEM, TLI no less than the whole row with zeros")
    func acceptances() throws {
        var gain = 0.0
        for seed in 0..<50 as Range<UInt64> {
            let example = BridgeLawTests.cases[Int(seed) % 3].seeded(seed)
            let text = AlignedText(example.target, example.draft)
            let rule = try StringLevelRejectionSampling(target: text.target, draft: text.draft)
            let p = example.p.p(after: []).probabilities
            let psi = try rule.law { example.q.q(after: $0) }.probabilities
            let slrs = zip(p, psi).reduce(0) { $0 + min($1.0, $1.1) }
            let slem = zip(p, psi).reduce(0) { $0 + $1.0 * $1.1 }
            #expect(slrs >= slem - 1e-12)
            gain += slrs - slem
            let q = example.q.q(after: [])
            let mass = text.intersection.mass(of: q)
            guard let projected = text.intersection.project(q)?.probabilities else { continue }
            let tli = zip(p, projected).reduce(0) { $0 + min($1.0, $1.1) }
            let union = zip(p, projected).reduce(0) { $0 + min($1.0, $1.1 * mass) }
            #expect(tli >= union - 1e-12)
        }
        #expect(gain > 5)
    }

    @Test("SLRS takes a row for every way in which the drafter says a text that is undecided, and knows it before")
    func slrsRows() throws {
        // "", a, aa, aaa may become longer; of tokens a and aa 1, 1, 2 and 3 ways lead there.
        let target = ToyTokenizer.pieces(["a", "aa", "aaa", "aaaa"])
        let text = AlignedText(target, .pieces(["a", "aa", "b"]))
        for (rowsMax, isEnough) in [(6, false), (7, true)] {
            let rule = try? StringLevelRejectionSampling(target: text.target, draft: text.draft, rowsMax: rowsMax)
            #expect(rule?.rows == (isEnough ? 7 : nil))
        }
        for example in BridgeLawTests.cases {
            let text = AlignedText(example.target, example.draft)
            let rule = try StringLevelRejectionSampling(target: text.target, draft: text.draft)
            var asked = 0
            _ = try rule.law { path in
                asked += 1
                return example.q.q(after: path)
            }
            #expect(asked == rule.rows, "\(example)")
        }
    }

    @Test("Texts that are undecided are counted before they are kept, each of which costs a row")
    func openTexts() throws {
        // Twenty tokens that say the a which the drafter has not seen, each with all of the token still to come.
        let drafter = ToyTokenizer.pieces(Array(repeating: "a", count: 20) + ["x"])
        let text = AlignedText(.pieces(["x", "xy"]), drafter)
        let law = distribution(Array(repeating: 1.0, count: 21))
        for (rowsMax, rows) in [(10, 1), (20, 1), (100, 41)] {
            let rule = try StringLevelRejectionSampling(target: text.target, draft: text.draft, rowsMax: rowsMax)
            var asked = 0
            func psi() throws -> Distribution {
                try rule.law(after: Array("a".utf8)) { _ in
                    asked += 1
                    return law
                }
            }
            if rows == 1 {
                #expect(throws: BridgeRefusal.tooManyRows(max: rowsMax)) { try psi() }
            } else {
                #expect(throws: Never.self) { try psi() }
            }
            #expect(asked == rows, "at most \(rowsMax)")
        }
    }

    @Test("SLRS refuses vocabularies that need too many rows")
    func slrsRefuses() {
        let merges = ByteExactTokenizer(ToyTokenizer.wordMerges)
        let bytes = ByteExactTokenizer(ToyTokenizer.byteLevel)
        #expect(throws: BridgeRefusal.self) {
            try StringLevelRejectionSampling(target: merges, draft: bytes, rowsMax: 10)
        }
        #expect(throws: BridgeRefusal.nothingInCommon) {
            let other = ByteExactTokenizer(ToyTokenizer.pieces(["x", "y"]))
            let rule = try StringLevelRejectionSampling(
                target: ByteExactTokenizer(ToyTokenizer.pieces(["a", "b"])), draft: other)
            _ = try rule.law { _ in distribution(0.5, 0.5) }
        }
    }
}

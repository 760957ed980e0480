import NacreCore
import NacreEngine
import RealModule

/// Two tables over a small vocabulary, target and draft, in which every context has rows of its own.
struct TabularLanguage: Sendable {
    let vocabulary: Int
    let seed: UInt64
    /// The same rows in every context, if given.
    var fixed: (p: [Double], q: [Double])?
    /// How far q is mixed towards p.
    var agreement = 0.5

    init(vocabulary: Int, seed: UInt64) {
        self.vocabulary = vocabulary
        self.seed = seed
    }

    init(p: [Double], q: [Double]) {
        vocabulary = p.count
        seed = 0
        fixed = (p, q)
    }

    func p(after context: some Sequence<TokenID>) -> [Double] { fixed?.p ?? weights(context, salt: 1) }

    func q(after context: [TokenID], salt: UInt64) -> [Double] {
        if let fixed { return fixed.q }
        return zip(weights(context, salt: salt), p(after: context)).map { (1 - agreement) * $0 + agreement * $1 }
    }

    /// The target.
    var target: TabularModel { model { self.p(after: $0) } }

    /// The draft model of the drafter with this number.
    func draft(_ number: Int) -> TabularModel { model { self.q(after: $0, salt: 2 + UInt64(number)) } }

    private func model(_ law: @escaping @Sendable ([TokenID]) -> [Double]) -> TabularModel {
        TabularModel(vocabularySize: vocabulary, endOfGeneration: TokenID(rawValue: UInt32(vocabulary - 1))) {
            for (token, probability) in law(Array($0)).enumerated() { $1[token] = Float(Double.log(probability)) }
        }
    }

    /// The law of the tokens behind `prompt` under plain decoding: `length` of them, or fewer if one of `ends` comes.
    func law(after prompt: [TokenID], length: Int, ends: Set<TokenID>) -> [[TokenID]: Double] {
        var law: [[TokenID]: Double] = [:]
        func extend(_ text: [TokenID], _ mass: Double) {
            guard text.count < length, text.last.map({ !ends.contains($0) }) ?? true else {
                law[text] = mass
                return
            }
            for (token, probability) in p(after: prompt + text).enumerated() where probability > 0 {
                extend(text + [TokenID(rawValue: UInt32(token))], mass * probability)
            }
        }
        extend([], 1)
        return law
    }

    /// What plain decoding gives under coupling, or greedily.
    func text(after prompt: [TokenID], length: Int, ends: Set<TokenID>, key: StreamKey, _ policy: SamplingPolicy)
        -> [TokenID]
    {
        var text: [TokenID] = []
        var row: [Float] = []
        var scratch = CoupledScratch()
        while text.count < length, text.last.map({ !ends.contains($0) }) ?? true {
            target.logits(after: (prompt + text)[...], into: &row)
            let request = ScoreRequest(key: key, index: text.count, policy: policy)
            text.append(CoupledRule.choose(row.span, request, scratch: &scratch).token)
        }
        return text
    }

    /// Weights of which about one in five is 0: truncated rows are where tests and residuals go wrong.
    private func weights(_ context: some Sequence<TokenID>, salt: UInt64) -> [Double] {
        var dice = Dice(seed: seed &* 31 &+ salt)
        for token in context { dice = Dice(seed: dice.next() ^ UInt64(token.rawValue)) }
        var weights = (0..<vocabulary).map { _ in dice.fraction() < 0.2 ? 0 : dice.fraction() }
        if weights.allSatisfy({ $0 == 0 }) { weights[0] = 1 }
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }
}

/// SplitMix64: the tests' own randomness, so that none shares a generator with what it tests.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// How far Pearson's chi-square of `counts` lies above what the law `expected` gives, in standard deviations: above
/// 3.7 for p < 10⁻⁴. Outcomes with fewer than 8 expected samples are pooled; an impossible one is infinitely far.
///
/// - Source: Wilson and Hilferty, "The distribution of chi-square", 1931: its cube root is nearly normal.
func excess<Outcome: Hashable>(of counts: [Outcome: Int], over expected: [Outcome: Double]) -> Double {
    guard counts.keys.allSatisfy({ (expected[$0] ?? 0) > 0 }) else { return .infinity }
    let total = Double(counts.values.reduce(0, +))
    var cells: [(observed: Double, expected: Double)] = []
    var pool = (observed: 0.0, expected: 0.0)
    for (outcome, probability) in expected {
        let (observed, wanted) = (Double(counts[outcome] ?? 0), probability * total)
        if wanted < 8 {
            pool = (pool.observed + observed, pool.expected + wanted)
        } else {
            cells.append((observed, wanted))
        }
    }
    if pool.expected > 0 { cells.append(pool) }
    let freedom = Double(cells.count - 1)
    let statistic = cells.reduce(0) { $0 + ($1.observed - $1.expected) * ($1.observed - $1.expected) / $1.expected }
    let spread = 2 / (9 * freedom)
    return (Double.root(statistic / freedom, 3) - (1 - spread)) / spread.squareRoot()
}

import NacreCore

/// Two full-context tables, p and q: the smallest models on which a decoding law can be computed exactly.
///
/// Every context has rows of its own, hashed from the seed; `agreement` mixes q towards p.
struct Tables: Sendable {
    let vocabulary: Int
    let seed: UInt64
    var agreement = 0.5
    /// The same rows in every context, if given.
    var fixed: (p: Distribution, q: Distribution)?

    init(vocabulary: Int, seed: UInt64, agreement: Double = 0.5) {
        self.vocabulary = vocabulary
        self.seed = seed
        self.agreement = agreement
    }

    /// The same tables with the target at temperature 0.
    var greedy: Tables {
        var tables = self
        tables.isGreedy = true
        return tables
    }
    private var isGreedy = false

    init(p: Distribution, q: Distribution) {
        vocabulary = p.probabilities.count
        seed = 0
        fixed = (p, q)
    }

    func p(after context: [TokenID]) -> Distribution {
        let law = warm(after: context)
        return isGreedy ? distribution(law.probabilities.indices.map { $0 == law.top ? 1 : 0 }) : law
    }

    private func warm(after context: [TokenID]) -> Distribution {
        fixed?.p ?? distribution(weights(context, salt: 1))
    }

    func q(after context: [TokenID]) -> Distribution {
        if let fixed { return fixed.q }
        let own = distribution(weights(context, salt: 2)).probabilities
        let target = warm(after: context).probabilities
        return distribution(zip(own, target).map { (1 - agreement) * $0 + agreement * $1 })
    }

    /// q as the drafter sends it, and draws from it.
    func row(after context: [TokenID]) -> WeightRow { WeightRow(q(after: context), entriesMax: vocabulary) }

    /// The law of the first `length` tokens under plain autoregressive decoding: the product of the conditionals.
    func autoregressiveLaw(length: Int) -> [[TokenID]: Double] {
        var law: [[TokenID]: Double] = [[]: 1]
        for _ in 0..<length {
            var longer: [[TokenID]: Double] = [:]
            for (context, mass) in law {
                for (token, probability) in p(after: context).probabilities.enumerated() where probability > 0 {
                    longer[context + [TokenID(rawValue: UInt32(token))]] = mass * probability
                }
            }
            law = longer
        }
        return law
    }

    /// Weights of which about one in five is 0: truncated rows are where tests and residuals go wrong.
    private func weights(_ context: [TokenID], salt: UInt64) -> [Double] {
        var hash = SplitMix(seed: seed &* 31 &+ salt)
        for token in context { hash = SplitMix(seed: hash.next() ^ UInt64(token.rawValue)) }
        var weights = (0..<vocabulary).map { _ in hash.uniform() < 0.2 ? 0 : hash.uniform() }
        if weights.allSatisfy({ $0 == 0 }) { weights[0] = 1 }
        return weights
    }
}

extension Distribution {
    /// The likeliest token, the lowest id on a tie.
    fileprivate var top: Int { probabilities.indices.max { (probabilities[$0], $1) < (probabilities[$1], $0) } ?? 0 }
}

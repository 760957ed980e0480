/// A probability distribution over the vocabulary: one number per token, summing to 1.
package struct Distribution: Sendable, Hashable {
    /// The probability of each token, by id.
    package let probabilities: [Double]

    /// The distribution proportional to `weights`; `nil` unless they are finite, none is negative and one is not 0.
    package init?(weights: [Double]) {
        let total = weights.reduce(0, +)
        guard total > 0, total.isFinite, weights.allSatisfy({ $0 >= 0 }) else { return nil }
        probabilities = weights.map { $0 / total }
    }

    /// The distribution with these very probabilities, not scaled again; `nil` unless none is negative and they sum to
    /// 1 up to rounding.
    package init?(probabilities: [Double]) {
        // Written so that NaN fails.
        guard probabilities.allSatisfy({ $0 >= 0 }), abs(probabilities.reduce(0, +) - 1) < 1e-9 else { return nil }
        self.probabilities = probabilities
    }

    /// These numbers as they are: for a part of a law (`BeamRow`).
    init(unchecked probabilities: [Double]) { self.probabilities = probabilities }

    /// The point mass on `token`, one of `count`.
    init(token: Int, of count: Int) {
        probabilities = (0..<count).map { $0 == token ? 1 : 0 }
    }

    /// The probability of `token`; 0 for an id outside the vocabulary.
    package subscript(token: TokenID) -> Double {
        token.rawValue < probabilities.count ? probabilities[Int(token.rawValue)] : 0
    }

    /// The token that the uniform number `u` in [0, 1) draws: the first whose cumulative probability exceeds `u`.
    ///
    /// A token of probability 0 is never drawn, even where rounding leaves the sum below `u`.
    package func token(at u: Double) -> TokenID {
        var cumulative = 0.0
        var last = 0
        for (token, probability) in probabilities.enumerated() where probability > 0 {
            cumulative += probability
            last = token
            if u < cumulative { break }
        }
        return TokenID(rawValue: UInt32(last))
    }
}

import RealModule

/// What one verifier tells another of a row of the target's law, for beams to be drawn from: the tokens that the
/// sampler transform leaves, with their probabilities under the scoring law (`SamplingPolicy.jointScoring`). Of top-k
/// that is k numbers; without a filter it is the whole row.
///
///     send(BeamRow(DraftBeams.Row(scoring: law, sampling)))
///     let row = try received.row(vocabularySize: 4_096, sampling)       // the same row, there
package struct BeamRow: Sendable, Hashable {
    /// Rising.
    package var tokens: [TokenID]
    /// p of each, above 0; their sum is 1 at most.
    package var probabilities: [Double]

    package init(tokens: [TokenID] = [], probabilities: [Double] = []) {
        self.tokens = tokens
        self.probabilities = probabilities
    }

    package init(_ row: DraftBeams.Row) {
        let drawn = row.draw.probabilities
        tokens = drawn.indices.filter { drawn[$0] > 0 }.map { TokenID(rawValue: UInt32($0)) }
        probabilities = tokens.map { row.score[$0] }
    }

    /// The row that it was made of; its scoring law is 0 where nothing is drawn, as nothing asks for it there.
    ///
    /// - Throws: `.row` if this is no part of a law over so many tokens.
    package func row(vocabularySize: Int, _ sampling: SamplingPolicy) throws(PayloadFault) -> DraftBeams.Row {
        guard !tokens.isEmpty, tokens.count == probabilities.count,
            Int(tokens[tokens.count - 1].rawValue) < vocabularySize,
            zip(tokens, tokens.dropFirst()).allSatisfy({ $0 < $1 }), probabilities.allSatisfy({ $0 > 0 })
        else { throw .row("a row of a law has tokens that rise below \(vocabularySize), each with a probability") }
        var dense = Array(repeating: 0.0, count: vocabularySize)
        for (token, probability) in zip(tokens, probabilities) { dense[Int(token.rawValue)] = probability }
        guard let score = Distribution(partOfLaw: dense) else { throw .row("a row of a law has a sum above 1") }
        guard sampling != sampling.jointScoring else {
            // Closer than the sum over beams is held to later.
            guard abs(dense.reduce(0, +) - 1) < 1e-10 else { throw .row("a whole row of a law sums to 1") }
            return DraftBeams.Row(draw: score, score: score)
        }
        // The filters were applied to the whole row: again they would leave less.
        return DraftBeams.Row(scoring: score, SamplingPolicy(temperature: sampling.temperature), always: true)
    }
}

extension Distribution {
    /// Some tokens of a law with their probabilities in it, the others 0; `nil` unless none is negative and they sum to
    /// 1 at most, up to rounding.
    fileprivate init?(partOfLaw probabilities: [Double]) {
        // Written so that NaN fails.
        guard probabilities.allSatisfy({ $0 >= 0 }), probabilities.reduce(0, +) < 1 + 1e-9 else { return nil }
        self.init(unchecked: probabilities)
    }
}

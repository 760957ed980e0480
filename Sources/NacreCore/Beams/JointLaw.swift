/// A beam and its next token.
package struct BeamToken: Sendable, Hashable {
    /// The beam's place among those that the law is over.
    package var beam: Int
    package var token: TokenID

    package init(beam: Int, token: TokenID) {
        self.beam = beam
        self.token = token
    }
}

/// A law over pairs of a beam and its next token: P(i, x) = wᵢ · p(x | beam i), or what rejections left of it.
///
/// Kept as one row, the beams' rows behind each other: [Σ rows]. Every draw takes time linear in it.
package struct JointLaw: Sendable, Hashable {
    /// Where each beam's row starts, and behind the last one the end.
    private let starts: [Int]
    private(set) var law: Distribution

    /// - Parameters:
    ///   - weights: one for each beam, summing to 1.
    ///   - rows: the law of each beam's next token; they may differ in length.
    package init(weights: [Double], rows: [Distribution]) {
        precondition(weights.count == rows.count && !rows.isEmpty, "\(weights.count) weights, \(rows.count) rows")
        let joint = zip(weights, rows).flatMap { weight, row in row.probabilities.map { weight * $0 } }
        // Not scaled again: a single beam's law is its row to the last bit.
        guard let law = Distribution(probabilities: joint) else { preconditionFailure("weights \(weights)") }
        starts = rows.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.probabilities.count) }
        self.law = law
    }

    /// P(beam, token); 0 for a token outside the beam's row.
    package subscript(pair: BeamToken) -> Double {
        place(of: pair).map { law.probabilities[$0] } ?? 0
    }

    /// Draws a pair.
    func draw<Source: ChanceSource>(at place: ChancePlace, chance: inout Source) -> BeamToken {
        pair(at: Int(chance.token(from: law, at: place).rawValue))
    }

    /// The `count` likeliest pairs, likeliest first, on a tie the first beam and the lowest token.
    func likeliest(_ count: Int) -> [BeamToken] { law.likeliest(count).map { pair(at: Int($0.rawValue)) } }

    /// Takes `pair` out, as drawing without replacement does; false, and nothing changed, if nothing would be left.
    mutating func remove(_ pair: BeamToken) -> Bool {
        var weights = law.probabilities
        if let place = place(of: pair) { weights[place] = 0 }
        guard let rest = Distribution(weights: weights) else { return false }
        law = rest
        return true
    }

    /// The law in proportion to P with other weights for some pairs; P itself for none, or if nothing would be left.
    func replacing(_ others: [BeamToken: Double]) -> JointLaw {
        guard !others.isEmpty else { return self }
        var weights = law.probabilities
        for (pair, weight) in others {
            if let place = place(of: pair) { weights[place] = weight }
        }
        var rest = self
        rest.law = Distribution(weights: weights) ?? law
        return rest
    }

    private func place(of pair: BeamToken) -> Int? {
        let place = starts[pair.beam] + Int(pair.token.rawValue)
        return place < starts[pair.beam + 1] ? place : nil
    }

    private func pair(at place: Int) -> BeamToken {
        // Few beams; the last one that starts at or before the place. A row is never empty.
        let beam = (starts.lastIndex { $0 <= place } ?? 0)
        return BeamToken(beam: beam, token: TokenID(rawValue: UInt32(place - starts[beam])))
    }
}

/// A drafter's law over pairs of a draft beam and its next token, Q(k, x) = v_k · q(x | beam k), from the integers that
/// it draws from; restricted to some beams it is a sub-law, not scaled up again.
package struct DraftLaw: Sendable, Hashable {
    let weights: [Double]
    /// `nil` for a beam that has ended: it has no next token, and weight 0.
    let rows: [WeightRow?]

    /// - Parameter weights: one for each row; they sum to 1, or to less after a restriction.
    package init(weights: [Double], rows: [WeightRow?]) {
        precondition(weights.count == rows.count, "\(weights.count) weights, \(rows.count) rows")
        self.weights = weights
        self.rows = rows
    }

    /// Q(beam, token).
    package subscript(pair: BeamToken) -> Double {
        rows[pair.beam].map { weights[pair.beam] * $0[pair.token] } ?? 0
    }

    /// The rows of `beams` alone, numbered in their order.
    func restricted(to beams: [Int]) -> DraftLaw {
        DraftLaw(weights: beams.map { weights[$0] }, rows: beams.map { rows[$0] })
    }

    /// All pairs that can be drawn, with their probabilities.
    package var pairs: [(pair: BeamToken, probability: Double)] {
        zip(weights, rows).enumerated().flatMap { beam, entry in
            (entry.1?.entries ?? []).map {
                let pair = BeamToken(beam: beam, token: $0.token)
                return (pair, self[pair])
            }
        }
    }

    /// Draws `count` pairs, independently, at the places that `place` numbers.
    func draws<Source: ChanceSource>(
        _ count: Int, chance: inout Source, at place: (Int) -> ChancePlace
    ) -> [BeamToken] {
        let pairs = pairs
        guard let law = Distribution(probabilities: pairs.map(\.probability)) else {
            preconditionFailure("a restricted law is not drawn from")
        }
        return (0..<count).map { pairs[Int(chance.token(from: law, at: place($0)).rawValue)].pair }
    }
}

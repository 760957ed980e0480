import RealModule

/// Where and for what a random decision is made. Two decisions never share a place: one uniform used for two checks
/// biases the output (the defect of ALGORITHMS 2.3-1).
package struct ChancePlace: Sendable, Hashable {
    /// The logical index of the generated token that is decided, never a cache slot (ALGORITHMS I5).
    package var index: Int
    package var lane: PositionalRandom.Lane
    /// Tells decisions of one lane at one index apart. Below 2³².
    package var sibling: Int
    /// Tells a drafter's repeated draws at one index apart: another number for every tree it begins, and for every
    /// drafter of a job, below 2²⁴; 0 for a verifier.
    package var epoch: Int

    package init(_ index: Int, _ lane: PositionalRandom.Lane, sibling: Int = 0, epoch: Int = 0) {
        self.index = index
        self.lane = lane
        self.sibling = sibling
        self.epoch = epoch
    }
}

/// What the verification and draw rules take their chance from: the keyed generator, or, in the law tests, every
/// branch in turn with its probability. A rule written against it cannot look at a uniform, only at the decision, so
/// that its law can be enumerated exactly.
package protocol ChanceSource {
    /// Whether `u · q < p` for the uniform u in [0, 1) of `place`: true with probability min(1, p / q), never for
    /// p = 0, always for p ≥ q > 0 (ALGORITHMS 0.4). Neither is negative.
    mutating func passes(p: Double, q: Double, at place: ChancePlace) -> Bool
    /// A token of the target's law, or of what is left of it.
    mutating func token(from law: Distribution, at place: ChancePlace) -> TokenID
    /// A token of a drafter's row.
    mutating func token(from row: WeightRow, at place: ChancePlace) -> TokenID
    /// The token of `law` that the Gumbel noise of `index` chooses: noise that drafter and verifier have in common.
    mutating func choice(from law: Distribution, at index: Int) -> Choice
}

/// Chance from the keyed generator: a pure function of the key and the place.
package struct KeyedChance: ChanceSource, Sendable {
    private let random: PositionalRandom

    package init(key: StreamKey) { random = PositionalRandom(key: key) }

    private func uniform(_ place: ChancePlace) -> Double {
        random.uniform(at: place.index, lane: place.lane, sibling: place.sibling, epoch: place.epoch)
    }

    package func passes(p: Double, q: Double, at place: ChancePlace) -> Bool { uniform(place) * q < p }

    package func token(from law: Distribution, at place: ChancePlace) -> TokenID { law.token(at: uniform(place)) }

    package func token(from row: WeightRow, at place: ChancePlace) -> TokenID { row.token(at: uniform(place)) }

    package func choice(from law: Distribution, at index: Int) -> Choice {
        var top = TopTwo()
        for (token, probability) in law.probabilities.enumerated() where probability > 0 {
            let noise = random.gumbel(at: index, token: TokenID(rawValue: UInt32(token)))
            top.offer(Double.log(probability) + noise, token)
        }
        return top.choice
    }
}

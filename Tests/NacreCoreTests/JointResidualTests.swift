import NacreCore
import Testing

/// What failed draws leave of a joint law, sparse, against all of it computed anew.
@Suite struct JointResidualTests {
    /// norm([R − Q]₊), or R where nothing is left.
    private func dense(_ r: [Double], _ q: [Double]) -> [Double] {
        let rest = zip(r, q).map { max($0 - $1, 0) }
        let total = rest.reduce(0, +)
        return total > 1e-12 ? rest.map { $0 / total } : r
    }

    @Test("after any number of failures it is what is left, pair by pair and as a whole")
    func sequence() {
        for seed in 0..<20 as Range<UInt64> {
            let tables = [seed, seed + 100].map { Tables(vocabulary: 6, seed: $0, agreement: 0.3) }
            let law = JointLaw(weights: [0.3, 0.7], rows: tables.map { $0.p(after: []) })
            let rows = tables.map { WeightRow($0.q(after: []), entriesMax: 3) }
            // Restricted: Q holds less than all.
            let q = DraftLaw(weights: [0.5, 0.4], rows: rows)
            let places = (0..<2).flatMap { beam in
                (0..<6 as Range<UInt32>).map { BeamToken(beam: beam, token: TokenID(rawValue: $0)) }
            }
            var rest = JointResidual(of: law)
            var expected = places.map { law[$0] }
            for _ in 0..<8 {
                let rate = rest.subtract(q.pairs)
                #expect(abs(rate - zip(expected, places).reduce(0) { $0 + min($1.0, q[$1.1]) }) < 1e-9)
                expected = dense(expected, places.map { q[$0] })
                let whole = rest.joint
                for (place, probability) in zip(places, expected) {
                    #expect(abs(rest[place] - probability) < 1e-9 && abs(whole[place] - probability) < 1e-9)
                }
            }
        }
    }

    @Test("where Q is all of P, what rounding leaves is not drawn from")
    func nothingLeft() throws {
        let law = JointLaw(weights: [1], rows: [distribution(0.25, 0.75)])
        let q = DraftLaw(weights: [1], rows: [try WeightRow([.init(0, 1), .init(1, 3)])])
        var rest = JointResidual(of: law)
        #expect(rest.subtract(q.pairs) == 1 && rest.joint == law)
        // Sums that rounding leaves short of 1.
        for seed in 0..<50 as Range<UInt64> {
            var random = SplitMix(seed: seed)
            let weights = (0..<12).map { _ in UInt16.random(in: 1...1_000, using: &random) }
            let row = try WeightRow(weights.enumerated().map { .init(TokenID(rawValue: UInt32($0)), $1) })
            let law = JointLaw(weights: [1], rows: [distribution(weights.map(Double.init))])
            var rest = JointResidual(of: law)
            let taken = rest.subtract(DraftLaw(weights: [1], rows: [row]).pairs)
            #expect(abs(taken - 1) < 1e-12 && rest.joint == law, "seed \(seed)")
            for token in 0..<12 as Range<UInt32> {
                let pair = BeamToken(beam: 0, token: TokenID(rawValue: token))
                #expect(rest[pair] == law[pair], "seed \(seed)")
            }
        }
    }
}

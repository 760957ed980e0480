/// What failed draws have left of a joint law: R₀ = P; each failure makes R norm([R − Q]₊).
///
/// Sparse: outside of what Q holds, R is P up to one scale. So a failure takes time linear in the entries of Q's rows,
/// not in beams × vocabulary; only a draw from R needs all of it. The scale comes of a difference from 1, so that it is
/// off by about 10⁻¹⁶ of the mass that is left: as much as that case is likely.
package struct JointResidual: Sendable {
    private let law: JointLaw
    /// R of the pairs that failures have changed, before `scale`.
    private var changed: [BeamToken: Double] = [:]
    private var scale = 1.0

    /// Less than this is rounding.
    private static let massMin = 1e-12

    package init(of law: JointLaw) { self.law = law }

    /// R(beam, token).
    package subscript(pair: BeamToken) -> Double { (changed[pair] ?? law[pair]) * scale }

    /// Makes R norm([R − Q]₊); nothing where nothing would be left, which rounding alone can bring about.
    ///
    /// - Parameter q: Q's pairs, each once.
    /// - Returns: Σ min(R, Q): how likely a draw from Q was to pass.
    @discardableResult
    package mutating func subtract(_ q: [(pair: BeamToken, probability: Double)]) -> Double {
        var taken = 0.0
        var rest: [(pair: BeamToken, weight: Double)] = []
        for (pair, probability) in q {
            let before = self[pair]
            guard before > 0 else { continue }
            taken += min(before, probability)
            rest.append((pair, max(before - probability, 0) / scale))
        }
        guard 1 - taken > Self.massMin else { return min(taken, 1) }
        for (pair, weight) in rest { changed[pair] = weight }
        scale /= 1 - taken
        return taken
    }

    /// R, whole.
    package var joint: JointLaw { law.replacing(changed) }
}

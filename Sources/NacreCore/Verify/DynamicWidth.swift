/// How many beams DSBD asks for in a layer: as many as its draws are likely enough to yield.
///
///     W = max(W_min, the largest k with P[K ≥ k] ≥ t),   K the acceptances among the layer's draws
///
/// It is settled from P and Q before a draw is looked at, so that each layer is exact for its width.
///
/// - Source: Qin et al., "Dynamic-width speculative beam decoding for efficient LLM inference", AAAI 2025
///   (arXiv 2409.16560), section 3 (dynamic width); published with t = 0.7 and 0.9, minimum 1 to 3.
package struct DynamicWidth: Sendable, Hashable {
    /// t: how likely the draws must yield the width. (0, 1].
    package let threshold: Double
    package let widthMin: Int

    package init(threshold: Double = 0.7, widthMin: Int = 1) {
        self.threshold = threshold
        self.widthMin = widthMin
    }

    /// What is wrong with these numbers, in words for the person who wrote them; `nil` if they are usable.
    package var complaint: String? {
        if !(threshold > 0 && threshold <= 1) {
            return "the width threshold must lie above 0 and at most at 1, not \(threshold)"
        }
        return widthMin >= 1 ? nil : "the minimum width must be at least 1, not \(widthMin)"
    }

    /// The width for `draws` independent draws from `q`, a law or a sub-law, against `p`.
    package func width(p: JointLaw, q: DraftLaw, draws: Int) -> Int {
        let count = Self.acceptances(p: p, q: q, draws: draws)
        var tail = 0.0
        for k in count.indices.reversed() {
            tail += count[k]
            // A tail that is t up to rounding reaches it.
            if tail >= threshold - 1e-12 { return max(widthMin, k) }
        }
        return widthMin
    }

    /// P[K = k] for k = 0 ... draws, K being the number of acceptances if no draw is left untested.
    ///
    ///     R₀ = P;  R_{m+1} = norm([R_m − Q]₊);  a_m = Σ min(R_m, Q)
    ///     N_m = Π_{j<m} (1 − a_j)   none in m draws;      f_m = a_{m−1} · N_{m−1}   the first at draw m
    ///     C(m, 0) = N_m;   C(m, k) = Σ_{j=1..m} f_j · C(m − j, k − 1)
    package static func acceptances(p: JointLaw, q: DraftLaw, draws: Int) -> [Double] {
        var none = [1.0]
        var first = [0.0]
        var rest = JointResidual(of: p)
        let drawable = q.pairs
        for _ in 0..<draws {
            let rate = min(rest.subtract(drawable), 1)
            first.append(rate * none[none.count - 1])
            none.append(none[none.count - 1] * (1 - rate))
        }
        // C(·, k) for the k at hand; the last number of each is the one that is asked for.
        var within = none
        var counts = [none[draws]]
        for _ in 0..<draws {
            within = (0...draws).map { m in (0..<m).reduce(0) { $0 + first[$1 + 1] * within[m - $1 - 1] } }
            counts.append(within[draws])
        }
        return counts
    }
}

import RealModule

/// Coupled sampling: the target's own token at each position, drawn with noise that the drafter knows too.
///
///     y_t = argmax over allowed x of  logit(x) / T + G_t(x)          T = 0: argmax of logit
///
/// Drafter and verifier both call `choose` on their own rows with the same request; equal tokens are accepted. The
/// drafter's tokens never enter the formula for y_t, so the output is a function of (target, prompt, key) alone and
/// its law is the target's (ALGORITHMS 9.1).
///
/// - Source: Daliri, Musco, Suresh, "Coupling without communication and drafter-invariant speculative decoding",
///   ISIT 2025, in the Gumbel form.
package struct CoupledRule: VerifyRule {
    package init() {}

    /// The target's own token behind `node`; the payload has no say. An engine that holds logits calls `choose`.
    package func score<Source: ChanceSource>(
        _ node: NodeIndex?, of tree: ProposedTree, p: Distribution, chance: inout Source
    ) -> Choice {
        chance.choice(from: p, at: tree.indexDecided(by: node))
    }

    /// Follows, at each node, the child that the target chose itself, and ends with the choice that has no child.
    package func select<Source: ChanceSource>(
        _ tree: ProposedTree, chance: inout Source, score: (NodeIndex?, inout Source) -> Choice
    ) -> Selection {
        Selection { node in
            let token = score(node, &chance).token
            return tree.drafts.child(of: node, token: token).map { .accepted($0) } ?? .token(token)
        }
    }

    // MARK: - From logits

    /// The token that a row of logits chooses.
    ///
    /// A logit that is NaN or infinite never wins. Equal scores go to the lowest id. A row without a single finite
    /// logit yields token 0 with margin 0. The margin is exact: the best minus the second-best score over the allowed
    /// tokens, scores being (logit − largest logit) · (1/T) + G, or the bare logits when greedy.
    ///
    /// Passes over the row once if greedy, twice if not, and twice more each for top-k and top-p; allocates only until
    /// `scratch` has grown to the row's size.
    package static func choose(
        _ logits: Span<Float>, _ request: ScoreRequest, scratch: inout CoupledScratch
    ) -> Choice {
        precondition(!logits.isEmpty, "a row of logits holds at least one token")
        return logits.withUnsafeBufferPointer { row in
            let top = TopTwo(of: row)
            guard top.best > -.infinity else { return Choice(token: 0, margin: 0) }
            let inverse = 1 / request.policy.temperature
            // Also greedy: a temperature so small that every gap divided by it is infinite.
            guard inverse.isFinite else { return top.choice }
            let cut = ProbabilityCut(row, largest: Float(top.best), inverse, request.policy, &scratch)
            var perturbed = TopTwo()
            scan(row, largest: top.token, inverse, cut, request, into: &perturbed)
            return perturbed.choice
        }
    }

    /// The `count` best perturbed scores of a row and the one behind them; greedy, its largest logits as they are.
    static func best(
        _ count: Int, of row: UnsafeBufferPointer<Float>, _ request: ScoreRequest, scratch: inout CoupledScratch
    ) -> TopFew {
        var few = TopFew(count)
        let top = TopTwo(of: row)
        guard top.best > -.infinity else { return few }
        let inverse = 1 / request.policy.temperature
        if inverse.isFinite {
            let cut = ProbabilityCut(row, largest: Float(top.best), inverse, request.policy, &scratch)
            scan(row, largest: top.token, inverse, cut, request, into: &few)
        } else {
            for token in row.indices where row[token] < .infinity { few.offer(Double(row[token]), token) }
        }
        return few
    }

    /// Tokens handled at a time: eight blocks of the generator, two tokens each.
    private static let group = 16

    /// Offers the perturbed scores that matter to `top`, with logarithms taken for a handful of tokens only.
    ///
    /// Bound: let r be a token's 52 random bits with z leading zeros. Then r ≥ 2^(51−z) or r = 0, z = 52; in both
    /// cases u = (r + ½)/2⁵² ≥ 2^−(z+1). As −ln(1 − u) ≥ u, G = −ln(−ln(1 − u)) ≤ −ln u ≤ (z + 1)·ln 2.
    /// A token whose gap plus this bound stays below the last score that is kept so far changes nothing. `slack`
    /// exceeds the rounding of the two logarithms; adding is monotone, so it adds no error.
    private static func scan<Top: TopScores>(
        _ row: UnsafeBufferPointer<Float>, largest: Int, _ inverse: Double, _ cut: ProbabilityCut,
        _ request: ScoreRequest, into top: inout Top
    ) {
        let slack = 0x1p-30
        let noise = PositionalRandom(key: request.key)
        func gap(_ logit: Float) -> Double { (Double(logit) - Double(cut.largest)) * inverse }
        func bound(_ zeros: Int) -> Double { Double(zeros + 1) * ln2 + slack }
        func consider(_ token: Int) {
            let bits = noise.bits(at: request.index, token: UInt32(truncatingIfNeeded: token))
            let gap = gap(row[token])
            if gap + bound(bits.leadingZeroBitCount - 12) >= top.threshold {
                top.offer(gap + PositionalRandom.gumbel(bits: bits), token)
            }
        }
        // The likeliest token first: its score makes the bound bite from the start.
        consider(largest)
        var start = 0
        while start + group <= row.count {
            defer { start += group }
            let highest = cut.highest(row, ofSixteenFrom: start)
            // Only a u below 2^−needed can lift a token of this group to the last score that is kept.
            let needed = (top.threshold - slack - gap(highest)) * (1 / ln2)
            guard highest > -.infinity, needed <= 53 else { continue }
            let words = noise.leadingBitsOfSixteen(at: request.index, first: UInt32(truncatingIfNeeded: start))
            let limit = UInt32.max >> UInt32(min(max(needed, 0), 32))
            var least = UInt32.max
            for lane in 0..<group / 2 { least = min(least, words.even[lane], words.odd[lane]) }
            guard least <= limit else { continue }
            for lane in 0..<group {
                let token = start + lane
                let word = lane & 1 == 0 ? words.even[lane / 2] : words.odd[lane / 2]
                guard word <= limit, token != largest, cut.keeps(row[token], at: token),
                    gap(row[token]) + bound(word == 0 ? 52 : word.leadingZeroBitCount) >= top.threshold
                else { continue }
                consider(token)
            }
        }
        for token in start..<row.count where token != largest && cut.keeps(row[token], at: token) { consider(token) }
    }

    private static let ln2 = Double.log(2)
}

/// Working memory of `CoupledRule.choose`. Keep one per thread of work: it grows to the largest row once.
package struct CoupledScratch: Sendable {
    var cut = ProbabilityCut.Scratch()
    package init() {}
}

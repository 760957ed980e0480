/// Speculative beam decoding: beam sampling of the target, several tokens per pass. Drafts for all beams are verified
/// layer by layer against the joint of beams and tokens.
///
///     P(i, x) = wᵢ · p(x | beam i) over the beams that stand;   Q̄ = the layer's Q, their rows alone, not scaled up
///     settle the width W before looking at a draw;   P′ ← P
///     for each draw, until W are kept:
///         its beam stands and u · Q̄ < P′ → keep it, P′ ← P;      else P′ ← norm([P′ − Q̄]₊)
///     W kept → they are the beams, the next layer is judged; behind the last one W pairs are drawn from P
///     fewer  → one more from P′, the others from P; these are the beams, the round ends
///
/// With a fixed width the beams have exactly the law of `BeamSampling` of that width, whatever was drafted, by however
/// many draws (class L3: another process than plain sampling, of the target alone). With a dynamic width each layer is
/// exact for its width, but widths depend on the drafter, and so does the law of the whole. Width 1 with one draw per
/// layer is vanilla speculative decoding.
///
///     let verdict = rule.advance(&beams, over: forest, chance: &chance) { rows[$0] }   // one pass over all trees
///     tell(drafter, verdict)                           // its next forest has one root for each of `verdict.beams`
///
/// - Source: Qin et al., "Dynamic-width speculative beam decoding for efficient LLM inference", AAAI 2025
///   (arXiv 2409.16560), section 3.
package struct DSBDRule: Sendable, Hashable {
    /// How many beams a layer ends with.
    package enum Width: Sendable, Hashable {
        case fixed(Int)
        /// Behind the last layer of drafts, where there are no draws to count on, the width stays what it is.
        case dynamic(DynamicWidth)
    }

    package let width: Width

    package init(width: Width) {
        if case .fixed(let width) = width { precondition(width > 0, "\(width) beams") }
        self.width = width
    }

    /// Judges `forest`, and moves `beams` on by one token for each layer that stands and one more; fewer if all end.
    ///
    /// - Parameters:
    ///   - forest: one tree for each live beam, in their order; no layers make it a step of beam sampling. As deep as
    ///     there is room for tokens, less one.
    ///   - row: the target's law behind a node of the forest, after the sampler transform. Asked for the nodes that
    ///     are reached, more than once where beams hold the same text.
    ///   - score: the law there by which likelihoods are told, if that is another; not 0 where `row` is not.
    package func advance<Source: ChanceSource>(
        _ beams: inout TargetBeams, over forest: DraftForest, chance: inout Source, row: (BeamPlace) -> Distribution,
        score: ((BeamPlace) -> Distribution)? = nil
    ) -> DSBDVerdict {
        precondition(forest.trees.count == beams.live.count, "\(forest.trees.count) trees, \(beams.live.count) beams")
        var verdict = DSBDVerdict()
        /// For each live beam the draft beam that it is.
        var drafts = Array(beams.live.indices)
        for layer in 0...forest.layers.count where !beams.isOver {
            let places = forest.beams(before: layer)
            let rows = drafts.map { row(places[$0]) }
            let p = beams.law(rows: rows)
            var judged = Judged(rest: JointResidual(of: p))
            if layer < forest.layers.count {
                let q = forest.laws[layer].restricted(to: drafts)
                judged.width = layerWidth(p: p, q: q, draws: forest.layers[layer].count)
                judged.test(forest.layers[layer], behind: drafts, p: p, q: q, index: beams.index, chance: &chance)
                verdict.kept.append(judged.kept)
                verdict.tested.append(judged.tested)
            } else {
                judged.width = lastWidth(beams)
            }
            verdict.widths.append(judged.width)
            let missing = judged.width - judged.kept.count
            let pairs = judged.pairs + p.sample(missing, from: judged.rest.joint, index: beams.index, chance: &chance)
            let scores = score.map { score in drafts.map { score(places[$0]) } } ?? rows
            let live = beams.advance(by: pairs, of: p, scores: scores)
            verdict.beams = live.map { DSBDVerdict.Beam(place: places[drafts[pairs[$0].beam]], token: pairs[$0].token) }
            if missing > 0 { break }
            drafts = live.map { judged.kept[$0] }
        }
        return verdict
    }

    private func layerWidth(p: JointLaw, q: DraftLaw, draws: Int) -> Int {
        switch width {
        case .fixed(let width): width
        case .dynamic(let rule): rule.width(p: p, q: q, draws: draws)
        }
    }

    private func lastWidth(_ beams: TargetBeams) -> Int {
        switch width {
        case .fixed(let width): width
        case .dynamic(let rule): max(rule.widthMin, beams.width)
        }
    }
}

/// What became of a forest, besides the beams.
package struct DSBDVerdict: Sendable, Hashable {
    /// Where a live beam comes from.
    package struct Beam: Sendable, Hashable {
        /// The node behind which its last token was decided: what of it is in the cache.
        package let place: BeamPlace
        /// Its last token, the next input.
        package let token: TokenID
    }

    /// For each layer judged its draws that stand, by number, in the order of drawing.
    package fileprivate(set) var kept: [[Int]] = []
    /// For each layer judged how many of its draws were tested.
    package fileprivate(set) var tested: [Int] = []
    /// Beams asked for at each step, the one behind the last layer included.
    package fileprivate(set) var widths: [Int] = []
    /// The live beams, in their order.
    package fileprivate(set) var beams: [Beam] = []
}

/// One layer under judgement.
private struct Judged {
    var width = 0
    var kept: [Int] = []
    var tested = 0
    /// The kept draws as pairs of a live beam and its token.
    var pairs: [BeamToken] = []
    /// P′: what the failed draws since the last one that passed left of P.
    var rest: JointResidual

    init(rest: JointResidual) { self.rest = rest }

    mutating func test<Source: ChanceSource>(
        _ draws: [DraftForest.Draw], behind drafts: [Int], p: JointLaw, q: DraftLaw, index: Int, chance: inout Source
    ) {
        let drawable = q.pairs
        for (number, draw) in draws.enumerated() {
            guard kept.count < width else { return }
            tested += 1
            let place = ChancePlace(index, .accept, sibling: number)
            // A draw behind a beam that fell has probability 0 under the restricted law, and fails.
            let pair = drafts.firstIndex(of: draw.parent).map { BeamToken(beam: $0, token: draw.token) }
            if let pair, chance.passes(p: rest[pair], q: q[pair], at: place) {
                kept.append(number)
                pairs.append(pair)
                rest = JointResidual(of: p)
            } else {
                rest.subtract(drawable)
            }
        }
    }
}

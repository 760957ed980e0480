/// Beam sampling of the target, of a given width: the process whose law DSBD with fixed widths has (method `beam`).
///
///     P(i, x) = wᵢ · p(x | beam i);   draw `width` pairs, independently;   w ∝ P of the pairs drawn
///
/// Pairs may come more than once. It is neither plain sampling nor beam search: texts are drawn from the joint of all
/// beams, and a beam of small weight seldom goes on. Width 1 is plain sampling.
///
/// - Source: Qin et al., "Dynamic-width speculative beam decoding for efficient LLM inference", AAAI 2025
///   (arXiv 2409.16560), section 2 (beam sampling).
package struct BeamSampling: Sendable, Hashable {
    package let width: Int

    package init(width: Int) {
        precondition(width > 0, "\(width) beams")
        self.width = width
    }

    /// Adds one token to every beam; nothing if all have ended.
    ///
    /// - Parameter row: the target's law behind a live beam, after the sampler transform; asked once for each.
    /// - Returns: for each beam that is live now, the one that it was and its new token.
    @discardableResult
    package func step<Source: ChanceSource>(
        _ beams: inout TargetBeams, chance: inout Source, row: (Int) -> Distribution
    ) -> [BeamToken] {
        guard !beams.live.isEmpty else { return [] }
        let rows = beams.live.indices.map(row)
        let law = beams.law(rows: rows)
        let pairs = law.sample(width, from: law, index: beams.index, chance: &chance)
        return beams.advance(by: pairs, of: law, scores: rows).map { pairs[$0] }
    }
}

extension JointLaw {
    /// `count` independent draws of the target at `index`: the first from `first`, which rejections may have left less
    /// of, the others from this law.
    func sample<Source: ChanceSource>(
        _ count: Int, from first: JointLaw, index: Int, chance: inout Source
    ) -> [BeamToken] {
        (0..<count).map {
            ($0 == 0 ? first : self).draw(at: ChancePlace(index, .correction, sibling: $0), chance: &chance)
        }
    }
}

import RealModule

/// MTAD: drafts stand as far as their *joint* likelihood under the target is not much below the drafter's; then comes
/// one token of the target. **Lossy by design**: what comes out is not distributed as the target's own text, at no τ
/// and no temperature; it never passes for a `VerifyRule`.
///
///     ℓp(node) = Σ along its path of ln p;   a node passes iff ℓp − ref(layer) > ln τ
///     keep the passing node of the deepest layer, there the one with the largest ℓp;   y ~ p behind it
///
/// On a chain, with its own ℓq for references, this is MTAD: the longest prefix with P / Q > τ, also behind shorter
/// ones that fail. On a tree it is MMTAD.
///
///     let rule = LossyMTADRule(threshold: 0.5)
///     let verdict = rule.verdict(
///         on: draft, ends: [end], chance: &chance,
///         logP: { log(scoring[$0][draft.drafts[$0].token]) },  // the row of the pass that decides this node's token
///         law: { rows[$0] })                                   // the row behind a node, after the sampler transform
///     commit(verdict.tokens(of: draft.drafts))
///
/// What it promises (ALGORITHMS 3.2): every block of drafts that it keeps has ln P ≥ ref + ln τ, so with `layerBest`,
/// and on chains, ln P ≥ ln Q + ln τ. τ → 0 keeps everything that the target finds possible at all.
///
/// - Source: Qin et al., "Optimized multi-token joint decoding with auxiliary model for LLM inference", ICLR 2025
///   (arXiv 2407.09722); published with τ = 0.1 to 0.9, examples 0.3 to 0.5.
package struct LossyMTADRule: Sendable, Hashable {
    /// τ: how much less likely than to the drafter a block may be to the target. (0, 1].
    package let threshold: Double

    package init(threshold: Double = 0.5) { self.threshold = threshold }

    /// What is wrong with τ, in words for the person who wrote it; `nil` if it is usable.
    package var complaint: String? {
        threshold > 0 && threshold <= 1 ? nil : "the threshold must lie above 0 and at most at 1, not \(threshold)"
    }

    /// Judges `draft` by one pass of the target over it.
    ///
    /// - Parameters:
    ///   - ends: tokens behind which there is no text: drafts behind one are not looked at, and no token follows it.
    ///   - logP: ln p of a node's token behind its parent, under the scoring law (`SamplingPolicy.jointScoring`); −∞
    ///     for an impossible one. Asked once for each node, parents first.
    ///   - law: the law that the target's own token is drawn from behind a node; asked once at most.
    package func verdict<Source: ChanceSource>(
        on draft: JointDraft, ends: Set<TokenID> = [], chance: inout Source, logP: (NodeIndex) -> Double,
        law: (NodeIndex?) -> Distribution
    ) -> LossyVerdict {
        let drafts = draft.drafts
        var joint: [Double] = []
        var isBehindEnd: [Bool] = []
        var kept: NodeIndex?
        for node in drafts.indices {
            let parent = drafts[node].parent
            joint.append((parent.map { joint[$0.rawValue] } ?? 0) + logP(node))
            isBehindEnd.append(parent.map { isBehindEnd[$0.rawValue] || ends.contains(drafts[$0].token) } ?? false)
            let reference = draft.references[drafts[node].depth - 1]
            guard !isBehindEnd[node.rawValue], joint[node.rawValue] - reference > Double.log(threshold) else {
                continue
            }
            let rank = (drafts[node].depth, joint[node.rawValue])
            if kept.map({ rank > (drafts[$0].depth, joint[$0.rawValue]) }) ?? true { kept = node }
        }
        let path = drafts.path(to: kept)
        let hasEnded = kept.map { ends.contains(drafts[$0].token) } ?? false
        let place = ChancePlace(draft.index + path.count, .correction)
        return LossyVerdict(
            path: path, token: hasEnded ? nil : chance.token(from: law(kept), at: place),
            logP: kept.map { joint[$0.rawValue] } ?? 0, reference: path.isEmpty ? 0 : draft.references[path.count - 1])
    }
}

/// What a lossy rule keeps.
package struct LossyVerdict: Sendable, Hashable {
    /// The drafts that stand, from the root down.
    package let path: [NodeIndex]
    /// The target's own token behind them; `nil` if the drafts end the text.
    package let token: TokenID?
    /// ln P of the drafts that stand, in nats; 0 if none does.
    package let logP: Double
    /// The drafter's ln Q that this was compared with, in nats.
    package let reference: Double

    /// The tokens to commit. A token that ends the text, drafted or not, is the last of them.
    package func tokens(of drafts: DraftTree) -> [TokenID] {
        path.map { drafts[$0].token } + (token.map { [$0] } ?? [])
    }
}

extension SamplingPolicy {
    /// The law that joint likelihoods are taken of: the temperature alone, 1 where decoding is greedy.
    ///
    /// A draft outside of top-k or top-p would have probability 0, and every longer prefix with it. The published code
    /// takes the truncated rows; who wants that hands in those.
    package var jointScoring: SamplingPolicy { SamplingPolicy(temperature: isGreedy ? 1 : temperature) }
}
